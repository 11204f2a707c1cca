"""Lengths as tensors, and tensors as lengths."""

import torch
from torch import Tensor


def join_lengths(lengths: list[int]) -> Tensor:
    """Return lengths, which may be free, as a tensor."""
    return torch.stack([torch.scalar_tensor(length, dtype=torch.int64) for length in lengths])


def to_lengths(values: Tensor) -> list[int]:
    """Return the numbers in a tensor; torch.export cannot follow that."""
    lengths: list[int] = values.reshape([-1]).to(torch.int64).tolist()
    return lengths


def round_number(number: float) -> float:
    """Return a number as float32 has it; torch.export cannot follow that."""
    return float(torch.scalar_tensor(number, dtype=torch.float32))


def divide_lengths(one: int, other: int) -> int:
    """Return a number divided by a positive one, rounded towards zero, without a look at its sign."""
    size = abs(one)
    return (size + one) // 2 // other - (size - one) // 2 // other


def reshape_zeros(x: Tensor, lengths: list[int]) -> Tensor:
    """Reshape, where a length of 0 is that of x on this axis."""
    found: list[int] = []
    for axis in range(len(lengths)):
        if lengths[axis] == 0:
            found.append(x.shape[axis])
        else:
            found.append(lengths[axis])
    return x.reshape(found)


def expand_to(x: Tensor, lengths: list[int]) -> Tensor:
    """Broadcast x with a tensor of these lengths."""
    return x.expand(torch.broadcast_shapes(x.shape, lengths))
