"""Resizing, one axis after the other, as ONNX defines its coordinates (Resize, operator set 19)."""

import torch
from torch import Tensor


def coordinates(length: int, wanted: int, scale: float, transform: str) -> Tensor:
    """Return where the new elements lie among the old ones, float32."""
    place = torch.arange(wanted, dtype=torch.float32)
    if transform == "asymmetric":
        return place / scale
    if transform == "align_corners":
        return place * (length - 1) / max(wanted - 1, 1)
    if transform == "half_pixel_symmetric":
        offset = length / 2 * (1 - wanted / (torch.scalar_tensor(scale, dtype=torch.float32) * length))
        return offset + (place + 0.5) / scale - 0.5
    if transform == "pytorch_half_pixel" and wanted == 1:
        return place * 0
    return (place + 0.5) / scale - 0.5


def resize_nearest(x: Tensor, axis: int, wanted: int, scale: float, transform: str, rounding: str) -> Tensor:
    """Resize an axis by its nearest elements."""
    place = coordinates(x.shape[axis], wanted, scale, transform)
    if rounding == "floor":
        nearest = place.floor()
    elif rounding == "ceil":
        nearest = place.ceil()
    else:  # what differs from a half by float32's rounding is one, as in ONNX Runtime
        low = place.floor()
        is_nearer = place - low >= 0.499999 if rounding == "round_prefer_ceil" else place - low > 0.500001
        nearest = low + is_nearer.to(place.dtype)
    return x.index_select(axis, nearest.to(torch.int64).clamp(0, x.shape[axis] - 1))


def resize_linear(x: Tensor, axis: int, wanted: int, scale: float, transform: str) -> Tensor:
    """Resize an axis between its two nearest elements."""
    last = x.shape[axis] - 1
    place = coordinates(x.shape[axis], wanted, scale, transform).clamp(0, last)
    low = place.floor()
    shape = [1] * x.dim()
    shape[axis] = wanted
    share = (place - low).reshape(shape).to(x.dtype)
    index = low.to(torch.int64)
    return x.index_select(axis, index) * (1 - share) + x.index_select(axis, (index + 1).clamp(0, last)) * share


def resize_cubic(
    x: Tensor, axis: int, wanted: int, scale: float, transform: str, coefficient: float, exclude: bool
) -> Tensor:
    """Resize an axis by four elements around each place; those outside repeat the outermost, or count for nothing."""
    length = x.shape[axis]
    place = coordinates(length, wanted, scale, transform)
    low = place.floor()
    shape = [1] * x.dim()
    shape[axis] = wanted
    total = torch.zeros_like(low)
    weights: list[Tensor] = []
    for step in range(-1, 3):
        distance = (place - low - step).abs()
        near = ((coefficient + 2) * distance - (coefficient + 3)) * distance * distance + 1
        far = ((coefficient * distance - 5 * coefficient) * distance + 8 * coefficient) * distance - 4 * coefficient
        weight = torch.where(distance <= 1, near, torch.where(distance < 2, far, torch.zeros_like(far)))
        if exclude:
            index = low + step
            weight = torch.where((index >= 0) & (index < length), weight, torch.zeros_like(weight))
        weights.append(weight)
        total = total + weight
    result = torch.zeros_like(x.index_select(axis, low.to(torch.int64).clamp(0, length - 1)))
    for step in range(-1, 3):
        weight = (weights[step + 1] / total if exclude else weights[step + 1]).reshape(shape).to(x.dtype)
        index = (low.to(torch.int64) + step).clamp(0, length - 1)
        result = result + x.index_select(axis, index) * weight
    return result
