"""Golden samples: two questions that travel with the artifact, with its own verified answers.

A server asks its model these questions before it is Ready: another node's CPU is another machine. The answers are the
artifact's, not the source's, so the tolerance covers nothing but the machine.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from modelport.contract import Message, ModelportError
from modelport.files import open_beneath
from modelport.reasons import Reason
from modelport.verification.arrays import Tensors, read_arrays, write_arrays
from modelport.verification.measure import difference
from modelport.verification.measure.detections import find_detector
from modelport.verification.measure.labels import LabelRule
from modelport.verification.measure.precision import is_float

COUNT = 2


class Golden(NamedTuple):
    """One question, the artifact's answer, and how far each output may be off: by relative RMS, labels by their share."""

    inputs: Tensors
    outputs: Tensors
    tolerances: dict[str, float]


class _Index(Message, frozen=True, kw_only=True):
    inputs: list[str]
    outputs: list[str]
    tolerances: list[float]


def choose_golden(answered: Sequence[tuple[Tensors, Tensors]], tolerances: dict[str, float]) -> list[Golden]:
    """Return the smallest questions with their answers: they delay each start of a server."""
    sizes = [(sum(each.nbytes for each in inputs.values()), number) for number, (inputs, _) in enumerate(answered)]
    return [Golden(*answered[number], tolerances) for _, number in sorted(sizes)[:COUNT]]


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
    for number, (inputs, verified, tolerances) in enumerate(golden):
        detector = find_detector([verified])
        outputs, answers = verified, infer(inputs)
        if detector:
            outputs, answers = detector.match(outputs, answers) or (outputs, answers)
        for name, expected in outputs.items():
            found = answers.get(name)
            if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
                raise ModelportError(
                    Reason.GOLDEN_MISMATCH,
                    f"golden sample {number}: expected output {name} {expected.dtype}{list(expected.shape)}",
                )
            wrong = _mistake(name, outputs, answers, tolerances)
            if wrong:
                message = f"golden sample {number}: output {name} differs from the verified answer: {wrong}"
                raise ModelportError(Reason.GOLDEN_MISMATCH, message)


def _mistake(name: str, expected: Tensors, found: Tensors, tolerances: dict[str, float]) -> str:
    """Return what is wrong with an output; labels may differ where two of the numbers that they come from are close."""
    tolerance = tolerances[name]
    if not is_float(expected[name].dtype):
        margins = {
            other: tolerances[other] * float(np.abs(each.astype(np.float64)).max(initial=0.0))
            for other, each in expected.items()
            if is_float(each.dtype)
        }
        wrong = LabelRule.of(name, [expected], margins).wrong(expected, found)
        share = float(np.mean(wrong)) if wrong.size else 0.0
        return f"{share:.3g} of the labels are others (limit {tolerance:.3g})" if share > tolerance else ""
    measured = difference([expected[name]], [found[name]])
    if measured.non_finite:
        return f"{measured.non_finite} elements are NaN or infinite in one alone"
    if measured.relative_rms > tolerance:
        return f"relative RMS {measured.relative_rms:.3g} (limit {tolerance:.3g})"
    return ""


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
