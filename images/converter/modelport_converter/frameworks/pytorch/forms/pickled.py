"""Modules with their code: unpickling runs what the pickle says, so only a trusted one is opened."""

from pathlib import Path

import torch

from modelport.api.reasons import Reason
from modelport.asking.pytorch.modules import CODE, open_module
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport_converter.code.loading import stand_in, tell, without_failing_packages
from modelport_converter.frameworks.pytorch.building.loading import draw_from
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.forms.base import Loaded
from modelport_converter.tasks import find_part, last_line


def load(request: ConvertRequest, folder: Path, code: Path, seed: int) -> Loaded:  # noqa: ARG001  # as all forms
    """Unpickle the module. Raises ModelportError: UntrustedSource, FactoryFailed, SourceCorrupt."""
    path = find_part(open_tree(folder), request.source_format)
    if not request.trusted:  # no such Job is planned
        raise ModelportError(Reason.UNTRUSTED_SOURCE, f"{path.name}: opening it runs code that comes with it")
    draw_from(seed)
    if path.name == CODE:
        return Loaded(_run_code(path), request.inputs)
    stand_in(request.code)
    try:
        content = without_failing_packages(lambda: torch.load(path, map_location="cpu", weights_only=False))
    except (ImportError, AttributeError) as error:
        message = (
            f"{path.name}: its class is not there: {tell(error):.300}; give the code that defines it as source.code"
        )
        raise ModelportError(Reason.FACTORY_FAILED, message) from error
    except Exception as error:  # whatever its code raises
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a module that was saved whole, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    key = (request.checkpoint and request.checkpoint.key) or ""
    for part in key.split(".") if key else ():
        if not isinstance(content, dict) or part not in content:
            there = f"it has {', '.join(map(str, content)):.200}" if isinstance(content, dict) else "it is no dict"
            raise ModelportError(Reason.WEIGHTS_MISMATCH, f"checkpoint.key {key}: no {part!r} in the file; {there}")
        content = content[part]
    if not isinstance(content, torch.nn.Module):
        message = (
            f"{path.name}: expected a torch.nn.Module, found {type(content).__name__}; name it with checkpoint.key"
        )
        raise ModelportError(Reason.FACTORY_FAILED, message)
    settle(content)
    return Loaded(content, request.inputs)


def _run_code(path: Path) -> torch.nn.Module:
    """Return a generated module."""
    try:
        model = open_module(path)
    except Exception as error:  # whatever its code raises
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a generated module with its weights, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    settle(model)
    return model
