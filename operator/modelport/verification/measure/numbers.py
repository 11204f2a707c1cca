"""How one output of numbers is judged: the limits that its source sets, and an answer's error in units of them."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from modelport.verification.arrays import Array
from modelport.verification.measure import windows
from modelport.verification.measure.linear import (
    CONSTANT_FLOORS,
    Pair,
    Worst,
    Yardstick,
    bulk_limit,
    make_yardstick,
    short_axes,
)
from modelport.verification.measure.precision import Precision
from modelport.verification.measure.probabilities import Space, find_space, log_error

MARGIN = 4.0
"""Limits that two elements may be apart for noise to swap them: each may be off by one, in either direction."""


class Errors(NamedTuple):
    """The errors of an output, pooled."""

    worst: Worst
    relative: float
    max_absolute: float
    non_finite: int
    finite: float
    """Share of the reference's elements that are finite."""


class Rule(NamedTuple):
    """The limits of one output."""

    precision: Precision
    yardsticks: tuple[Yardstick, ...]
    """Over all elements, and, where some are far beyond the others, without these."""
    space: Space | None
    """Log space, where the output is a probability that is not saturated."""
    log_limit: float
    spread: float
    """Relative RMS of the differences between samples, of what varies most: a slice, or log space; 0 if noise is all."""

    @classmethod
    def of(
        cls, tensors: Sequence[Array], repeats: Sequence[Sequence[Pair]], precision: Precision, *, is_batched: bool
    ) -> Self:
        """Derive the limits from the source's answers, and from pairs of those and the same asked again, by kind."""
        axes = short_axes(tensors, is_batched=is_batched)
        space, log_limit = find_space(tensors, precision), math.inf
        beyond = bulk_limit(tensors) if space is None else math.inf
        yardsticks = tuple(
            make_yardstick(tensors, repeats, axes, precision, within)
            for within in sorted({math.inf, beyond}, reverse=True)
        )
        between = list(windows(tensors))
        varies = max(each.spread(between) for each in yardsticks)
        if space is not None:
            floor = max((log_error(pairs, space, precision).relative for pairs in repeats), default=0.0)
            is_saturated = log_error([(each, each) for each in tensors], space, precision).is_saturated
            if is_saturated or not floor <= precision.cap:
                space = None
            else:
                log_limit = min(precision.cap, max(precision.base, precision.floors * floor))
                logits = log_error(between, space, precision).relative
                varies = max(varies, logits if logits > CONSTANT_FLOORS * floor else 0.0)
        return cls(precision, yardsticks, space, log_limit, varies)

    @property
    def whole(self) -> Yardstick:
        """Limits over all elements."""
        return self.yardsticks[0]

    @property
    def is_constant(self) -> bool:
        """Whether all samples have one answer, but for noise."""
        return self.spread == 0.0

    @property
    def margin(self) -> float:
        """How near two elements are that noise may swap: of the bulk, where others are masked by -1e9."""
        return MARGIN * min(float(each.limits[0]) for each in self.yardsticks)

    def errors(self, pairs: Sequence[Pair]) -> Errors:
        """Measure an answer, in pairs with the source's."""
        pools = [each.measure(pairs) for each in self.yardsticks]
        found = [each.excess(measured) for each, measured in zip(self.yardsticks, pools, strict=True)]
        if self.space is not None:
            relative = log_error(pairs, self.space, self.precision).relative
            found.append(Worst(0.0 if math.isnan(relative) else relative / self.log_limit, "log space"))
        finite, size = sum(int(np.isfinite(one).sum()) for one, _ in pairs), pools[0].size
        return Errors(
            max(found, key=lambda each: each.excess),
            max(each.relative(measured) for each, measured in zip(self.yardsticks, pools, strict=True)),
            float(pools[0].largest[0]),
            pools[0].non_finite,
            finite / size if size else 1.0,
        )

    def fits(self, array: Array) -> bool:
        """Return whether an answer has the slices that limits are known for."""
        return all(axis < array.ndim and array.shape[axis] == length for axis, length in self.whole.axes)

    def differing_rows(self, one: Array, other: Array) -> npt.NDArray[np.bool_]:
        """Return which rows of an answer differ by more than the limits, each row taken alone.

        Slices count where the answer has them all: not where only some elements of a row were kept.
        """
        if not one.size:
            return np.zeros(len(one), np.bool_)
        expected, found = np.atleast_1d(one).astype(np.float64), np.atleast_1d(other).astype(np.float64)
        kept = np.isfinite(expected) & np.isfinite(found)
        wrong = ~kept & (expected != found) & ~(np.isnan(expected) & np.isnan(found))
        size = np.where(kept, expected, 0.0)
        delta = np.abs(size - np.where(kept, found, 0.0))
        axes = tuple(range(1, expected.ndim))
        whole = float(self.whole.scale[0])
        rms, error = (np.sqrt(np.mean(each * each, axis=axes, keepdims=True)) for each in (size, delta))
        larger = np.maximum(1.0, rms / whole) if whole else np.ones_like(rms)
        wrong |= error > self.whole.limits[0] * larger
        offset = 1
        for axis, length in self.whole.axes if self.fits(one) else ():
            shape = [length if each == axis else 1 for each in range(expected.ndim)]
            wrong |= delta > self.whole.largest[offset : offset + length].reshape(shape) * larger
            offset += length
        rows: npt.NDArray[np.bool_] = wrong.any(axis=axes)
        return rows
