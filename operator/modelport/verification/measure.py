"""Numbers on the differences between two models' answers, pooled over the samples.

A fixed elementwise tolerance refuses good conversions and accepts bad ones; the relative RMS over all samples, before
a final softmax or sigmoid, separates noise (below 1e-5) from the smallest mistakes (above 7e-4). What comes after the
softmax is measured too, on the scale that an error of the logits has there, because its axis may be wrong.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modelport.api import OutputStatus
from modelport.verification.arrays import Array
from modelport.verification.reference import Answer, Reference

ACTIVATION_GAIN = 10.0
"""How much larger a relative error may be after softmax or sigmoid, per unit of the logits' RMS: both turn an absolute
error of their argument into a relative one, and the largest error of a tensor is some times its RMS."""


class Difference(NamedTuple):
    """How far `other` is from `reference`, pooled over pairs of tensors of equal shapes."""

    relative_rms: float
    """NaN if there was nothing finite to compare, infinite if the reference is zero and the other is not."""
    max_absolute: float
    non_finite: int
    equal: float
    """Share of equal elements."""
    scale: float
    """RMS of the reference."""


def difference(references: Sequence[Array], others: Sequence[Array]) -> Difference:
    """Return the difference of tensors, taken in pairs."""
    squares = reference_squares = largest = 0.0
    compared = non_finite = equal = count = 0
    for reference, other in zip(references, others, strict=True):
        same = _same(reference, other)
        wide, wide_other = _numbers(reference, np.True_), _numbers(other, same)
        finite = np.isfinite(wide) & np.isfinite(wide_other)
        delta = np.abs(wide[finite] - wide_other[finite])
        squares += float(np.sum(delta**2))
        reference_squares += float(np.sum(wide[finite] ** 2))
        largest = max(largest, float(delta.max(initial=0.0)))
        non_finite += int(np.sum(~finite & ~same))
        equal += int(np.sum(same))
        compared += int(np.sum(finite))
        count += reference.size
    scale = math.sqrt(reference_squares / compared) if compared else math.nan
    return Difference(_ratio(squares, reference_squares, compared), largest, non_finite, _share(equal, count), scale)


def spread(tensors: Sequence[Array]) -> float:
    """Return how much the tensors of consecutive samples differ, relative to their RMS; 0 for a constant output.

    Tensors of different lengths are compared where both have elements.
    """
    firsts, seconds = [], []
    for first, second in itertools.pairwise(tensors):
        if first.ndim == second.ndim:
            window = tuple(slice(min(pair)) for pair in zip(first.shape, second.shape, strict=True))
            firsts.append(first[window])
            seconds.append(second[window])
    return difference(firsts, seconds).relative_rms


def measure(reference: Reference, answers: Sequence[Answer]) -> list[OutputStatus]:
    """Return the errors of each output; `answers` are the converted model's, of the same names, types and shapes."""
    names = reference.samples[0].answer.outputs
    return [_measure_output(name, reference, answers) for name in names]


def decimal(number: float) -> str:
    """Return the decimal string that stands in status: JSON has no NaN and no Infinity."""
    return f"{number:.3g}"


def _measure_output(name: str, reference: Reference, answers: Sequence[Answer]) -> OutputStatus:
    expected = [sample.answer.outputs[name] for sample in reference.samples]
    found = [answer.outputs[name] for answer in answers]
    after = difference(expected, found)
    if not np.issubdtype(expected[0].dtype, np.floating):
        return _status(name, after, floor=0.0, varies=spread(expected), agreement=_share_text(after.equal))
    logits = [sample.answer.logits.get(name) for sample in reference.samples]
    found_logits = [answer.logits.get(name) for answer in answers]
    pairs = [
        (ours, theirs)
        for ours, theirs in zip(logits, found_logits, strict=True)
        if ours is not None and theirs is not None and ours.shape == theirs.shape
    ]
    if len(pairs) < len(answers):
        return _status(name, after, floor=reference.floors.outputs[name], varies=spread(expected))
    before = difference([ours for ours, _ in pairs], [theirs for _, theirs in pairs])
    worse = max(before.relative_rms, after.relative_rms / (ACTIVATION_GAIN * max(1.0, before.scale)))
    both = after._replace(relative_rms=worse, non_finite=max(before.non_finite, after.non_finite))
    return _status(name, both, floor=reference.floors.logits[name], varies=spread([ours for ours, _ in pairs]))


def _status(
    name: str, measured: Difference, *, floor: float, varies: float, agreement: str | None = None
) -> OutputStatus:
    return OutputStatus(
        name=name,
        relative_rms=decimal(measured.relative_rms),
        max_absolute_error=decimal(measured.max_absolute),
        noise_floor=decimal(floor),
        spread=decimal(varies),
        non_finite=measured.non_finite,
        agreement=agreement,
    )


def _same(reference: Array, other: Array) -> Array:
    same: Array = np.equal(reference, other)
    if np.issubdtype(reference.dtype, np.floating):
        same |= np.isnan(reference) & np.isnan(other)
    return same


def _numbers(array: Array, same: Array | np.bool) -> Array:
    """Return what can be subtracted: of strings, 1 where they are the same."""
    return array.astype(np.float64) if array.dtype.kind != "O" else np.ones(array.shape) * same


def _ratio(squares: float, reference_squares: float, compared: int) -> float:
    if not compared:
        return math.nan
    if reference_squares == 0.0:
        return math.inf if squares else 0.0
    return math.sqrt(squares / reference_squares)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _share_text(share: float) -> str:
    # a share is never rounded up to 1: one wrong label in a million is wrong
    return "nan" if math.isnan(share) else f"{math.floor(share * 1_000_000) / 1_000_000:.6g}"
