"""Normalisation whose weights are no constants, or whose means and deviations somebody needs."""

import torch
from torch import Tensor


def layer_norm(
    x: Tensor, scale: Tensor, bias: Tensor | None, axis: int, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return x normalised over its axes from this one on, the means, and 1 / the deviations."""
    kept = x.dtype
    x = x.to(torch.float32) if kept != torch.float64 else x
    axes = list(range(axis if axis >= 0 else x.dim() + axis, x.dim()))
    mean = x.mean(axes, keepdim=True)
    deviation = 1 / torch.sqrt((x - mean).square().mean(axes, keepdim=True) + epsilon)
    normalised = ((x - mean) * deviation).to(kept) * scale
    answer = normalised if bias is None else normalised + bias
    return answer, mean.to(torch.float32), deviation.to(torch.float32)
