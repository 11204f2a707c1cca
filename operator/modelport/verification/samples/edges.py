"""Values that usual samples never have: ties, zeros, the ends of a range, large ones, NaN and infinities.

Each kind is a sample of its own, so that one that the source refuses does not lose the others.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from modelport.api.spec import Input
from modelport.verification.arrays import Array, Tensors
from modelport.verification.samples.columns import Column, limits_of
from modelport.verification.samples.domains import Domain
from modelport.verification.samples.values import dtype_of, ends_of, make_tensors, shape_of

Change = Callable[[Array, np.random.Generator], Array]
"""Changes usual numbers of one input, in float64, into those of the kind."""

RARE = 90_000
"""Seed of edges: numbers that no usual sample has."""
LARGE_INTEGER = 1 << 20
"""The end of what has no end."""
END_SHARE = 0.88
"""Of the largest number of a type, such as 3e38 of float32: sums of two are beyond."""
_SIGNS = ((1.0,), (-1.0,), (1.0, -1.0))
"""Of the numbers near the end of their type in one question."""
_LEVELS = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
_LARGE = np.array([100.0, -100.0, 1e4, -1e4, 88.7, -104.0, 20.5])
_TINY = np.array([1e-30, -1e-30, 1e-8, -1e-4, 0.0])


def make_edges(inputs: Sequence[Input], domains: Mapping[str, Domain], lengths: Mapping[str, int]) -> list[Tensors]:
    """Return one question for each kind that applies to the inputs."""
    usual = make_tensors(inputs, domains, lengths, RARE, None)
    real = [each for each in inputs if domains[each.name].kind == "real"]
    free = [each for each in real if _is_open(each, domains[each.name], lengths)]
    whole = [each for each in inputs if domains[each.name].kind == "integer"]
    questions = [_changed(usual, real, domains, change) for change in (_ties, _equal, _ends) if real]
    questions += [_changed(usual, free, domains, change, beyond=True) for change in _FREE if free]
    for end in (0, 1):
        ends = {
            each.name: _end(domains[each.name], shape_of(each, lengths), lengths, end).astype(dtype_of(each.dtype))
            for each in whole
        }
        questions += [usual | ends] if ends else []
    return questions


def make_ends(inputs: Sequence[Input], domains: Mapping[str, Domain], lengths: Mapping[str, int]) -> list[Tensors]:
    """Return questions with numbers near the end of their type, for sources that answer these with numbers alone."""
    free = [each for each in inputs if _is_open(each, domains[each.name], lengths) and not domains[each.name].mask]
    usual = make_tensors(inputs, domains, lengths, RARE, None)
    return [
        usual | {each.name: _near_end(each, usual[each.name], domains[each.name], signs) for each in free}
        for signs in _SIGNS
        if free
    ]


def _near_end(each: Input, array: Array, domain: Domain, signs: Sequence[float]) -> Array:
    """Return the array with as many elements as `signs` near the ends of the type."""
    result = array.astype(np.float64)
    places = np.random.default_rng(RARE).permutation(array.size)[: len(signs)]
    end = END_SHARE * min(limits_of(each.dtype)[1], limits_of("float32")[1])  # float64 has room for squares of them
    result.flat[places] = end * np.array(signs[: places.size])
    return _beyond(array, result, domain)


def _is_open(each: Input, domain: Domain, lengths: Mapping[str, int]) -> bool:
    """Whether an input takes numbers beyond its range."""
    columns = domain.by_column(shape_of(each, lengths))
    return domain.kind == "real" and not all(column.is_stated for column in columns)


def _changed(
    usual: Tensors, changed: Sequence[Input], domains: Mapping[str, Domain], change: Change, *, beyond: bool = False
) -> Tensors:
    """Return the question with some inputs changed within their ranges, or `beyond` those that no user has stated."""
    random = np.random.default_rng(RARE)
    result = dict(usual)
    for each in changed:
        array = usual[each.name]
        with np.errstate(over="ignore", invalid="ignore"):  # of float16; of NaN
            moved = change(array.astype(np.float64), random)
            if beyond:
                result[each.name] = _beyond(array, moved, domains[each.name])
            else:
                result[each.name] = _within(moved, domains[each.name].by_column(array.shape)).astype(array.dtype)
    return result


def _beyond(array: Array, changed: Array, domain: Domain) -> Array:
    """Return the changed numbers, but for columns that the user has stated."""
    is_stated = np.array([column.is_stated for column in domain.by_column(array.shape)])
    return np.where(is_stated, array, changed.astype(array.dtype)).reshape(array.shape)


def _within(array: Array, columns: Sequence[Column]) -> Array:
    """Return numbers around 0 within the columns' own ranges, as if these were -1 to 1, or at the nearest category."""
    lowest, highest = ends_of(columns)
    scaled = lowest / 2 + highest / 2 + (highest / 2 - lowest / 2) * np.clip(array, -1, 1)
    result = np.where(np.isnan(lowest), array, np.clip(scaled, lowest, highest)).reshape(array.shape)
    for index, column in enumerate(columns):
        if column.categories:
            known = np.array(column.categories)
            part = result[..., index] if len(columns) > 1 else result
            part[...] = known[np.abs(part[..., None] - known).argmin(-1)]
    return result


def _end(domain: Domain, shape: list[int], lengths: Mapping[str, int], end: int) -> Array:
    if domain.columns:
        return np.stack([_end(each, shape[:-1], lengths, end) for each in domain.apart()], axis=-1)
    if domain.is_wrapping and end == 0:  # from -1 on: the lowest one means 0, as it does where it is cut off
        lowest = domain.bounds(lengths)[0]
        values = np.resize(np.arange(-1, lowest - 1, -1), shape)
        values.flat[-1:] = lowest
        return values
    value = domain.bounds(lengths)[end]
    return np.full(shape, value if domain.is_stated else int(np.clip(value, -LARGE_INTEGER, LARGE_INTEGER)))


def _ties(array: Array, random: np.random.Generator) -> Array:
    return np.asarray(random.choice(_LEVELS, size=array.shape))


def _equal(array: Array, _random: np.random.Generator) -> Array:
    """Rows of equal elements: zeros, negative zeros, ones, and zeros of both signs."""
    rows = array.reshape(array.shape[0], -1) if array.ndim > 1 else array.reshape(1, -1)
    result = np.zeros_like(rows)
    result[1::4] = -0.0
    result[2::4] = 1.0
    result[3::4, ::2] = -0.0
    return np.asarray(result.reshape(array.shape))


def _ends(array: Array, _random: np.random.Generator) -> Array:
    return np.where(np.arange(array.size).reshape(array.shape) % 2, 1.0, -1.0)


def _zeros(array: Array, random: np.random.Generator) -> Array:
    return np.where(random.random(array.shape) < 0.5, array, random.choice([0.0, -0.0], size=array.shape))  # noqa: PLR2004  # half


def _chosen(values: Array) -> Change:
    def change(array: Array, random: np.random.Generator) -> Array:
        return np.where(random.random(array.shape) < 0.5, array, random.choice(values, size=array.shape))  # noqa: PLR2004  # half

    return change


def _scaled(factor: float) -> Change:
    def change(array: Array, _random: np.random.Generator) -> Array:
        return array * factor

    return change


def _with(*values: float) -> Change:
    """Put each value in turn into one element of each row but the first, and all of them into the last row.

    One row stays usual: a source that gives no number for the others gives one at least, so the question is kept.
    """

    def change(array: Array, random: np.random.Generator) -> Array:
        rows = array.copy().reshape(array.shape[0], -1) if array.ndim > 1 else array.copy().reshape(1, -1)
        for number, row in enumerate(rows[1:] if len(rows) > 1 else rows):
            row[random.integers(row.size)] = values[number % len(values)]
        if len(rows) > 1:
            rows[-1] = np.resize(values, rows.shape[1])
        return np.asarray(rows.reshape(array.shape))

    return change


_FREE: tuple[Change, ...] = (
    _zeros,
    _with(np.nan),
    _with(np.inf, -np.inf),
    _scaled(8),
    _scaled(200),
    _chosen(_LARGE),
    _chosen(_TINY),
)
"""The most telling ones first: a slow source is not asked all."""
