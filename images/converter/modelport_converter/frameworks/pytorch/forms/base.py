"""What every form becomes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import torch

from modelport.api.spec import DimensionRange, Input

Captured: TypeAlias = torch.nn.Module | torch.export.ExportedProgram


class Loaded(NamedTuple):
    """A model with its weights, whose inputs are positional arguments."""

    model: torch.nn.Module
    inputs: Sequence[Input]
    """The user's, or what the form tells."""
    dimensions: Mapping[str, DimensionRange] = {}
    """Limits of free dimensions that the form tells."""
    captured: Captured | None = None
    """What the graph is captured from, where that is not the model itself."""
    is_traceable: bool = True
    """Whether a trace can keep lengths free."""
