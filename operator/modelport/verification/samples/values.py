"""The tensors of a sample: the same numbers give the same ones, on every machine."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from modelport.api.spec import Input
from modelport.verification.arrays import Array, Tensors
from modelport.verification.samples.columns import Column
from modelport.verification.samples.domains import MASK, Domain

SEED = 20_240_229
WIDE = 1 << 29
"""An integer that goes beyond this in the model's eyes is a number to compute with, no index."""
MAGNITUDES = (1, 9, 5_000)
"""Of integers that are computed with: 0 and 1 alone prove nothing, nor do large ones; float16 holds none above 2,048."""
SMALL_TABLE = 1 << 16
MISSING_SHARE = 0.125
_WAVES = 3


def make_tensors(
    inputs: Sequence[Input],
    domains: Mapping[str, Domain],
    lengths: Mapping[str, int],
    number: int,
    mask: int | None = 0,
) -> Tensors:
    """Return one call's inputs; `number` is the seed and varies the kind of values, `mask` the way of masking.

    Without a way, what may be a mask is not, and what is one shows everything.
    """
    return {
        each.name: _make(domains[each.name], each, lengths, (SEED, number, position), mask)
        for position, each in enumerate(inputs)
    }


def shape_of(each: Input, lengths: Mapping[str, int]) -> list[int]:
    """Return the shape of an input where free dimensions have these lengths."""
    return [lengths[length] if isinstance(length, str) else length for length in each.shape]


def dtype_of(name: str) -> np.dtype[Any]:
    """Return numpy's type of an element type of ours."""
    kind: Any = "O" if name == "string" else name
    if name == "bfloat16":
        import ml_dtypes

        kind = ml_dtypes.bfloat16
    found: np.dtype[Any] = np.dtype(kind)
    return found


def ends_of(columns: Sequence[Column]) -> tuple[Array, Array]:
    """Return the lowest and the highest number of each column; NaN: without a limit."""
    lowest, highest = (
        np.array([np.nan if end is None else end for end in ends], np.float64)
        for ends in zip(*((each.lowest, each.highest) for each in columns), strict=True)
    )
    return lowest, highest


def _make(
    domain: Domain, each: Input, lengths: Mapping[str, int], seed: tuple[int, int, int], mask: int | None
) -> Array:
    shape, dtype = shape_of(each, lengths), dtype_of(each.dtype)
    random, number = np.random.default_rng(seed), seed[1]
    if domain.kind == "state":
        return np.zeros(shape, dtype)
    if domain.kind == "text":
        return np.array(domain.strings, object)[random.integers(len(domain.strings), size=shape)].reshape(shape)
    if domain.kind == MASK or (domain.mask is not None and mask is not None):
        shown, hidden = domain.mask or (1, 0)
        return np.where(MASKINGS[mask or 0](shape, random), shown, hidden).astype(dtype)
    if domain.kind == "real":
        values = _real_values(shape, random, domain, is_smooth=bool(number % 2)).astype(dtype)
        return _with_special(values, random, domain) if shape else values
    return _whole_values(domain, shape, lengths, random, number).astype(dtype)


def _whole_values(
    domain: Domain, shape: list[int], lengths: Mapping[str, int], random: np.random.Generator, number: int
) -> Array:
    if domain.columns:
        own = domain.apart()
        return np.stack([_whole_values(each, shape[:-1], lengths, random, number) for each in own], axis=-1)
    if domain.categories:
        return np.asarray(random.choice(domain.categories, size=shape))
    bounds = domain.bounds(lengths)
    if bounds[1] >= WIDE and not domain.is_stated:
        bounds = _small(bounds, number)
    return _integers(bounds, shape, random, number, is_wrapping=domain.is_wrapping)


def _real_values(shape: list[int], random: np.random.Generator, domain: Domain, *, is_smooth: bool) -> Array:
    smooth = _waves(shape, random) if is_smooth and len(shape) > 2 else None  # noqa: PLR2004  # an image or a series
    columns = domain.by_column(shape)
    lowest, highest = ends_of(columns)
    is_free = np.isnan(lowest)
    values = np.zeros(shape)
    if is_free.any():
        noise = random.standard_normal(shape)
        values = np.asarray(noise if smooth is None else 2.4 * smooth + 0.1 * noise)
    if not is_free.all():
        share = random.random(shape) if smooth is None else 0.475 * (smooth + 1) + 0.05 * random.random(shape)
        half = highest / 2 - lowest / 2  # all of it may be more than float64 holds
        values = np.where(is_free, values, lowest + half * share + half * share).reshape(shape)
    coded: dict[tuple[float, ...], list[int]] = {}
    for index, column in enumerate(columns):
        if column.categories:
            coded.setdefault(column.categories, []).append(index)
    for categories, indices in coded.items():
        part = (..., indices if len(columns) > 1 else slice(None)) if shape else ...
        values[part] = random.choice(categories, size=values[part].shape)
    return values


def _with_special(values: Array, random: np.random.Generator, domain: Domain) -> Array:
    """Put half of each column at one of its thresholds, or one unit in the last place beside it, and omit some."""
    for index, column in enumerate(domain.by_column(values.shape) if domain.columns else ()):
        if not (column.thresholds or column.missing):
            continue
        with np.errstate(over="ignore"):  # of numbers beyond the type
            at, missing = np.array(column.thresholds, values.dtype), np.array(column.missing, values.dtype)
        at = at[np.isfinite(at)]
        near = np.concatenate([at, *(np.nextafter(at, at.dtype.type(end)) for end in (-np.inf, np.inf))])
        if column.is_stated and column.lowest is not None and column.highest is not None:
            near = near[(near >= column.lowest) & (near <= column.highest)] if not column.categories else near[:0]
        for special, share in ((near, 0.5), (missing, MISSING_SHARE)):
            if special.size:
                is_special = random.random(values.shape[:-1]) < share
                values[is_special, index] = random.choice(special, size=int(is_special.sum()))
    return values


def _waves(shape: list[int], random: np.random.Generator) -> Array:
    """Return slow waves between -1 and 1 over the last two axes, other ones for each index of the axes before."""
    leading = (*shape[:-2], 1, 1)
    down, across = (
        np.linspace(0, 1, length).reshape(axes) for length, axes in zip(shape[-2:], ((-1, 1), (1, -1)), strict=True)
    )
    waves = [
        np.cos(
            2
            * np.pi
            * (random.uniform(0, 3, leading) * down + random.uniform(0, 3, leading) * across + random.random(leading))
        )
        for _ in range(_WAVES)
    ]
    total: Array = sum(waves, start=np.zeros(shape)) / _WAVES
    return total


def _small(bounds: tuple[int, int], number: int) -> tuple[int, int]:
    """Return bounds of numbers that are computed with, among those that the source accepts."""
    magnitude = MAGNITUDES[number % len(MAGNITUDES)]
    return max(bounds[0], -magnitude if number % len(MAGNITUDES) else 0), max(bounds[0], 0) + magnitude


def _integers(
    bounds: tuple[int, int], shape: list[int], random: np.random.Generator, number: int, *, is_wrapping: bool
) -> Array:
    lowest, highest = bounds
    if is_wrapping:
        lowest = 0
    size = int(np.prod(shape))
    count = highest - lowest + 1
    if not 1 < count <= SMALL_TABLE:
        dtype = np.int64 if highest <= np.iinfo(np.int64).max else np.uint64
        flat = random.integers(lowest, highest, size=size, endpoint=True, dtype=dtype)
    else:  # each value as often as any other, so that a table is read everywhere
        rounds = random.permuted(np.tile(np.arange(count), (size // count, 1)), axis=1)
        flat = lowest + np.append(rounds, random.choice(count, size % count, replace=False))
    if size > 1:
        flat[random.choice(size, 2, replace=False)] = (lowest, highest)
    elif size:
        flat[0] = (lowest, highest)[number % 2]
    return flat.reshape(shape)


def _all_shown(shape: list[int], random: np.random.Generator) -> Array:
    return np.ones(shape, np.int64) if shape else random.integers(0, 2, size=shape)


def _some_shown(shape: list[int], random: np.random.Generator) -> Array:
    values = np.asarray(random.integers(0, 2, size=shape))
    if values.ndim:
        values[..., :1] = 1  # a mask that hides everything is a question that nobody asks
    return values


def _tail_hidden(shape: list[int], random: np.random.Generator) -> Array:
    if not shape:
        return np.asarray(random.integers(0, 2))
    shown = random.integers(1, shape[-1], size=(*shape[:-1], 1), endpoint=True)
    return np.asarray(np.arange(shape[-1]) < shown).astype(np.int64)


def _row_hidden(shape: list[int], random: np.random.Generator) -> Array:
    values = _tail_hidden(shape, random)
    if values.ndim > 1:
        values[-1] = 0
    return values


def _nothing_shown(shape: list[int], _random: np.random.Generator) -> Array:
    return np.zeros(shape, np.int64)  # or everything, where 1 hides


MASKINGS: tuple[Callable[[list[int], np.random.Generator], Array], ...] = (
    _all_shown,
    _some_shown,
    _row_hidden,
    _tail_hidden,
    _nothing_shown,
)
USUAL_MASKINGS = 4
"""Of which each is asked first for some sample."""
