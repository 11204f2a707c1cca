"""Ask rows alone and in company: whether a server may join requests is proved here, or not at all.

Step try asks, step judge compares. Joined requests have equal lengths but for the number of rows, so rows are asked in
groups of equal other lengths. What the rows of another client hold is in no way bounded: zeros, large numbers, NaN.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from modelport.api.status import Signature
from modelport.errors import lacks_memory
from modelport.verification.answers import Company
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport.verification.reference import Reference

SIZES = (2, 3, 8, 9, 17, 33)
"""Rows of batches: models that split a batch, or ask for its size, do so at round numbers."""
FEW_SIZES = (3, 9)
"""For all but the smallest other lengths."""
USUAL_SIZE = 8
MOST_BYTES = 64 << 20
"""Largest inputs of a batch, unless three rows are larger: what a model makes of them takes many times that."""
MOST_ELEMENTS = 1 << 16
"""Elements of a row's output that are kept, evenly spaced."""
_ROWS, _GROUPS = 4, 3
_LARGE = 100
_SEED = 20_240_311


class _Batch(NamedTuple):
    """A question in company."""

    inputs: Tensors
    places: Array
    """Rows that are compared."""
    numbers: Array
    """Which of those that were asked alone they are."""


def joined_dimension(signature: Signature) -> str | None:
    """Return the free dimension that comes first in all inputs and outputs and nowhere else; None if there is none."""
    tensors = (*signature.inputs, *signature.outputs)
    first = {tensor.shape[0] if tensor.shape else None for tensor in tensors}
    name = first.pop() if len(first) == 1 else None
    if not isinstance(name, str) or any(name in tensor.shape[1:] for tensor in tensors):
        return None
    return name


def find_companies(infer: Infer, reference: Reference, signature: Signature) -> tuple[Company, ...]:
    """Return the answers to the same rows, each asked alone, and in batches of up to 33 rows.

    What comes in company is taken by position; all of it is kept where the number of rows is another than asked, nothing
    of it (an empty `together`) where the model fails on rows that it answers alone. Returns nothing where rows cannot be
    joined: no dimension counts them, or the model takes none alone.
    """
    if joined_dimension(signature) is None:
        return ()
    companies = []
    for number, pool in enumerate(_pools(reference)):
        own = _rows(pool, np.linspace(0, _count(pool) - 1, min(_ROWS, _count(pool)), dtype=int))
        alone = _ask_alone(infer, own)
        if alone is None:
            return ()
        random = np.random.default_rng([_SEED, number])
        for batch in _batches(own, pool, FEW_SIZES if number else SIZES, random):
            company = _ask(infer, batch, [alone[row] for row in batch.numbers])
            if company is not None:
                companies.append(company)
    return tuple(companies)


def _pools(reference: Reference) -> list[Tensors]:
    """Return the rows of the samples, those of equal other lengths together: of the smallest lengths."""
    groups: dict[tuple[tuple[int, ...], ...], list[Tensors]] = {}
    for sample in reference.usual:
        inputs = sample.inputs[0]
        if _count(inputs):
            groups.setdefault(tuple(array.shape[1:] for array in inputs.values()), []).append(inputs)
    pools = [{name: np.concatenate([each[name] for each in group]) for name in group[0]} for group in groups.values()]
    return sorted(pools, key=_row_bytes)[:_GROUPS]


def _batches(own: Tensors, pool: Tensors, sizes: Sequence[int], random: np.random.Generator) -> Iterator[_Batch]:
    sizes = [size for size in sizes if size <= FEW_SIZES[0] or size * _row_bytes(own) <= MOST_BYTES]
    for size in sizes:
        yield _amid(own, _others(pool, size, random), random)
    usual = _others(pool, min(USUAL_SIZE, sizes[-1]), random)
    yield _amid(
        own, {name: _filled(array, "" if array.dtype == object else 0) for name, array in usual.items()}, random
    )
    reals = {name: array for name, array in usual.items() if _is_real(array)}
    if reals:
        with np.errstate(over="ignore"):
            large = {name: (array * _LARGE).astype(array.dtype) for name, array in reals.items()}
        yield _amid(own, usual | large, random)
        yield _amid(own, usual | {name: _filled(array, np.nan) for name, array in reals.items()}, random)
    rows = np.arange(_count(own))
    for numbers in (random.permutation(rows), np.tile(rows, 2)):
        yield _Batch(_rows(own, numbers), np.arange(len(numbers)), numbers)


def _amid(own: Tensors, company: Tensors, random: np.random.Generator) -> _Batch:
    """Return company in which up to half of the rows are replaced by those that were asked alone."""
    size = _count(company)
    count = min(_count(own), size // 2)
    places, numbers = random.permutation(size)[:count], random.permutation(_count(own))[:count]
    inputs = {name: array.copy() for name, array in company.items()}
    for name, array in inputs.items():
        array[places] = own[name][numbers]
    return _Batch(inputs, places, numbers)


def _others(pool: Tensors, size: int, random: np.random.Generator) -> Tensors:
    """Return rows of the pool, and rows that are made of its values."""
    rows = random.integers(_count(pool), size=size)
    is_made = random.random(size) < 1 / 2
    company = _rows(pool, rows)
    for array, values in zip(company.values(), pool.values(), strict=True):
        if values.size:
            array[is_made] = values.reshape(-1)[random.integers(values.size, size=array[is_made].shape)]
    return company


def _ask_alone(infer: Infer, rows: Tensors) -> list[Tensors] | None:
    try:
        return [infer(_rows(rows, np.array([number]))) for number in range(_count(rows))]
    except Exception as error:  # runtimes' errors have no common base; each one is the answer no
        if lacks_memory(error):
            raise
        return None


def _ask(infer: Infer, batch: _Batch, alone: Sequence[Tensors]) -> Company | None:
    """Return the answers; None if the model takes the company not even without these rows."""
    size = _count(batch.inputs)
    try:
        outputs = infer(batch.inputs)
    except Exception as error:  # as above
        if lacks_memory(error):
            raise
        company = _rows(batch.inputs, np.setdiff1d(np.arange(size), batch.places))
        return Company(alone[0], {}) if _ask_alone(infer, company) is not None else None
    if not all(array.ndim and _have_one_shape([each[name] for each in alone]) for name, array in outputs.items()):
        return Company(alone[0], {})
    expected = {name: np.concatenate([each[name] for each in alone]) for name in outputs}
    together = {name: array[batch.places] if len(array) == size else array for name, array in outputs.items()}
    pairs = {name: _thinned(array, together[name]) for name, array in expected.items()}
    return Company(
        {name: first for name, (first, _) in pairs.items()}, {name: other for name, (_, other) in pairs.items()}
    )


def _have_one_shape(answers: Sequence[Array]) -> bool:
    """Say whether rows are answered as a batch can answer them."""
    return len({array.shape for array in answers}) == 1 and answers[0].ndim > 0


def _thinned(expected: Array, found: Array) -> tuple[Array, Array]:
    """Return both with as many elements as are kept; what has another shape differs anyway."""
    elements = expected[:1].size  # of one row; a row of strings may be a string
    if found.shape != expected.shape or elements <= MOST_ELEMENTS:
        return expected, found
    kept = np.linspace(0, elements - 1, MOST_ELEMENTS, dtype=int)
    return expected.reshape(len(expected), -1)[:, kept], found.reshape(len(found), -1)[:, kept]


def _filled(array: Array, value: object) -> Array:
    return np.full(array.shape, value, array.dtype)


def _is_real(array: Array) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def _rows(tensors: Tensors, numbers: Array) -> Tensors:
    return {name: array[numbers] for name, array in tensors.items()}


def _count(tensors: Tensors) -> int:
    return len(next(iter(tensors.values())))


def _row_bytes(tensors: Tensors) -> int:
    return sum(array.nbytes for array in tensors.values()) // max(1, _count(tensors))
