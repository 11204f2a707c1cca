"""What every form becomes."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch

from modelport.api.spec import DimensionRange, Input

Capture = Callable[[tuple[torch.Tensor, ...]], torch.export.ExportedProgram]


class Loaded(NamedTuple):
    """A model with its weights, whose inputs are positional arguments."""

    model: torch.nn.Module
    inputs: Sequence[Input]
    """The user's, or what the form tells."""
    dimensions: Mapping[str, DimensionRange] = {}
    """Limits of free dimensions that the form tells."""
    capture: Capture | None = None
    """Returns the graph for example inputs, where it is not captured from Python."""
    is_traceable: bool = True
    """Whether a trace can keep lengths free."""
