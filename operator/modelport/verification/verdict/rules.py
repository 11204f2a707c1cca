"""How each output is judged: what the source's answers, and its repeats, say about it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.errors import ModelportError
from modelport.verification.arrays import Array, Tensors
from modelport.verification.measure import same
from modelport.verification.measure.detections import Detector
from modelport.verification.measure.labels import LabelRule
from modelport.verification.measure.numbers import Rule
from modelport.verification.measure.precision import is_float, precision_of
from modelport.verification.reference import Answers, Reference, Sample


class Call(NamedTuple):
    """One call of a usual sample."""

    expected: Tensors
    found: Tensors
    repeats: tuple[tuple[Tensors, Tensors], ...] = ()
    """The source's answer and the same once more, by kind."""


class Rules(NamedTuple):
    """How each output is judged."""

    numbers: dict[str, Rule]
    labels: dict[str, LabelRule]
    detector: Detector | None

    def is_detection(self, name: str) -> bool:
        """Return whether an output describes detections."""
        return self.detector is not None and name in (*self.detector.outputs, *self.detector.counts)


def pair_calls(sample: Sample, answers: Answers) -> list[Call]:
    """Return the calls of a sample with what was found."""
    return [
        Call(expected, found, tuple((expected, again[number]) for again in sample.repeats))
        for number, (expected, found) in enumerate(zip(sample.outputs, answers, strict=True))
    ]


def align_calls(calls: Sequence[Call], detector: Detector | None) -> list[Call]:
    """Return the calls with detections in the order, and of the number, that the source's have."""
    if detector is None:
        return list(calls)
    aligned = detector.align_all([(call.expected, call.found) for call in calls])
    for call, found in zip(calls, aligned, strict=True):
        for name in detector.outputs:
            wanted, given = (each[name].shape[detector.axis] for each in (call.expected, found))
            if wanted != given:
                message = (
                    f"detections ({', '.join(detector.outputs)[:200]}): {wanted} expected, {given} found, and scores "
                    "next to others explain no such difference"
                )
                raise ModelportError(Reason.VERIFICATION_FAILED, message)
    return [
        Call(call.expected, found, tuple((one, detector.align(one, other)) for one, other in call.repeats))
        for call, found in zip(calls, aligned, strict=True)
    ]


def make_rules(calls: Sequence[Call], reference: Reference, signature: Signature, detector: Detector | None) -> Rules:
    """Derive how each output is judged from the source's answers alone."""
    shapes = {each.name: each.shape for each in signature.outputs}
    numbers: dict[str, Rule] = {}
    for name, first in calls[0].expected.items():
        if is_float(first.dtype):
            repeats = [[_repeated(name, *pair) for pair in pairs] for pairs in repeats_by_kind(calls)]
            # where a kind could not be asked the answer itself stands in, which must not dilute the noise of the others
            repeats = [[pair for pair in pairs if not same(*pair).all()] for pairs in repeats]
            shape = shapes.get(name) or [0]
            numbers[name] = Rule.of(
                [call.expected[name] for call in calls],
                repeats,
                precision_of(first.dtype, reference.precision),
                is_batched=isinstance(shape[0], str),
            )
    expected = [call.expected for call in calls]
    margins = {name: rule.margin for name, rule in numbers.items()}
    labels = {name: LabelRule.of(name, expected, margins) for name in calls[0].expected if name not in numbers}
    return Rules(numbers, labels, detector)


def repeats_by_kind(calls: Sequence[Call]) -> list[list[tuple[Tensors, Tensors]]]:
    """Return the source's answers and the same once more: the pairs of all calls, for each kind of repeats."""
    return [
        [call.repeats[kind] for call in calls if kind < len(call.repeats)]
        for kind in range(max(len(call.repeats) for call in calls))
    ]


def _repeated(name: str, expected: Tensors, again: Tensors) -> tuple[Array, Array]:
    one, other = expected[name], again[name]
    # a length that noise changes is noise without a measure
    return one, other if (one.shape, one.dtype) == (other.shape, other.dtype) else np.full_like(one, np.nan)
