"""Paddle to ONNX: by paddle2onnx, in the release for the generation, with operators written here that it does not write right."""

from modelport.conversion.base import Options
from modelport.frameworks.paddle import PIR
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.paddle.exporting.cutting import write_program
from modelport_converter.frameworks.paddle.files import combined, read_files
from modelport_converter.frameworks.paddle.operators.all import WRITERS, refuse_wrong
from modelport_converter.frameworks.paddle.reading.pir import narrowed
from modelport_converter.onnx_graphs.files import write_model
from modelport_converter.tasks import MODEL, HopTask


def convert(task: HopTask, _options: Options) -> None:
    """Write the model. Raises ModelportError."""
    name = task.hop.source
    files = read_files(open_tree(task.model), name)
    refuse_wrong(files.program)
    content = files.path.read_bytes()
    if name == PIR:
        content = narrowed(content, files.name)
    path = task.out / MODEL / "model.onnx"
    path.parent.mkdir()
    with combined(files) as weights:
        write_model(write_program(files, content, weights, name, WRITERS), path)
