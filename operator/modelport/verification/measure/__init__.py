"""Numbers on the differences between two models' answers.

`linear` compares numbers, over an output and over its slices; `probabilities` compares in log space; `labels` knows
which labels the source itself is unsure of; `detectors` and `detections` put what was found into one order; `metrics`
are what users ask for. A fixed elementwise tolerance refuses good conversions and accepts bad ones; the relative RMS, pooled over
the samples in the space where an error is linear, separates noise from mistakes.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport.verification.measure.linear import Pair, pool
from modelport.verification.measure.precision import is_float


class Difference(NamedTuple):
    """How far one answer is from another, pooled over pairs of tensors of equal shapes."""

    relative_rms: float
    """NaN if there was nothing finite to compare, infinite if the reference is zero and the other is not."""
    max_absolute: float
    non_finite: int
    """Elements that are NaN or infinite in one alone, or infinite with another sign."""
    equal: float
    """Share of equal elements."""


def difference(references: Sequence[Array], others: Sequence[Array]) -> Difference:
    """Return the difference of tensors, taken in pairs. Strings are equal or not, and have no distance."""
    pairs = list(zip(references, others, strict=True))
    unequal = sum(int(np.sum(~same(one, other))) for one, other in pairs)
    count = sum(one.size for one, _ in pairs)
    equal = (count - unequal) / count if count else math.nan
    if any(one.dtype.kind in "OU" for one, _ in pairs):
        return Difference(math.inf if unequal else 0.0, 0.0, 0, equal)
    pooled = pool(pairs, ())
    return Difference(float(pooled.relative[0]), float(pooled.largest[0]), pooled.non_finite, equal)


def same(one: Array, other: Array) -> Array:
    """Return where elements are equal; NaN equals NaN."""
    equal: Array = np.equal(one, other)
    if is_float(one.dtype):
        equal |= np.isnan(one) & np.isnan(other)
    return equal.astype(np.bool_)


def spread(tensors: Sequence[Array]) -> float:
    """Return how much the tensors of consecutive samples differ, relative to their RMS; 0 for a constant output.

    Tensors of different lengths are compared where both have elements. Of labels it is the share that differs.
    """
    pairs = list(windows(tensors))
    if not pairs:
        return 0.0
    measured = difference([first for first, _ in pairs], [second for _, second in pairs])
    if not is_float(tensors[0].dtype):
        return 1.0 - measured.equal
    return measured.relative_rms if not math.isnan(measured.relative_rms) else 0.0


def windows(tensors: Sequence[Array]) -> Iterator[Pair]:
    """Yield consecutive tensors, cut to the lengths that both have; nothing where that leaves no element."""
    for first, second in itertools.pairwise(tensors):
        window = tuple(slice(min(pair)) for pair in zip(first.shape, second.shape, strict=True))
        if first[window].size:
            yield first[window], second[window]


def decimal(number: float) -> str:
    """Return the decimal string that stands in status: JSON has no NaN and no Infinity."""
    return f"{number:.3g}"


def share_text(share: float) -> str:
    """Return a share as it stands in status: never rounded up to 1, for one wrong label in a million is wrong."""
    return "nan" if math.isnan(share) else f"{math.floor(share * 1_000_000) / 1_000_000:.6g}"
