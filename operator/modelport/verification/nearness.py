"""Whether answers are near the source's: a quick look that chooses between ways to load a model, and judges nothing."""

from collections.abc import Sequence

import numpy as np

from modelport.verification.arrays import Array
from modelport.verification.reference import Answers

LIMIT = 1e-5
"""Relative RMS. A graph that an optimiser breaks is off by far more, one whose quantised numbers it rounds otherwise by
little more; a limit that is too small costs a few more tries."""


def is_near(samples: Sequence[tuple[Answers, Answers]]) -> bool:
    """Return whether all pairs, of the source's and the candidate's answers to one sample, are near each other."""
    for source, candidate in samples:
        for expected, found in zip(source, candidate, strict=True):
            if list(expected) != list(found):
                return False
            if not all(_is_near(array, found[name]) for name, array in expected.items()):
                return False
    return True


def _is_near(expected: Array, found: Array) -> bool:
    if (expected.shape, expected.dtype) != (found.shape, found.dtype):
        return False
    if expected.dtype.kind in "biuOU":
        return bool(np.array_equal(expected, found))
    a, b = expected.astype(np.float64), found.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)):
        return False
    difference = np.linalg.norm(a[finite] - b[finite])
    return bool(difference <= LIMIT * np.linalg.norm(a[finite]))
