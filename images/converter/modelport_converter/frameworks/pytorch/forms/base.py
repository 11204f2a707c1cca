"""What every form becomes."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from modelport.api.spec import Input

Program = Callable[[tuple[torch.Tensor, ...]], torch.export.ExportedProgram]


class Loaded(NamedTuple):
    """A model with its weights, whose inputs are positional arguments."""

    model: torch.nn.Module
    inputs: Sequence[Input]
    """The user's, or what the form tells."""
