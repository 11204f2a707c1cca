"""ONNX, by the package of the source's format."""

import importlib

from modelport.conversion.base import Options
from modelport_converter.frameworks.mxnet import PACKAGES
from modelport_converter.tasks import HopTask


def convert(task: HopTask, options: Options) -> None:
    """Write the graph. Raises ModelportError."""
    importlib.import_module(f"{__package__}.{PACKAGES[task.hop.source]}.to_onnx").convert(task, options)
