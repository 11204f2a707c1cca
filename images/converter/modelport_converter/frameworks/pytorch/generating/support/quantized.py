"""Quantized numbers (ONNX: QuantizeLinear and what computes with its integers)."""

import torch
from torch import Tensor


def along(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """Return values of an axis of x in a shape that is broadcast to x; a single one as it is."""
    if values.dim() == 0 or values.numel() == 1:
        return values.reshape([])
    shape = [1] * x.dim()
    shape[axis] = -1
    return values.reshape(shape)


def dequantize(x: Tensor, scale: Tensor, zero: Tensor | None, axis: int) -> Tensor:
    """Return the numbers that integers stand for."""
    moved = x.to(torch.int32)
    if zero is not None:
        moved = moved - along(zero.to(torch.int32), x, axis)
    return moved.to(scale.dtype) * along(scale, x, axis)


def quantize(x: Tensor, scale: Tensor, zero: Tensor, axis: int) -> Tensor:
    """Return the integers of the type of `zero` that stand for numbers; those beyond its range are its ends."""
    low, high = (0, 255) if zero.dtype == torch.uint8 else (-128, 127)
    if zero.dtype == torch.int16:
        low, high = -32768, 32767
    # beyond these numbers all is beyond the range, and an integer of 32 bits would turn over
    places = torch.round(x / along(scale, x, axis)).clamp(-131072.0, 131072.0).to(torch.int32)
    return (places + along(zero.to(torch.int32), x, axis)).clamp(low, high).to(zero.dtype)


def quantize_dynamically(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return numbers as bytes, and the scale and the place of zero that their own range asks for."""
    low, high = x.min().clamp(max=0.0), x.max().clamp(min=0.0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)  # of nothing but zeros
    zero = torch.round(-low / scale).clamp(0, 255).to(torch.uint8)
    return quantize(x, scale, zero, 0), scale, zero


def centred(x: Tensor, zero: Tensor | None, axis: int) -> Tensor:
    """Return integers without their place of zero, in a type that holds all sums of their products."""
    if zero is None:
        return x.to(torch.float64)
    return x.to(torch.float64) - along(zero.to(torch.float64), x, axis)


def requantize(total: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """Return sums of products in the integers of the output."""
    low, high = (0, 255) if zero.dtype == torch.uint8 else (-128, 127)
    places = torch.round(total.to(torch.float32) * scale).clamp(-1024.0, 1024.0).to(torch.int32)
    return (places + zero.to(torch.int32)).clamp(low, high).to(zero.dtype)
