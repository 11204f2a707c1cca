"""Theano's graphs become ONNX, operator by operator, as the function was built, before anything was optimised."""

from modelport.conversion.base import Options
from modelport.steps.handover import read_signature, write_caveats
from modelport_converter.frameworks.mxnet.theano.reading.programs import read_program
from modelport_converter.frameworks.mxnet.theano.writing import write_program
from modelport_converter.onnx_graphs.files import write_model
from modelport_converter.tasks import MODEL, HopTask


def convert(task: HopTask, _options: Options) -> None:
    """Write the graph, with the shapes that were asked. Raises ModelportError."""
    program, signature = read_program(task.request, task.model), read_signature(task.asked)
    inputs, outputs = ({each.name: each.shape for each in part} for part in (signature.inputs, signature.outputs))
    path = task.out / MODEL / "model.onnx"
    path.parent.mkdir()
    model, caveats = write_program(program, inputs, outputs)
    write_caveats(task.out, caveats)
    write_model(model, path)
