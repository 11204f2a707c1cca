"""Models of tables become ONNX."""

from modelport.conversion.onnx_options import OnnxOptions
from modelport_converter.frameworks.tabular.opening.load import open_table
from modelport_converter.tables.writing import write_table
from modelport_converter.tasks import HopTask


def convert(task: HopTask, options: OnnxOptions) -> None:
    """Write what was asked for. Raises ModelportError."""
    write_table(task, options, lambda seen: open_table(task.request, task.model, seen))
