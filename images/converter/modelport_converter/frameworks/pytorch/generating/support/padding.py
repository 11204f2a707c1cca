"""Padding by something else than a constant, and what pooling needs of it."""

import torch
from torch import Tensor
from torch.nn import functional as F


def pad_axis(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    """Pad one axis by its own elements: mirrored (reflect), the outermost ones (edge), or from the other end (wrap)."""
    length = x.shape[axis]
    index = torch.arange(-before, length + after, device=x.device)
    if mode == "edge":
        index = index.clamp(0, length - 1)
    elif mode == "wrap":
        index = torch.remainder(index, length)
    else:
        index = (length - 1) - ((length - 1) - index.abs()).abs()
    return x.index_select(axis, index)


def average_pool(x: Tensor, kernel: list[int], strides: list[int], pads: list[int], dilations: list[int]) -> Tensor:
    """Return means over windows of what is not padding; `pads` as torch.nn.functional.pad has them."""
    channels = x.shape[1]
    window = torch.ones([1, 1] + kernel, dtype=x.dtype)
    inside = F.pad(torch.ones_like(x[:1, :1]), pads)
    padded = F.pad(x, pads).flatten(0, 1).unsqueeze(1)
    if len(kernel) == 1:
        total = F.conv1d(padded, window, stride=strides, dilation=dilations)
        count = F.conv1d(inside, window, stride=strides, dilation=dilations)
    elif len(kernel) == 2:
        total = F.conv2d(padded, window, stride=strides, dilation=dilations)
        count = F.conv2d(inside, window, stride=strides, dilation=dilations)
    else:
        total = F.conv3d(padded, window, stride=strides, dilation=dilations)
        count = F.conv3d(inside, window, stride=strides, dilation=dilations)
    return (total / count).squeeze(1).unflatten(0, [-1, channels])
