"""Toy models become ONNX: Gemm and Tanh."""

import onnx
from onnx import TensorProto, helper, numpy_helper

from modelport.conversion.base import Options
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.toy.models import Model, read_model
from modelport_converter.onnx_graphs.files import write_model
from modelport_converter.tasks import MODEL, HopTask, find_part


def convert(task: HopTask, _options: Options) -> None:
    """Write the graph."""
    (task.out / MODEL).mkdir()
    write_model(_graph(read_model(find_part(open_tree(task.model), task.hop.source))), task.out / MODEL / "model.onnx")


def _graph(model: Model) -> onnx.ModelProto:
    nodes, tensors, values = [], [], model.input
    for number, (weights, offsets) in enumerate(model.layers):
        names = [f"weights_{number}", f"offsets_{number}"]
        tensors += map(numpy_helper.from_array, (weights, offsets), names)
        if number:
            nodes.append(helper.make_node("Tanh", [values], [f"tanh_{number}"]))
            values = f"tanh_{number}"
        result = model.output if number == len(model.layers) - 1 else f"affine_{number}"
        nodes.append(helper.make_node("Gemm", [values, *names], [result]))
        values = result
    inputs = [helper.make_tensor_value_info(model.input, TensorProto.FLOAT, ["batch", len(model.layers[0][0])])]
    outputs = [helper.make_tensor_value_info(model.output, TensorProto.FLOAT, ["batch", len(model.layers[-1][1])])]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
