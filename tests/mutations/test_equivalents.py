"""No right conversion is refused: other operator sets, simplified graphs, optimisation levels, threads."""

import functools
import itertools

import onnx
import onnx.version_converter
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from modelport_converter.converters.onnx_files import simplified
from mutations.gate import BY_NAME, net_of, pass_gate

LEVELS = {
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
THREADS = (1, 2, 4)


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def weights_as_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    for tensor in reversed(model.graph.initializer):
        model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    del model.graph.initializer[:]
    return model


def folded_normalisation(model: onnx.ModelProto) -> onnx.ModelProto:
    """Multiply batch normalisation into the convolution before it, as converters do."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in [each for each in model.graph.node if each.op_type == "BatchNormalization"]:
        convolution = next(each for each in model.graph.node if node.input[0] in each.output)
        kernel, bias, scale, shift, mean, variance = (
            numpy_helper.to_array(weights[name]) for name in (*convolution.input[1:], *node.input[1:])
        )
        factor = scale / (variance + 1e-5) ** 0.5
        pairs = ((1, kernel * factor[:, None, None, None]), (2, (bias - mean) * factor + shift))
        for number, values in pairs:
            tensor = weights[convolution.input[number]]
            tensor.CopyFrom(numpy_helper.from_array(values.astype("float32"), tensor.name))
        node.op_type = "Identity"
        del node.input[1:]
        del node.attribute[:]
    return model


def with_opset(opset: int):
    return lambda model: onnx.version_converter.convert_version(model, opset)


FORMS = {
    "as it is": lambda model: model,
    "opset 18": with_opset(18),
    "opset 21": with_opset(21),
    "simplified": simplified,
    "weights as nodes": weights_as_nodes,
    "folded normalisation": folded_normalisation,
}


@functools.cache
def form_of(net: str, form: str) -> onnx.ModelProto:
    return FORMS[form](copied(net_of(net).model))


CASES = list(itertools.product(BY_NAME, FORMS, LEVELS, THREADS))


@pytest.mark.parametrize(("net", "form", "level", "threads"), CASES)
def test_accepted(net, form, level, threads):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.intra_op_num_threads = threads
    assert pass_gate(net, form_of(net, form), options) is None


def test_there_are_enough():
    assert len(CASES) >= 200
