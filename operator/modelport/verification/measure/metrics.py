"""Metrics that users ask for where a limit of the error says little, as for int8."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modelport.verification.arrays import Array
from modelport.verification.measure.linear import Pair
from modelport.verification.measure.precision import is_float

CORNERS = 4


def metric(name: str, pairs: Sequence[Pair]) -> float:
    """Return `top1`, `cosine` or `iou` over pairs of tensors; NaN where the output has no such thing."""
    filled = [(one, other) for one, other in pairs if one.size]
    if not filled or not is_float(filled[0][0].dtype) or filled[0][0].ndim == 0:
        return math.nan
    lengths = {one.shape[-1] for one, _ in filled}
    rows = [(_rows(one), _rows(other)) for one, other in filled]
    if name == "iou":
        return min(float(overlap(one, other).min()) for one, other in rows) if lengths == {CORNERS} else math.nan
    if min(lengths) < 2:  # noqa: PLR2004  # one element has neither a rank nor a direction
        return math.nan
    if name == "top1":
        hits = [one.argmax(-1) == other.argmax(-1) for one, other in rows]
        return float(np.mean(np.concatenate(hits)))
    return min(float(_cosine(one, other).min()) for one, other in rows) if name == "cosine" else math.nan


def overlap(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return intersection over union of boxes (x1, y1, x2, y2) along the last axis; 1 for equal ones, even if empty."""
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    union = _area(one) + _area(other) - shared
    ratio = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    result: npt.NDArray[np.float64] = np.where(np.all(one == other, axis=-1), 1.0, ratio)
    return result


def _area(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    area: npt.NDArray[np.float64] = np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0), axis=-1)
    return area


def _rows(array: Array) -> npt.NDArray[np.float64]:
    return array.astype(np.float64).reshape(-1, array.shape[-1])


def _cosine(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    products = np.sum(one * other, axis=-1)
    cosine = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    result: npt.NDArray[np.float64] = np.where(np.all(one == other, axis=-1), 1.0, cosine)
    return result
