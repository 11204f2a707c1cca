"""TensorFlow to ONNX, by tf2onnx."""

from modelport.conversion.onnx_options import OnnxOptions
from modelport_converter.frameworks.tensorflow.opening.load import open_hop
from modelport_converter.frameworks.tensorflow.writing.exporting import export_model
from modelport_converter.onnx_graphs.files import finish_model
from modelport_converter.tasks import MODEL, HopTask

DEFAULT_OPSET = 17


def convert(task: HopTask, options: OnnxOptions) -> None:
    """Export the model that was asked. Raises ModelportError (ConversionFailed)."""
    path = task.out / MODEL / "model.onnx"
    path.parent.mkdir()
    export_model(open_hop(task), options.opset or DEFAULT_OPSET, path)
    finish_model(path, simplify=options.simplify, precision=options.precision)
