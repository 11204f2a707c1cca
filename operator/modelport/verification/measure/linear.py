"""Errors of numbers: relative RMS and largest difference, over an output and over each index of its short axes.

One number for an output is not enough: an error in scores of 0 to 1 vanishes beside boxes of 0 to 640. So each slice
is measured against its own size, and judged against the noise of the source in that very slice.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelport.verification.arrays import Array
from modelport.verification.measure.precision import Precision

LONGEST_AXIS = (1 << 16) - 1
"""An axis of more indices is a vocabulary or a signal, and its slices would take more memory than its elements."""
BLOCK = 1 << 21
"""Elements that are compared at once, which bounds the memory."""

LARGEST = 100.0
"""How many RMS limits a single element may be off."""
NOISY = 0.025
"""A slice whose own noise is above this share of it is hardly more than noise, and its errors are stated as shares of
the whole."""
ULPS = 2.0
"""Rounding units that an error may have by RMS: of the whole output in a slice of zeros, of 1 in probabilities. Measured
of sigmoids in ONNX Runtime: 0.5, and 2.5 for a single element."""
HUGE = 1e75
"""Magnitude beyond which numbers are all the same."""
FEW = 10.0
"""Elements of a slice that are too few to show its noise, as in a channel that hardly ever leaves zero."""
CONSTANT_FLOORS = 4.0
"""How many floors, or rounding units, samples may differ by where they are all the same."""
BULK = 0.05
"""Share of the elements that others may lie far beyond, as where a mask hides nearly all."""
OUTLYING = 1000.0
"""How many times larger than the smallest of these an element is, where they are measured without it, too."""
GAP = 30.0
"""How many times larger than all others such elements are."""
SOME = 1 << 16
"""Elements that are looked at to find these."""
CONFIDENT = 1e-4
"""Slices within [0, 1] are probabilities if the largest of their elements is at least this."""

Numbers = npt.NDArray[np.float64]
Pair = tuple[Array, Array]
Axes = tuple[tuple[int, int], ...]
"""Axes that are sliced, with their lengths."""


@dataclass
class Pool:
    """Sums over pairs of tensors. Arrays have one number for the whole and one for each slice of each axis."""

    axes: Axes
    count: Numbers
    squares: Numbers
    """Of the reference."""
    errors: Numbers
    """Squares of the differences."""
    largest: Numbers
    """Largest difference."""
    fourths: Numbers
    """Fourth powers of the reference, if it is pooled alone, as are its extremes."""
    high: Numbers
    minus_low: Numbers
    size: int = 0
    """Elements, finite or not."""
    non_finite: int = 0

    @property
    def rms(self) -> Numbers:
        """RMS of the reference."""
        return np.sqrt(self.squares / np.maximum(self.count, 1))

    @property
    def effective(self) -> Numbers:
        """How many elements of one size would make the reference's sums: few, if some are much larger than others."""
        return np.maximum(self.squares**2 / np.where(self.fourths > 0, self.fourths, np.inf), 1.0)

    @property
    def error(self) -> Numbers:
        """RMS of the differences."""
        return np.sqrt(self.errors / np.maximum(self.count, 1))

    @property
    def relative(self) -> Numbers:
        """RMS of the differences in units of the reference's; NaN where there is nothing."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.errors == 0, 0.0, np.sqrt(self.errors / self.squares))
        return np.where(self.count == 0, np.nan, ratio)


def short_axes(tensors: Sequence[Array], *, is_batched: bool) -> Axes:
    """Return the axes that are sliced: of one length over all tensors, not too long, and not the batch."""
    first = tensors[0]
    return tuple(
        (axis, length)
        for axis, length in enumerate(first.shape)
        if 1 < length <= LONGEST_AXIS
        and not (is_batched and axis == 0)
        and all(each.ndim == first.ndim and each.shape[axis] == length for each in tensors)
    )


def describe(tensors: Iterable[Array], axes: Axes, within: float = math.inf) -> Pool:
    """Add up tensors alone; elements larger than `within` are left out."""
    return pool(((each, each) for each in tensors), axes, within, is_own=True)


def pool(pairs: Iterable[Pair], axes: Axes, within: float = math.inf, *, is_own: bool = False) -> Pool:
    """Add up pairs of tensors of equal shapes, the reference first; elements larger than `within` are left out."""
    groups = 1 + sum(length for _, length in axes)
    pooled = Pool(axes, *np.zeros((5, groups)), *np.full((2, groups), -np.inf))
    for reference, other in pairs:
        pooled.size += reference.size
        for start, one, two in _blocks(reference, other):
            _add(pooled, start, (one, two), within, is_own=is_own)
    return pooled


def _blocks(reference: Array, other: Array) -> Iterator[tuple[int, Numbers, Numbers]]:
    one, two = np.atleast_1d(reference), np.atleast_1d(other)
    step = max(1, BLOCK * one.shape[0] // max(one.size, 1))
    for start in range(0, one.shape[0], step):
        part = slice(start, start + step)
        if one[part].size:
            yield start, _wide(one[part]), _wide(two[part])


def _wide(array: Array) -> Numbers:
    numbers = array.astype(np.float64)
    if array.dtype == np.float64:
        # masks of the lowest number of all, whose fourth power there is none of
        np.clip(numbers, -HUGE, HUGE, out=numbers, where=np.isfinite(numbers))
    return numbers


def _add(pooled: Pool, start: int, pair: tuple[Numbers, Numbers], within: float, *, is_own: bool) -> None:
    one, two = pair
    kept = np.isfinite(one) & np.isfinite(two)
    if not kept.all():
        pooled.non_finite += int(np.sum(~kept & ~((one == two) | (np.isnan(one) & np.isnan(two)))))
        one, two = np.where(kept, one, 0.0), np.where(kept, two, 0.0)
    if within < math.inf:
        kept &= np.abs(one) <= within
        one, two = np.where(kept, one, 0.0), np.where(kept, two, 0.0)
    count = kept if not kept.all() else None
    squares = one * one
    sums, largest = [(pooled.squares, squares)], []
    if is_own:
        sums.append((pooled.fourths, squares * squares))
        largest.append((pooled.high, one if count is None else np.where(kept, one, -np.inf)))
        largest.append((pooled.minus_low, -one if count is None else np.where(kept, -one, -np.inf)))
    else:
        delta = np.abs(one - two)
        if delta.any():
            sums.append((pooled.errors, delta * delta))
            largest.append((pooled.largest, delta))

    def reduce(target: slice | int, axes: tuple[int, ...] | None) -> None:
        size = one.size if axes is None else math.prod(one.shape[axis] for axis in axes)
        pooled.count[target] += size if count is None else count.sum(axes)
        for total, values in sums:
            total[target] += values.sum(axes)
        for extreme, values in largest:
            extreme[target] = np.maximum(extreme[target], values.max(axes))

    reduce(0, None)
    offset = 1
    for axis, length in pooled.axes:
        first = offset + (start if axis == 0 else 0)
        others = tuple(each for each in range(one.ndim) if each != axis)
        reduce(slice(first, first + one.shape[axis]), others)
        offset += length


class Worst(NamedTuple):
    """The largest error in units of its limit, and where it is."""

    excess: float
    where: str
    """Empty: over the whole output."""


@dataclass(frozen=True)
class Yardstick:
    """What the source says about an output: its size, its noise, and the limits that follow, by slice."""

    axes: Axes
    within: float
    precision: Precision
    floors: Numbers
    """Relative RMS of the source against itself."""
    limit: float
    """Limit of the relative RMS of the whole output."""
    scale: Numbers
    """RMS that relative errors are stated in."""
    limits: Numbers
    """Largest RMS of the differences."""
    largest: Numbers
    """Largest difference of a single element."""
    ulp: Numbers
    """What rounding alone may do, in the output's own units."""

    @property
    def floor(self) -> float:
        """Relative RMS of the source against itself, over the whole output."""
        return float(self.floors[0])

    def spread(self, between: Iterable[Pair]) -> float:
        """Return the largest relative RMS between samples, of the whole or of a slice; 0 if all of it is noise.

        An output that noise above the cap fills is not constant but unstable: anything would pass for its noise.
        """
        relative = np.nan_to_num(self.measure(between).relative, posinf=np.inf)
        is_clear = self.floors <= self.precision.cap
        if not is_clear[0]:
            return float(relative[0])
        is_noise = relative <= np.maximum(CONSTANT_FLOORS * self.floors, CONSTANT_FLOORS * self.precision.unit)
        return float(np.max(relative, initial=0.0, where=~is_noise & is_clear))

    def measure(self, pairs: Iterable[Pair]) -> Pool:
        """Add up the differences over the same slices."""
        return pool(pairs, self.axes, self.within)

    def excess(self, measured: Pool) -> Worst:
        """Return the worst error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            both = np.stack([measured.error / self.limits, measured.largest / self.largest])
        both[:, measured.error == 0] = 0.0
        kind, group = divmod(int(np.argmax(both)), both.shape[1])
        where = [self._place(group)] if group else []
        where += ["largest difference"] if kind else []
        where += [f"without what is beyond {self.within:.3g}"] if self.within < math.inf else []
        return Worst(float(both[kind, group]), ", ".join(where))

    def relative(self, measured: Pool) -> float:
        """Return the largest relative RMS error of whole and slices, noise and rounding of slices left out."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(measured.error <= self.ulp, 0.0, measured.error) / self.scale
        ratio[measured.errors == 0] = 0.0
        return float(np.max(ratio))

    def _place(self, group: int) -> str:
        group -= 1
        for axis, length in self.axes:
            if group < length:
                return f"axis {axis}, index {group}"
            group -= length
        raise ValueError(group)


def make_yardstick(
    tensors: Sequence[Array],
    repeats: Sequence[Sequence[Pair]],
    axes: Axes,
    precision: Precision,
    within: float = math.inf,
) -> Yardstick:
    """Measure the source: its answers, and, by kind, pairs of an answer and the same question answered again."""
    own = describe(tensors, axes, within)
    again = [pool(pairs, axes, within) for pairs in repeats]
    nothing = np.zeros_like(own.count)
    noise = np.max([each.error for each in again], axis=0, initial=0.0) if again else nothing
    noise_largest = np.max([each.largest for each in again], axis=0, initial=0.0) if again else nothing
    floors = (
        np.max([np.nan_to_num(each.relative, posinf=np.inf) for each in again], axis=0, initial=0.0)
        if again
        else nothing
    )
    if any(each.non_finite for each in again):
        floors = np.full_like(floors, np.inf)
    rms, whole = own.rms, own.rms[0]

    usual = np.maximum(precision.base, np.minimum(precision.floors * floors, precision.cap))
    few = np.maximum(usual, np.minimum(usual * (1 + FEW / own.effective), precision.cap))
    rounding = np.where(rms == 0, ULPS * precision.unit * whole, 0.0)
    # the cap is not for slices: one that nearly cancels out is noisy by nature, and the whole shows what it cannot
    limits = np.maximum(np.maximum(few * rms, precision.floors * noise), rounding)
    ulp = rounding + np.where(probable(own), ULPS * precision.unit, 0.0)
    limit = min(precision.cap, max(precision.base, precision.floors * float(floors[0])))
    if within == math.inf:
        limits[0] = limit * whole
    else:
        is_main = own.count >= describe(tensors, axes).count / 2
        # what others lie far beyond may be a few elements, or noise, and is judged as a slice is
        if is_main[0] and floors[0] <= NOISY:
            limits[0] = limit * whole
        limits[1:][~is_main[1:]] = np.inf  # the slice has been measured as a whole
    limits = limits + np.where(probable(own), ULPS * precision.unit, 0.0)
    scale = np.where((rms == 0) | (floors > NOISY), whole, rms)
    largest = np.maximum(LARGEST * limits, precision.floors * noise_largest)
    return Yardstick(axes, within, precision, floors, limit, scale, limits, largest, ulp)


def probable(own: Pool) -> npt.NDArray[np.bool_]:
    """Return which slices hold probabilities, whose rounding is that of 1: within [0, 1], and not all next to 0."""
    within = (own.minus_low <= 0) & (own.high <= 1)
    found = np.zeros_like(within)
    offset = 0
    for length in (1, *(length for _, length in own.axes)):
        part = slice(offset, offset + length)
        found[part] = within[part] & bool(np.max(own.high[part], initial=0.0, where=within[part]) >= CONFIDENT)
        offset += length
    return found


def bulk_limit(tensors: Sequence[Array]) -> float:
    """Return the magnitude that usual elements stay below, if others are far beyond it: masks of -1e9.

    Beside such elements no error of the usual ones shows, so they are measured without these, too. Infinite: none are,
    or there is no gap between both.
    """
    step = max(1, sum(each.size for each in tensors) // SOME)
    some = [np.abs(each.ravel()[::step].astype(np.float64)) for each in tensors if each.size]
    values: Numbers = np.concatenate(some) if some else np.zeros(0)
    values = np.sort(values[np.isfinite(values) & (values > 0)])
    upper = values[int(values.size * BULK) :]
    if upper.size < 2 or upper[-1] < OUTLYING * upper[0]:  # noqa: PLR2004  # a gap has two sides
        return math.inf
    gaps = upper[1:] / upper[:-1]
    widest = int(np.argmax(gaps))
    return float(np.sqrt(upper[widest]) * np.sqrt(upper[widest + 1])) if gaps[widest] >= GAP else math.inf
