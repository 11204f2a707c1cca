"""The model that answers, by the package of its format."""

import importlib

from modelport.verification.source.model import Source
from modelport_converter.frameworks.mxnet import PACKAGES
from modelport_converter.tasks import SourceTask


def open_source(task: SourceTask) -> Source:
    """Return the source model, loaded. Raises ModelportError."""
    module = importlib.import_module(f"{__package__}.{PACKAGES[task.request.source_format]}.ask")
    source: Source = module.open_source(task)
    return source
