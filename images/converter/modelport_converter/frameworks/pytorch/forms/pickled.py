"""Modules that were saved whole: unpickling runs what the pickle says, so only a trusted one is opened."""

from pathlib import Path

import torch

from modelport.api.reasons import Reason
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
    if request.code:
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
    for part in ((request.checkpoint and request.checkpoint.key) or "").split("."):
        content = content[part] if part and isinstance(content, dict) and part in content else content
    if not isinstance(content, torch.nn.Module):
        message = (
            f"{path.name}: expected a torch.nn.Module, found {type(content).__name__}; name it with checkpoint.key"
        )
        raise ModelportError(Reason.FACTORY_FAILED, message)
    settle(content)
    return Loaded(content, request.inputs)
