"""Reductions over axes; none stated are all."""

import torch
from torch import Tensor


def all_axes(x: Tensor, axes: list[int]) -> list[int]:
    """Return the axes, or all of them, none negative, the last one first."""
    found = [axis % x.dim() for axis in axes] if len(axes) > 0 else list(range(x.dim()))
    return sorted(found)[::-1]


def reduce_sum(x: Tensor, axes: list[int], keepdim: bool) -> Tensor:
    """Return sums in the type of x."""
    if x.dim() == 0:
        return x
    return torch.sum(x, all_axes(x, axes), keepdim, dtype=x.dtype)


def reduce_mean(x: Tensor, axes: list[int], keepdim: bool) -> Tensor:
    """Return means in the type of x."""
    if x.dim() == 0:
        return x
    if x.is_floating_point():
        return torch.mean(x, all_axes(x, axes), keepdim)
    count = torch.ones_like(x).sum(all_axes(x, axes), keepdim)
    return torch.div(reduce_sum(x, axes, keepdim), count, rounding_mode="trunc").to(x.dtype)


def reduce_max(x: Tensor, axes: list[int], keepdim: bool) -> Tensor:
    """Return maxima."""
    if x.dim() == 0:
        return x
    return torch.amax(x, all_axes(x, axes), keepdim)


def reduce_min(x: Tensor, axes: list[int], keepdim: bool) -> Tensor:
    """Return minima."""
    if x.dim() == 0:
        return x
    return torch.amin(x, all_axes(x, axes), keepdim)


def reduce_prod(x: Tensor, axes: list[int], keepdim: bool) -> Tensor:
    """Return products in the type of x."""
    if x.dim() == 0:
        return x
    result = x
    for axis in all_axes(x, axes):
        result = torch.prod(result, axis, keepdim, dtype=x.dtype)
    return result


def reduce_log_sum_exp(x: Tensor, axes: list[int], keepdim: bool) -> Tensor:
    """Return logarithms of sums of exponentials."""
    if x.dim() == 0:
        return x
    return torch.logsumexp(x, all_axes(x, axes), keepdim)


def arg_max(x: Tensor, axis: int, keepdim: bool, last: bool) -> Tensor:
    """Return the index of the maximum, the first or the last one."""
    if last:
        return x.shape[axis] - 1 - torch.argmax(torch.flip(x, [axis]), axis, keepdim)
    return torch.argmax(x, axis, keepdim)


def top_k(x: Tensor, k: int, axis: int, largest: bool) -> tuple[Tensor, Tensor]:
    """Return the k largest or smallest, sorted; of equal ones the first."""
    values, indices = torch.sort(x, dim=axis, descending=largest, stable=True)
    return values.narrow(axis, 0, k), indices.narrow(axis, 0, k)


def cumulative_sum(x: Tensor, axis: int, exclusive: bool, reverse: bool) -> Tensor:
    """Return running sums in the type of x."""
    turned = torch.flip(x, [axis]) if reverse else x
    total = torch.cumsum(turned, axis, dtype=x.dtype)
    if exclusive:
        nothing = torch.zeros_like(total.narrow(axis, 0, 1))
        total = torch.cat([nothing, total.narrow(axis, 0, total.shape[axis] - 1)], axis)
    return torch.flip(total, [axis]) if reverse else total


def hard_max(x: Tensor, axis: int) -> Tensor:
    """Return 1 at the first maximum and 0 elsewhere."""
    first = torch.argmax(x, axis, True)
    return torch.zeros_like(x).scatter(axis, first, 1.0)
