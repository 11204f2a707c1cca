"""ONNX as MATLAB's exporter writes it: time first, weights among the inputs, old operator sets, ranks that are not what is computed.

There is no MATLAB here: these graphs have the form that public reports show (onnxruntime issue 1016: an output of two
axes that is declared with three).
"""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.test_onnx import convert, served  # noqa: F401  # a fixture

pytestmark = pytest.mark.converters

PRODUCER = "MATLAB Deep Learning Toolbox Converter for ONNX Model Format"
FEATURES, HIDDEN, CLASSES = 5, 8, 3
rng = np.random.default_rng(0)


def floats(*shape):
    return (rng.standard_normal(shape) * 0.3).astype(np.float32)


def matlab(nodes, weights, given, declared, opset=8):
    """Return a file of version 3, where weights have to be inputs, too."""
    tensors = [numpy_helper.from_array(each, name) for name, each in weights.items()]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in given.items()]
    inputs += [helper.make_tensor_value_info(each.name, TensorProto.FLOAT, list(each.dims)) for each in tensors]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in declared.items()]
    graph = helper.make_graph(nodes, "Network", inputs, outputs, tensors)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(
        graph, opset_imports=opsets, ir_version=3, producer_name=PRODUCER, producer_version="21.2.0"
    )


LSTM = {
    "lstm_W": floats(1, 4 * HIDDEN, FEATURES),
    "lstm_R": floats(1, 4 * HIDDEN, HIDDEN),
    "lstm_B": floats(1, 8 * HIDDEN),
}
SEQUENCES = {"sequenceinput": ["SequenceLength", "BatchSize", FEATURES]}


def last_step(declared):
    """A classifier of sequences: the last state through one layer."""
    weights = {**LSTM, "fc_W": floats(CLASSES, HIDDEN), "fc_B": floats(CLASSES)}
    nodes = [
        helper.make_node("LSTM", ["sequenceinput", "lstm_W", "lstm_R", "lstm_B"], ["", "h"], hidden_size=HIDDEN),
        helper.make_node("Squeeze", ["h"], ["lstm"], axes=[0]),
        helper.make_node("Gemm", ["lstm", "fc_W", "fc_B"], ["fc"], transB=1),
        helper.make_node("Softmax", ["fc"], ["softmax"]),
    ]
    return matlab(nodes, weights, SEQUENCES, {"softmax": declared})


def every_step(declared):
    """A regression of each step; Softmax before operator set 13 is over all axes from the second on."""
    weights = {**LSTM, "fc_W": floats(HIDDEN, CLASSES), "fc_B": floats(CLASSES)}
    nodes = [
        helper.make_node("LSTM", ["sequenceinput", "lstm_W", "lstm_R", "lstm_B"], ["y"], hidden_size=HIDDEN),
        helper.make_node("Squeeze", ["y"], ["lstm"], axes=[1]),
        helper.make_node("MatMul", ["lstm", "fc_W"], ["product"]),
        helper.make_node("Add", ["product", "fc_B"], ["fc"]),
    ]
    return matlab(nodes, weights, SEQUENCES, {"fc": declared})


def image(opset):
    """A classifier of images: the mean image is taken off, and the last layer is a convolution of all pixels."""
    weights = {
        "data_Mean": np.abs(floats(1, 3, 16, 16)),
        "conv_W": floats(4, 3, 3, 3),
        "conv_B": floats(4),
        "bn_scale": np.abs(floats(4)),
        "bn_B": floats(4),
        "bn_mean": floats(4),
        "bn_var": np.abs(floats(4)) + 0.1,
        "fc_W": floats(CLASSES, 4, 8, 8),
        "fc_B": floats(CLASSES),
    }
    nodes = [
        helper.make_node("Sub", ["data", "data_Mean"], ["centred"]),
        helper.make_node("Conv", ["centred", "conv_W", "conv_B"], ["conv"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["conv", "bn_scale", "bn_B", "bn_mean", "bn_var"], ["bn"]),
        helper.make_node("Relu", ["bn"], ["relu"]),
        helper.make_node("LRN", ["relu"], ["norm"], size=5),
        helper.make_node("MaxPool", ["norm"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["pool", "fc_W", "fc_B"], ["fc"], kernel_shape=[8, 8]),
        helper.make_node("Softmax", ["fc"], ["prob"], axis=1),
        helper.make_node("Flatten", ["prob"], ["classoutput"]),
    ]
    given, declared = {"data": ["BatchSize", 3, 16, 16]}, {"classoutput": ["BatchSize", CLASSES]}
    return matlab(nodes, weights, given, declared, opset)


@pytest.mark.parametrize(
    "declared", [["BatchSize", CLASSES], [1, "BatchSize", CLASSES], ["SequenceLength", "BatchSize", CLASSES]]
)
def test_the_last_step_has_the_rank_that_is_computed_whatever_is_declared(convert, declared):  # noqa: F811
    status = convert(last_step(declared))
    assert "failure" not in status, status
    answer = served(status, sequenceinput=floats(4, 2, FEATURES))["softmax"]
    assert answer.shape == (2, CLASSES)
    np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("declared", [["SequenceLength", "BatchSize", CLASSES], ["BatchSize", CLASSES]])
def test_every_step_is_answered_whatever_rank_is_declared(convert, declared):  # noqa: F811
    status = convert(every_step(declared))
    assert "failure" not in status, status
    assert served(status, sequenceinput=floats(4, 2, FEATURES))["fc"].shape == (4, 2, CLASSES)


@pytest.mark.parametrize("opset", [7, 8, 9, 13])
def test_images_of_every_operator_set_that_runtimes_have(convert, opset):  # noqa: F811
    assert "failure" not in convert(image(opset))


def test_an_operator_set_that_no_runtime_has_is_told_with_who_wrote_it(convert):  # noqa: F811
    failure = convert(image(6))["failure"]
    assert failure["reason"] == "RuntimeUnsupported"
    assert failure["message"] == (
        f"operator set version 6, as {PRODUCER} wrote it: expected 7 or newer; export the model again with a newer one"
    )
