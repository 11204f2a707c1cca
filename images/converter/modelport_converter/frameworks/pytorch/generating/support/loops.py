"""What loops collect."""

import torch
from torch import Tensor


def stack_turns(kept: list[Tensor], nothing: Tensor) -> Tensor:
    """Return what each turn gave, in a row; `nothing` where there was no turn."""
    if len(kept) == 0:
        return nothing
    return torch.stack(kept)
