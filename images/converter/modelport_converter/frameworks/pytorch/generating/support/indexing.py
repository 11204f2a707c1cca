"""Gathering and scattering by indices that may be negative."""

import torch
from torch import Tensor


def wrap(indices: Tensor, length: int) -> Tensor:
    """Return indices from the beginning."""
    indices = indices.to(torch.int64)
    return torch.where(indices < 0, indices + length, indices)


def gather(x: Tensor, indices: Tensor, axis: int) -> Tensor:
    """Return the slices of x on an axis, in the shape of the indices."""
    index = wrap(indices, x.shape[axis])
    picked = x.index_select(axis, index.reshape([-1]))
    return picked.reshape(list(x.shape[:axis]) + list(indices.shape) + list(x.shape[axis + 1 :]))


def gather_elements(x: Tensor, indices: Tensor, axis: int) -> Tensor:
    """Return an element of x for each index."""
    return torch.gather(x, axis, wrap(indices, x.shape[axis]))


def flat_indices(indices: Tensor, lengths: list[int]) -> Tensor:
    """Return, of indices whose last axis addresses so many axes, the places in a row."""
    place = torch.zeros_like(indices.select(-1, 0), dtype=torch.int64)
    for axis in range(len(lengths)):
        place = place * lengths[axis] + wrap(indices.select(-1, axis), lengths[axis])
    return place.reshape([-1])


def gather_nd(x: Tensor, indices: Tensor, depth: int) -> Tensor:
    """Return the slices of x that indices address by its first `depth` axes."""
    place = flat_indices(indices, x.shape[:depth])
    picked = x.flatten(0, depth - 1).index_select(0, place)
    return picked.reshape(list(indices.shape[:-1]) + list(x.shape[depth:]))


def gather_nd_batched(x: Tensor, indices: Tensor, depth: int, batched: int) -> Tensor:
    """Return the same for each element of the first `batched` axes, which both have."""
    rows = x.flatten(0, batched - 1)
    asked = indices.flatten(0, batched - 1)
    row = torch.arange(rows.shape[0]).reshape([-1] + [1] * (asked.dim() - 1)).expand(list(asked.shape[:-1]) + [1])
    picked = gather_nd(rows, torch.cat([row, asked.to(torch.int64)], -1), depth + 1)
    return picked.reshape(list(indices.shape[:-1]) + list(x.shape[batched + depth :]))


def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, depth: int, how: str) -> Tensor:
    """Return x with slices set, or combined, where indices address its first `depth` axes."""
    place = flat_indices(indices, x.shape[:depth])
    rows = x.flatten(0, depth - 1)
    given = updates.reshape([-1] + list(rows.shape[1:]))
    if how == "none":
        return rows.index_copy(0, place, given).reshape(x.shape)
    if how == "add":
        return rows.index_add(0, place, given).reshape(x.shape)
    return rows.index_reduce(0, place, given, how).reshape(x.shape)


def scatter_elements(x: Tensor, indices: Tensor, updates: Tensor, axis: int, how: str) -> Tensor:
    """Return x with elements set, or combined."""
    place = wrap(indices, x.shape[axis])
    if how == "none":
        return x.scatter(axis, place, updates)
    if how == "add":
        return x.scatter_add(axis, place, updates)
    return x.scatter_reduce(axis, place, updates, how)


def slice_axis(x: Tensor, axis: int, start: int, end: int, step: int) -> Tensor:
    """Return a slice whose step may be negative, as Python has it."""
    length = x.shape[axis]
    start = start + length if start < 0 else start
    end = end + length if end < 0 else end
    if step > 0:
        start, end = min(max(start, 0), length), min(max(end, 0), length)
    else:
        start, end = min(max(start, 0), length - 1), min(max(end, -1), length - 1)
    count = max((end - start + step - (1 if step > 0 else -1)) // step, 0)
    return x.index_select(axis, start + step * torch.arange(count))


def one_hot(indices: Tensor, depth: int, values: Tensor, axis: int) -> Tensor:
    """Return the second of two values where the index is, and the first elsewhere."""
    index = wrap(indices, depth).unsqueeze(axis)
    shape = [1] * index.dim()
    shape[axis] = depth
    return torch.where(index == torch.arange(depth).reshape(shape), values[1], values[0])


def reverse_sequence(x: Tensor, lengths: Tensor, time_axis: int, batch_axis: int) -> Tensor:
    """Return x with the first steps of each sequence, as many as it has, reversed."""
    rows = x.transpose(0, time_axis) if batch_axis != 0 else x.transpose(1, time_axis).transpose(0, 1)
    steps = torch.arange(rows.shape[0]).unsqueeze(1)
    index = torch.where(steps < lengths.unsqueeze(0), lengths.unsqueeze(0) - 1 - steps, steps)
    index = index.reshape(list(index.shape) + [1] * (rows.dim() - 2)).expand(rows.shape)
    turned = torch.gather(rows, 0, index)
    return turned.transpose(0, time_axis) if batch_axis != 0 else turned.transpose(0, 1).transpose(1, time_axis)
