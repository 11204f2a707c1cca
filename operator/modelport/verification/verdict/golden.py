"""Golden samples: two questions that travel with the artifact, with its own verified answers.

A server asks its model these questions before it is Ready: another node's CPU is another machine. The answers are the
artifact's, not the source's, so the tolerance covers nothing but the machine. A question is a sequence of calls: a model
with states is asked once more, from the states that it has answered itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from modelport.api.reasons import Reason
from modelport.api.spec import State
from modelport.encoding import Message, decode
from modelport.errors import ModelportError
from modelport.storage.files import open_beneath
from modelport.verification.arrays import Tensors, read_arrays, write_arrays
from modelport.verification.calls import Calls, Infer, iterate_calls
from modelport.verification.measure import difference
from modelport.verification.measure.detections import Detector
from modelport.verification.measure.labels import LabelRule
from modelport.verification.measure.precision import is_float
from modelport.verification.reference import Answers

COUNT = 2
CALLS = 2
"""The first begins with the states that a client begins with, the second shows that they are fed back."""


class Golden(NamedTuple):
    """One question, the artifact's answer, and how far each output may be off: by relative RMS, labels by their share."""

    inputs: Calls
    """By call; those after the first hold no states."""
    outputs: Answers
    tolerances: dict[str, float]
    detector: Detector | None = None


class _Index(Message, frozen=True, kw_only=True):
    inputs: list[list[str]]
    """By call."""
    outputs: list[str]
    tolerances: list[float]
    detector: Detector | None


def choose_golden(
    answered: Sequence[tuple[Calls, Answers]], tolerances: dict[str, float], detector: Detector | None = None
) -> list[Golden]:
    """Return the smallest questions with their answers, which delay each start of a server.

    Longer sequences come first, and answers of nothing but zeros, or of no detections, last: a model that has lost all
    gives these, too.
    """
    cut = [(inputs[:CALLS], outputs[:CALLS]) for inputs, outputs in answered]
    chosen = sorted(cut, key=lambda each: (-len(each[0]), _is_nothing(each[1]), _size(each[0])))[:COUNT]
    return [Golden(*each, tolerances, detector) for each in chosen]


def write_golden(folder: Path, golden: list[Golden]) -> None:
    """Write one file per sample into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (inputs, outputs, tolerances, detector) in enumerate(golden):
        names = list(outputs[0])
        index = _Index(
            inputs=[list(call) for call in inputs],
            outputs=names,
            tolerances=[tolerances[name] for name in names],
            detector=detector,
        )
        arrays = {
            f"{group}.{call}.{position}": array
            for group, calls in (("inputs", inputs), ("outputs", outputs))
            for call, tensors in enumerate(calls)
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


def check_golden(golden: list[Golden], infer: Infer, states: Sequence[State]) -> None:
    """Ask the model. Raises ModelportError (GoldenMismatch) with the first output that differs from the verified one."""
    for number, each in enumerate(golden):
        for call, answers in enumerate(iterate_calls(infer, each.inputs, states)):
            wrong = _mistake_of_call(each.outputs[call], answers, each)
            if wrong:
                where = f"golden sample {number}" + (f", call {call + 1}" if call else "")
                raise ModelportError(Reason.GOLDEN_MISMATCH, f"{where}: {wrong}")


def _mistake_of_call(verified: Tensors, answers: Tensors, golden: Golden) -> str:
    answers = golden.detector.align(verified, answers) if golden.detector else answers
    for name, expected in verified.items():
        found = answers.get(name)
        if found is None or found.shape != expected.shape or found.dtype != expected.dtype:
            return f"expected output {name} {expected.dtype}{list(expected.shape)}"
        wrong = _mistake(name, verified, answers, golden.tolerances)
        if wrong:
            return f"output {name} differs from the verified answer: {wrong}"
    return ""


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
        index = decode(text, _Index)
        if not index.inputs or not index.outputs:
            raise ValueError("no question, or no answer")  # noqa: TRY301  # told like what cannot be read
        return Golden(
            tuple(_tensors(arrays, f"inputs.{call}", names) for call, names in enumerate(index.inputs)),
            tuple(_tensors(arrays, f"outputs.{call}", index.outputs) for call in range(len(index.inputs))),
            dict(zip(index.outputs, index.tolerances, strict=True)),
            index.detector,
        )
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        message = f"{path.name}: expected a golden sample, found: {error!s:.200}"
        raise ModelportError(Reason.GOLDEN_MISMATCH, message) from error


def _tensors(arrays: Tensors, group: str, names: Sequence[str]) -> Tensors:
    return {name: arrays[f"{group}.{position}"] for position, name in enumerate(names)}


def _is_nothing(answers: Answers) -> bool:
    return not any(array.astype(np.bool_).any() for outputs in answers for array in outputs.values())


def _size(calls: Calls) -> int:
    return sum(array.nbytes for tensors in calls for array in tensors.values())
