"""Five small nets of different kinds, as ONNX, with random weights.

Random weights are kind to mistakes (nothing saturates, nothing is redundant) and unkind to numbers, like real ones.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from modelport.api.spec import DimensionRange, Input, Values

Shape = list[int | str]
OPSET = 17


class Net(NamedTuple):
    """A model, and what may be asked."""

    model: onnx.ModelProto
    inputs: list[Input]
    dimensions: dict[str, DimensionRange]


class Graph:
    """Nodes and weights in the making."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, *shape: int, scale: float | None = None, mean: float = 0.0) -> str:
        fan_in = int(np.prod(shape[1:])) or 1
        values = mean + self.random.standard_normal(shape) * (np.sqrt(2 / fan_in) if scale is None else scale)
        return self.constant(values.astype(np.float32))

    def constant(self, values: Any) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, op: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = out or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"n{len(self.nodes)}", **attributes))
        return name

    def model(
        self, inputs: dict[str, Shape], outputs: dict[str, Shape], labels: tuple[str, ...] = ()
    ) -> onnx.ModelProto:
        def describe(tensors: dict[str, Shape]) -> list[onnx.ValueInfoProto]:
            return [
                helper.make_tensor_value_info(name, TensorProto.INT64 if name in labels else TensorProto.FLOAT, shape)
                for name, shape in tensors.items()
            ]

        graph = helper.make_graph(self.nodes, "net", describe(inputs), describe(outputs), self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def faces() -> Net:
    """Two outputs of a fully convolutional net, like PNet of MTCNN."""
    net = Graph(1)
    last = "image"
    for number, (before, after) in enumerate(((3, 10), (10, 16), (16, 32))):
        last = net.add("Conv", last, net.weight(after, before, 3, 3), net.weight(after, scale=0.2))
        last = net.add("PRelu", last, net.weight(after, 1, 1, scale=0.1, mean=0.2))
        if number == 0:
            last = net.add("MaxPool", last, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    net.add("Conv", last, net.weight(4, 32, 1, 1), net.weight(4, scale=0.1), out="boxes")
    scores = net.add("Conv", last, net.weight(2, 32, 1, 1), net.weight(2, scale=0.1))
    net.add("Softmax", scores, out="scores", axis=1)
    shape: Shape = ["batch", 3, "height", "width"]
    model = net.model({"image": shape}, {"boxes": ["batch", 4, "h", "w"], "scores": ["batch", 2, "h", "w"]})
    limits = DimensionRange(min=12, max=512)
    return Net(
        model,
        [Input(name="image", shape=shape, values=Values(range=[-1, 1]))],
        {"height": limits, "width": limits},
    )


def residual() -> Net:
    """Convolutions with padding and batch normalisation, a shortcut, a sigmoid."""
    net = Graph(2)
    last = net.add("Conv", "image", net.weight(16, 3, 3, 3), net.weight(16, scale=0.1), pads=[1, 1, 1, 1])
    for _ in range(3):
        before = last
        last = net.add("Conv", last, net.weight(16, 16, 3, 3), net.weight(16, scale=0.1), pads=[1, 1, 1, 1])
        statistics = [net.weight(16, scale=0.1, mean=1), net.weight(16, scale=0.1), net.weight(16, scale=0.1)]
        variance = net.constant(net.random.uniform(0.05, 0.5, 16).astype(np.float32))
        last = net.add("BatchNormalization", last, *statistics, variance, epsilon=1e-5)
        last = net.add("Add", net.add("Relu", last), before)
    last = net.add("Flatten", net.add("GlobalAveragePool", last))
    last = net.add("Gemm", last, net.weight(5, 16), net.weight(5, scale=0.1), transB=1)
    net.add("Sigmoid", last, out="probabilities")
    shape: Shape = ["batch", 3, "height", "width"]
    model = net.model({"image": shape}, {"probabilities": ["batch", 5]})
    return Net(model, [Input(name="image", shape=shape, values=Values(range=[0, 1]))], {})


def attention() -> Net:
    """One block of a transformer: layer normalisation, attention, GELU by Erf."""
    net, width = Graph(3), 16
    normal = net.add(
        "LayerNormalization", "x", net.weight(width, scale=0.1, mean=1), net.weight(width, scale=0.1), epsilon=1e-5
    )
    query, key, value = (
        net.add("Add", net.add("MatMul", normal, net.weight(width, width)), net.weight(width, scale=0.1))
        for _ in range(3)
    )
    weights = net.add("MatMul", query, net.add("Transpose", key, perm=[0, 2, 1]))
    weights = net.add("Softmax", net.add("Mul", weights, net.constant(np.float32(width**-0.5))), axis=-1)
    last = net.add("Add", net.add("MatMul", net.add("MatMul", weights, value), net.weight(width, width)), "x")
    hidden = net.add("Add", net.add("MatMul", last, net.weight(width, 2 * width)), net.weight(2 * width, scale=0.1))
    half = net.add("Mul", hidden, net.constant(np.float32(0.5)))
    erf = net.add("Erf", net.add("Div", hidden, net.constant(np.float32(np.sqrt(2)))))
    active = net.add("Mul", half, net.add("Add", erf, net.constant(np.float32(1))))
    net.add("Add", net.add("MatMul", active, net.weight(2 * width, width)), last, out="embedding")
    shape: Shape = ["batch", "length", width]
    return Net(net.model({"x": shape}, {"embedding": shape}), [Input(name="x", shape=shape)], {})


def recurrent() -> Net:
    """An LSTM over time, batch first, with a softmax at the end."""
    net, size = Graph(4), 12
    weights = [net.weight(1, 4 * size, 8, scale=0.3), net.weight(1, 4 * size, size, scale=0.3)]
    last = net.add("Transpose", "series", perm=[1, 0, 2])
    name = net.add("LSTM", last, *weights, net.weight(1, 8 * size, scale=0.2), hidden_size=size)
    last = net.add("Transpose", net.add("Squeeze", name, net.constant(np.array([1]))), perm=[1, 0, 2])
    last = net.add("Add", net.add("MatMul", last, net.weight(size, 6)), net.weight(6, scale=0.1))
    net.add("Softmax", last, out="classes", axis=-1)
    shape: Shape = ["batch", "time", 8]
    return Net(net.model({"series": shape}, {"classes": ["batch", "time", 6]}), [Input(name="series", shape=shape)], {})


def tabular() -> Net:
    """Dense layers with a number and a label to answer."""
    net, last = Graph(5), "row"
    for before, after in ((10, 32), (32, 32)):
        last = net.add("Gemm", last, net.weight(after, before), net.weight(after, scale=0.2), transB=1)
        last = net.add("Tanh", last)
    net.add("Gemm", last, net.weight(1, 32), net.weight(1, scale=0.5), out="value", transB=1)
    logits = net.add("Gemm", last, net.weight(4, 32), net.weight(4, scale=0.1), transB=1)
    net.add("ArgMax", logits, out="label", axis=1, keepdims=0)
    net.add("LogSoftmax", logits, out="logarithms", axis=1)
    shape: Shape = ["batch", 10]
    outputs: dict[str, Shape] = {"value": ["batch", 1], "label": ["batch"], "logarithms": ["batch", 4]}
    return Net(net.model({"row": shape}, outputs, labels=("label",)), [Input(name="row", shape=shape)], {})


NETS: tuple[Callable[[], Net], ...] = (faces, residual, attention, recurrent, tabular)
