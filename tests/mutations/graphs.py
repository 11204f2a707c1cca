"""ONNX graphs: built, walked, and changed; branches of If are walked like the rest."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = list[int | str]
LINEAR = ("Conv", "ConvTranspose", "Gemm", "MatMul")
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "uint8": TensorProto.UINT8}


class Graph:
    """Nodes and weights in the making."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, values: Any, name: str = "") -> str:
        name = name or f"{self.prefix}w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, op: str, *inputs: Any, out: str = "", **attributes: Any) -> str:
        """Add a node, and return its first output; inputs that are no names are constants."""
        name = out or f"{self.prefix}t{len(self.nodes)}"
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self.nodes.append(helper.make_node(op, names, [name], name=f"{self.prefix}n{len(self.nodes)}", **attributes))
        return name

    def model(
        self, inputs: dict[str, Shape], outputs: dict[str, Shape], opset: int = 17, **types: str
    ) -> onnx.ModelProto:
        def describe(tensors: dict[str, Shape]) -> list[onnx.ValueInfoProto]:
            return [
                helper.make_tensor_value_info(name, TYPES[types.get(name, "float32")], shape)
                for name, shape in tensors.items()
            ]

        graph = helper.make_graph(self.nodes, "net", describe(inputs), describe(outputs), self.weights)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(model)
        return model


# --- walking --------------------------------------------------------------------------------------------------------


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for each in node.attribute:
            if each.type == onnx.AttributeProto.GRAPH:
                yield from graphs_of(each.g)


def nodes_of(model: onnx.ModelProto, *types: str) -> list[onnx.NodeProto]:
    return [node for graph in graphs_of(model.graph) for node in graph.node if node.op_type in types or not types]


def tensors_of(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    return {tensor.name: tensor for graph in graphs_of(model.graph) for tensor in graph.initializer}


def weights_of(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """Return the tables of weights: float tensors with two axes and more, of more than a few elements."""
    tensors = tensors_of(model).values()
    return [
        each
        for each in tensors
        if each.data_type == TensorProto.FLOAT and len(each.dims) > 1 and np.prod(each.dims) > 15
    ]


def layers_of(model: onnx.ModelProto) -> list[tuple[onnx.NodeProto, onnx.TensorProto]]:
    """Return linear operators with their weights, in the graph's order."""
    weights = {each.name: each for each in weights_of(model)}
    return [(node, weights[name]) for node in nodes_of(model, *LINEAR) for name in node.input[:2] if name in weights]


def output_axis(node: onnx.NodeProto) -> int:
    """Return the axis of a linear operator's weights that counts its outputs."""
    return {"Conv": 0, "ConvTranspose": 1, "MatMul": -1, "Gemm": -1}[node.op_type] - attribute(node, "transB", 0)


def biases_of(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """Return what is added, index by index: third inputs of linear operators, and addends with one axis."""
    tensors = tensors_of(model)
    names = [node.input[2] for node in nodes_of(model, *LINEAR) if len(node.input) > 2]
    names += [name for node in nodes_of(model, "Add") for name in node.input if name in tensors]
    biases = [tensors[name] for name in names if name in tensors]
    return [
        each
        for each in biases
        if each.data_type == TensorProto.FLOAT and 1 < max([*each.dims, 0]) == np.prod(each.dims)
    ]


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)


# --- changing -------------------------------------------------------------------------------------------------------


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def hoisted(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose Constant nodes are initializers of the same graph."""
    model = copied(model)
    for graph in graphs_of(model.graph):
        for node in [each for each in graph.node if each.op_type == "Constant" and each.attribute[0].name == "value"]:
            tensor = graph.initializer.add()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
            graph.node.remove(node)
    return model


def change(tensor: onnx.TensorProto, function: Callable[[Any], Any]) -> bool:
    before = numpy_helper.to_array(tensor)
    after = np.asarray(function(before.copy()), before.dtype)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(after), tensor.name))
    return not np.array_equal(before, after)


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> bool:
    """Set an attribute, and return whether that changed it."""
    before = attribute(node, name, None)
    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
    return list(np.ravel(before)) != list(np.ravel(value))


def become(node: onnx.NodeProto, op: str, *inputs: str, **attributes: Any) -> bool:
    """Make another operator of a node, with its first input, other ones behind that, and the same output."""
    node.op_type = op
    node.input[:] = [node.input[0], *inputs]
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    return True


def rewire(model: onnx.ModelProto, name: str, make: Callable[[Graph, str], str]) -> bool:
    """Put what `make` builds behind a tensor of the main graph: who read the tensor reads the result."""
    graph = model.graph
    outputs = {each.name for each in graph.output}
    before = f"{name}~" if name in outputs else name
    after = name if name in outputs else f"{name}~"
    place = 1 + max((i for i, node in enumerate(graph.node) if name in node.output), default=-1)
    for node in nodes_of(model):
        if before != name:
            node.output[:] = [before if each == name else each for each in node.output]
        node.input[:] = [(before if name in outputs else after) if each == name else each for each in node.input]
    built = Graph(f"{name}~")
    built.add("Identity", make(built, before), out=after)
    graph.initializer.extend(built.weights)
    for node in reversed(built.nodes):
        graph.node.insert(place, node)
    return True
