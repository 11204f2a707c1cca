"""TorchScript: a graph with control flow of its own, which no trace bakes in."""

from pathlib import Path

import torch

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.forms.base import Loaded
from modelport_converter.frameworks.pytorch.forms.interpreting import Interpreted
from modelport_converter.tasks import find_part, last_line


def load(request: ConvertRequest, folder: Path, code: Path, seed: int) -> Loaded:  # noqa: ARG001  # as all forms
    """Load the module. Raises ModelportError (SourceCorrupt)."""
    path = find_part(open_tree(folder), request.source_format)
    try:
        model = torch.jit.load(path, map_location="cpu")
    except Exception as error:  # what the reader meets in a damaged file has no common base
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected TorchScript that torch {torch.__version__} loads, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if not hasattr(model, "forward"):
        others = ", ".join(model._c._method_names()) or "none"  # noqa: SLF001  # nothing else tells
        message = f"{path.name}: expected a module with the method forward, found: {others:.160}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
    settle(model)
    return Loaded(model, request.inputs, captured=Interpreted(model))
