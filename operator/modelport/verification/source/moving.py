"""Numbers moved by one unit in the last place: a change that no model was trained to see, so that its effect is noise."""

from collections.abc import Collection, Sequence

import numpy as np

from modelport.verification.arrays import Array, Tensors
from modelport.verification.measure.precision import is_float

STEPS = 65_521
"""Drawn at random, and then over again: a prime, so that no row of a matrix moves as the one before."""
MATRIX = 2
"""Axes that weights have at least: a vector of numbers may be the scales of a resize, which lengths follow from."""


def move(array: Array, random: np.random.Generator) -> Array:
    """Return the array with each element one unit in the last place up or down; what holds no floats stays as it is."""
    if not is_float(array.dtype) or not array.any():
        return array
    bits = np.ascontiguousarray(array).view(f"i{array.itemsize}")
    # one unit in the last place is one of the bits, whatever the exponent
    steps = random.choice(np.array([-1, 1], bits.dtype), size=min(array.size, STEPS))
    moved = (bits + np.resize(steps, array.shape)).view(array.dtype).reshape(array.shape)
    # away from zero lies a denormal number, which some processors flush: no change of value, a large change of speed
    with np.errstate(invalid="ignore"):  # what follows infinity is no number
        kept = (array == 0) | ~np.isfinite(array) | ~np.isfinite(moved)
    return np.where(kept, array, moved)


def move_input(array: Array, random: np.random.Generator) -> Array:
    """Return an input moved, but for columns of whole numbers: they may be codes, or show and hide, and 2 is not nearly 1."""
    return np.where(_is_code(array), array, move(array, random)) if is_float(array.dtype) else array


def move_calls(
    calls: Sequence[Tensors], random: np.random.Generator, names: Collection[str] | None = None
) -> tuple[Tensors, ...]:
    """Return a question with these of its inputs moved, or all."""
    return tuple(
        {
            name: move_input(array, random) if names is None or name in names else array
            for name, array in tensors.items()
        }
        for tensors in calls
    )


def can_move(array: Array) -> bool:
    """Return whether `move_input` changes anything."""
    return is_float(array.dtype) and bool(((array != 0) & np.isfinite(array) & ~_is_code(array)).any())


def _is_code(array: Array) -> Array:
    """Return which indices of the last axis, such as columns, hold whole numbers alone."""
    size = np.abs(array)
    with np.errstate(invalid="ignore"):
        is_whole = (size == np.rint(size)) & (np.spacing(size) < 1)  # beyond, the type has whole numbers alone
    return np.asarray((is_whole | ~np.isfinite(size)).all(tuple(range(array.ndim - 1))))


def move_weights(array: Array, random: np.random.Generator) -> Array:
    """Return a stored tensor moved, if it is one of weights."""
    return move(array, random) if array.ndim >= MATRIX else array
