"""Modules that were saved whole: unpickling runs what the pickle says, so only a trusted one is opened."""

import importlib
import sys
import types
from pathlib import Path

import torch

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.pytorch.building.loading import draw_from, extend_import_path
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.forms.base import Loaded
from modelport_converter.tasks import find_part, last_line

_BY_NAME = (type, types.FunctionType)
"""What a pickle names, and does not hold."""


def load(request: ConvertRequest, folder: Path, code: Path, seed: int) -> Loaded:
    """Unpickle the module. Raises ModelportError: UntrustedSource, FactoryFailed, SourceCorrupt."""
    path = find_part(open_tree(folder), request.source_format)
    if not request.trusted:  # no such Job is planned
        raise ModelportError(Reason.UNTRUSTED_SOURCE, f"{path.name}: opening it runs code that comes with it")
    draw_from(seed)
    if request.code:
        extend_import_path(request.code, code)
        _stand_in(request.code.factory.partition(":")[0])
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
    except (ImportError, AttributeError) as error:
        message = (
            f"{path.name}: its class is not there: {last_line(error)}; give the code that defines it as source.code"
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


def _stand_in(name: str) -> None:
    """Have the code's module stand in for the script that the model was saved by, `__main__`."""
    try:
        found = vars(importlib.import_module(name))
    except (Exception, SystemExit) as error:
        raise ModelportError(Reason.FACTORY_FAILED, f"code {name}: {last_line(error)}") from error
    main = vars(sys.modules["__main__"])
    main.update({name: each for name, each in found.items() if isinstance(each, _BY_NAME) and name not in main})
