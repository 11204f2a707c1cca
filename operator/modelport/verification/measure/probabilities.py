"""Probabilities in log space, from their values alone: where an error of the model is linear and nothing saturates.

A softmax is compared as log p modulo a shift of each row, so that an additive mask (p = 0 in both) and a subtracted
maximum are no special cases; a sigmoid as log-odds where these mean something. The rounding of p is no error of the
model's, and elements whose rounding is coarse weigh little.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from modelport.verification.arrays import Array
from modelport.verification.measure.linear import Pair
from modelport.verification.measure.precision import SINGLE, Precision

SMALLEST = 1e-30
"""Probabilities below are as good as zero: some processors flush what is smaller, and a mask gives no other."""
MIN_ODDS = 1e-4
"""Log-odds of probabilities that are nearer to 0 or 1 are rounding alone."""
ROUNDING = 4.0
"""Rounding units that p may be off."""
COARSE = 16.0
"""Rounding units at which an element counts half."""
MIN_SHARE, MIN_COUNT = 0.01, 64.0
"""Elements, by weight, that must be left to compare, as a share or as a number; else the output is saturated."""
SUM_ERROR = 1e-4

Numbers = npt.NDArray[np.float64]


class Space(NamedTuple):
    """How an output is taken to log space."""

    kind: Literal["Softmax", "Sigmoid"]
    axis: int
    """Of the classes; of no meaning for a sigmoid."""


class LogError(NamedTuple):
    """Error in log space, pooled over pairs."""

    relative: float
    """RMS in units of the RMS of the (centred) logits; NaN if nothing is left to compare."""
    weight: float
    """Number of the elements that counted, by weight."""
    size: int
    """Number of all."""

    @property
    def is_saturated(self) -> bool:
        """Whether too little is left to compare."""
        return self.weight < min(MIN_COUNT, MIN_SHARE * self.size) or not self.size


def find_space(tensors: Sequence[Array], precision: Precision) -> Space | None:
    """Return how to compare an output of these answers in log space, or None if it is no probability."""
    filled = [each.astype(np.float64) for each in tensors if each.size]
    if not filled or not all(
        np.isfinite(each).all() and each.min() >= 0 and each.max() <= 1 + _slack(precision) for each in filled
    ):
        return None
    for axis in reversed(range(filled[0].ndim)):
        if all(each.shape[axis] > 1 and _sums_to_one(each, axis, precision) for each in filled):
            return Space("Softmax", axis)
    if all(np.isin(each, (0.0, 1.0)).all() for each in filled) or any(each.max() > 1 for each in filled):
        return None
    return Space("Sigmoid", 0)


def log_error(pairs: Iterable[Pair], space: Space, precision: Precision) -> LogError:
    """Return the error of probabilities, pooled over pairs of finite tensors of equal shapes."""
    errors = squares = weight = 0.0
    size = 0
    transform = _log_softmax if space.kind == "Softmax" else _log_odds
    for reference, other in pairs:
        one, two = reference.astype(np.float64), np.nan_to_num(other.astype(np.float64), nan=0.0)
        logits, delta, noise, weights = transform(one, two, space.axis, precision)
        beyond = np.maximum(np.abs(delta) - noise, 0)
        errors += float(np.sum(weights * beyond * beyond))
        squares += float(np.sum(weights * logits * logits))
        weight += float(np.sum(weights))
        size += one.size
    relative = math.sqrt(errors / squares) if squares > 0 else math.nan
    return LogError(relative, weight, size)


def _slack(precision: Precision) -> float:
    return 2 * precision.unit


def _sums_to_one(values: Numbers, axis: int, precision: Precision) -> bool:
    allowed = max(SUM_ERROR, precision.unit * math.sqrt(values.shape[axis]) * ROUNDING)
    return bool(np.all(np.abs(values.sum(axis) - 1) <= allowed))


def _log_softmax(one: Numbers, two: Numbers, axis: int, precision: Precision) -> tuple[Numbers, ...]:
    least = SMALLEST if precision is SINGLE else precision.unit**2 * COARSE
    kept = (one > least) | (two > least)
    logits, found = np.log(np.maximum(one, least)), np.log(np.maximum(two, least))
    noise = ROUNDING * precision.unit * np.ones_like(one)
    if precision is not SINGLE:
        noise += precision.unit**2 / np.maximum(one, least)  # numbers below the normal ones have fewer digits
    weights = np.where(kept, _weigh(noise, precision), 0.0)
    return _centred(logits, weights, axis), _centred(found - logits, weights, axis), noise, weights


def _centred(values: Numbers, weights: Numbers, axis: int) -> Numbers:
    total = weights.sum(axis, keepdims=True)
    mean: Numbers = (values * weights).sum(axis, keepdims=True) / np.where(total > 0, total, 1.0)
    return values - mean


def _log_odds(one: Numbers, two: Numbers, _axis: int, precision: Precision) -> tuple[Numbers, ...]:
    least = max(MIN_ODDS, COARSE * precision.unit)
    kept = (one > least) & (1 - one > least)
    p, q = (np.clip(each, least / 2, 1 - least / 2) for each in (one, two))
    logits, found = np.log(p) - np.log1p(-p), np.log(q) - np.log1p(-q)
    noise = ROUNDING * precision.unit * (1 / p + 1 / (1 - p))
    return logits, found - logits, noise, np.where(kept, _weigh(noise, precision), 0.0)


def _weigh(noise: Numbers, precision: Precision) -> Numbers:
    weights: Numbers = 1 / (1 + (noise / (COARSE * precision.unit)) ** 2)
    return weights
