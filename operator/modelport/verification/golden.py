"""Golden samples: two questions that travel with the artifact, with its own verified answers.

A server asks its model these questions before it is Ready: another node's CPU is another machine. The answers are the
artifact's, not the source's, so the tolerance covers nothing but the machine.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.contract import Message, ModelportError
from modelport.files import open_beneath
from modelport.reasons import Reason
from modelport.verification.arrays import Tensors, read_arrays, write_arrays
from modelport.verification.measure import difference

COUNT = 2
MIN_TOLERANCE = 1e-4
"""Another instruction set sums in another order: measured up to 1e-5 on deep networks."""
MAX_TOLERANCE = 1.0
FLOORS = 20.0


class Golden(NamedTuple):
    """One question, the artifact's answer, and the largest relative RMS error of each output."""

    inputs: Tensors
    outputs: Tensors
    tolerances: dict[str, float]


class _Index(Message, frozen=True, kw_only=True):
    inputs: list[str]
    outputs: list[str]
    tolerances: list[float]


def choose_golden(asked: list[Tensors], answers: list[Tensors], floors: dict[str, float]) -> list[Golden]:
    """Return the smallest samples with their answers: they delay each start of a server."""
    order = sorted(range(len(asked)), key=lambda number: (sum(each.nbytes for each in asked[number].values()), number))
    tolerances = {name: min(MAX_TOLERANCE, max(MIN_TOLERANCE, FLOORS * floor)) for name, floor in floors.items()}
    return [Golden(asked[number], answers[number], tolerances) for number in order[:COUNT]]


def write_golden(folder: Path, golden: list[Golden]) -> None:
    """Write one file per sample into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (inputs, outputs, tolerances) in enumerate(golden):
        index = _Index(inputs=list(inputs), outputs=list(outputs), tolerances=[tolerances[name] for name in outputs])
        arrays = {
            f"{group}.{position}": array
            for group, tensors in (("inputs", inputs), ("outputs", outputs))
            for position, array in enumerate(tensors.values())
        }
        write_arrays(folder / f"{number}.npz", msgspec.json.encode(index), arrays)


def read_golden(folder: Path) -> list[Golden]:
    """Return the samples in `folder`. Raises ModelportError (GoldenMismatch) if there are none that can be read."""
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise ModelportError(
            Reason.GOLDEN_MISMATCH, f"{folder.name}: expected golden samples in the artifact, found none"
        )
    return [_read(path) for path in paths]


def check_golden(golden: list[Golden], infer: Callable[[Tensors], Tensors]) -> None:
    """Ask the model. Raises ModelportError (GoldenMismatch) with the first output that differs from the verified one."""
    for number, (inputs, outputs, tolerances) in enumerate(golden):
        answers = infer(inputs)
        for name, expected in outputs.items():
            found = answers.get(name)
            if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
                raise ModelportError(
                    Reason.GOLDEN_MISMATCH,
                    f"golden sample {number}: expected output {name} {expected.dtype}{list(expected.shape)}",
                )
            measured = difference([expected], [found])
            if measured.non_finite or measured.relative_rms > tolerances[name]:
                raise ModelportError(
                    Reason.GOLDEN_MISMATCH,
                    f"golden sample {number}: output {name} differs from the verified answer by a relative RMS of "
                    f"{measured.relative_rms:.3g} (limit {tolerances[name]:.3g}), non-finite: {measured.non_finite}",
                )


def _read(path: Path) -> Golden:
    with open_beneath(path.parent, path.name) as file:
        text, arrays = read_arrays(file, path.name)
    try:
        index = msgspec.json.decode(text, type=_Index)
        return Golden(
            {name: arrays[f"inputs.{position}"] for position, name in enumerate(index.inputs)},
            {name: arrays[f"outputs.{position}"] for position, name in enumerate(index.outputs)},
            dict(zip(index.outputs, index.tolerances, strict=True)),
        )
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        message = f"{path.name}: expected a golden sample, found: {error!s:.200}"
        raise ModelportError(Reason.GOLDEN_MISMATCH, message) from error
