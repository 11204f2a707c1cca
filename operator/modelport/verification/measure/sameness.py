"""Whether two answers of the source are the same but for noise."""

from collections.abc import Sequence

import numpy as np

from modelport.api.base import Dtype
from modelport.verification.arrays import Array
from modelport.verification.reference import Answers

DIFFERENT = 1e-4
"""Relative RMS between two runs, or two builds, that threads alone do not explain."""
EPSILONS = 8
"""The same in units of the source's precision, where that is coarser."""


def noise_of(precision: Dtype) -> float:
    """Return the relative RMS that rounding to this type explains at most."""
    epsilon = 2.0**-7 if precision == "bfloat16" else float(np.finfo(precision).eps)
    return EPSILONS * epsilon


def is_other(one: Array, other: Array, limit: float, share: float = 0.0) -> bool:
    """Return whether two answers differ by more than noise.

    `limit` is for the relative RMS of what is finite in both, `share` for labels that may differ.
    """
    return distance(one, other) > (share if one.dtype.kind in "biuO" else limit)


def distance(one: Array, other: Array) -> float:
    """Return the relative RMS between two answers, of labels the share that differs; infinite where nothing compares."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return np.inf
    if not one.size:
        return 0.0
    if one.dtype.kind in "biuO":
        return float(np.mean(one != other))
    wide, wide_other = one.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(wide)
    if not np.array_equal(wide[~finite], wide_other[~finite], equal_nan=True) or np.any(
        ~np.isfinite(wide_other[finite])
    ):
        return np.inf
    scale = float(np.sqrt(np.sum(wide[finite] ** 2)))
    error = float(np.sqrt(np.sum((wide_other[finite] - wide[finite]) ** 2)))
    return error / scale if error and scale else np.inf if error else 0.0


def find_difference(ones: Sequence[Answers], others: Sequence[Answers], precision: Dtype) -> str | None:
    """Return the first output that differs in one of the pairs of answers; the longer sequence may have more."""
    limit = max(DIFFERENT, noise_of(precision))
    return next(
        (
            name
            for one, other in zip(ones, others, strict=False)
            for outputs, other_outputs in zip(one, other, strict=True)
            for name, array in outputs.items()
            if name not in other_outputs or is_other(array, other_outputs[name], limit)
        ),
        None,
    )
