"""Arithmetic as ONNX has it."""

import torch
from torch import Tensor


def divide(x: Tensor, y: Tensor) -> Tensor:
    """Return x / y, of integers rounded towards zero."""
    if x.is_floating_point():
        return x / y
    return torch.div(x, y, rounding_mode="trunc")


def power(x: Tensor, y: Tensor) -> Tensor:
    """Return x to the power of y in the type of x."""
    return torch.pow(x, y).to(x.dtype)


def clip(x: Tensor, low: Tensor | None, high: Tensor | None) -> Tensor:
    """Return x within limits; the upper one holds where they contradict each other."""
    if low is not None:
        x = torch.maximum(x, low)
    if high is not None:
        x = torch.minimum(x, high)
    return x


def p_relu(x: Tensor, slope: Tensor) -> Tensor:
    """Return x, and where it is negative the product with a slope that is broadcast to it."""
    return torch.where(x < 0, slope * x, x)


def is_infinite(x: Tensor, negative: bool, positive: bool) -> Tensor:
    """Return where x is infinite with a sign that counts."""
    found = torch.zeros_like(x, dtype=torch.bool)
    if negative:
        found = found | (x == -float("inf"))
    if positive:
        found = found | (x == float("inf"))
    return found


def shrink(x: Tensor, bias: float, limit: float) -> Tensor:
    """Return x moved towards zero, and zero within the limit."""
    moved = torch.where(x > limit, x - bias, torch.zeros_like(x))
    return torch.where(x < -limit, x + bias, moved)


def shift(x: Tensor, y: Tensor, left: bool) -> Tensor:
    """Return bits shifted."""
    if left:
        return torch.bitwise_left_shift(x, y)
    return torch.bitwise_right_shift(x, y)
