"""Walks over an ONNX model: everything counts wherever it stands, in branches, loops and functions, too."""

from collections.abc import Iterable, Iterator, MutableSequence
from contextlib import suppress
from itertools import chain
from typing import NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.helper import get_attribute_value, make_tensor_type_proto

from modelport.verification.arrays import Array

NUMBERS = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
"""Attributes of Constant beside a tensor, and the types that they make."""
CARRIERS = {
    "Cast": (0,), "Concat": None, "Expand": (0,), "Flatten": (0,), "Gather": (0,), "Identity": (0,), "Pad": (0,),
    "Reshape": (0,), "Slice": (0,), "Split": (0,), "Squeeze": (0,), "StringNormalizer": (0,), "Tile": (0,),
    "Transpose": (0,), "Unsqueeze": (0,), "Where": (1, 2),
}  # fmt: skip
"""Operators that hand values on as they are, and which of their inputs those are; None: all."""
SMALL_BYTES = 4_096
"""Up to this size a tensor may be a shape, which types and shapes follow from."""


class Scope(NamedTuple):
    """Nodes that see one another's values, and the graph that they stand in; a function has none."""

    nodes: MutableSequence[onnx.NodeProto]
    graph: onnx.GraphProto | None


def scopes_of(model: onnx.ModelProto) -> Iterator[Scope]:
    """Return the main graph, the functions, and all graphs within their nodes, such as the branches of If."""
    open_scopes = [Scope(model.graph.node, model.graph), *(Scope(each.node, None) for each in model.functions)]
    while open_scopes:
        scope = open_scopes.pop(0)
        open_scopes.extend(Scope(graph.node, graph) for graph in subgraphs_of(scope.nodes))
        yield scope


def nodes_of(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Return all nodes."""
    return chain.from_iterable(scope.nodes for scope in scopes_of(model))


def subgraphs_of(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    """Return the graphs that are attributes of the nodes themselves."""
    for attribute in chain.from_iterable(node.attribute for node in nodes):
        yield from (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs)


def tensors_of(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Return all tensors: any may keep its data in another file."""
    for scope in scopes_of(model):
        if scope.graph is not None:
            yield from scope.graph.initializer
            yield from _parts(scope.graph.sparse_initializer)
        for attribute in chain.from_iterable(node.attribute for node in scope.nodes):
            yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)
            yield from _parts([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else [])
            yield from _parts(attribute.sparse_tensors)


def _parts(tensors: Iterable[onnx.SparseTensorProto]) -> Iterator[onnx.TensorProto]:
    return chain.from_iterable((each.values, each.indices) for each in tensors)


def has_external_data(model: onnx.ModelProto) -> bool:
    """Return whether anything of the model is in other files."""
    return any(onnx.external_data_helper.uses_external_data(tensor) for tensor in tensors_of(model))


def infer_tensors(model: onnx.ModelProto) -> dict[str, onnx.TypeProto.Tensor]:
    """Return element type and shape by name of value, as far as they can be told without the weights."""
    skeleton = onnx.ModelProto()
    skeleton.CopyFrom(model)
    for tensor in skeleton.graph.initializer:
        if len(tensor.raw_data) > SMALL_BYTES:
            tensor.ClearField("raw_data")
    for value in skeleton.graph.input:
        for length in value.type.tensor_type.shape.dim:
            if length.HasField("dim_value") and length.dim_value <= 0:  # some exporters' word for one that is free
                length.ClearField("dim_value")
    # onnx's inference ends the process at a LabelEncoder of a value without a shape
    if not any(node.op_type == "LabelEncoder" for node in nodes_of(model)):
        with suppress(Exception):  # what it cannot read is told by who loads the model; the declared types remain
            skeleton = onnx.shape_inference.infer_shapes(skeleton, data_prop=True)
    found: dict[str, onnx.TypeProto.Tensor] = {}
    for scope in scopes_of(skeleton):
        if scope.graph is not None:
            values = (*scope.graph.value_info, *scope.graph.input, *scope.graph.output)
            found |= {value.name: value.type.tensor_type for value in values}
            for tensor in scope.graph.initializer:
                found[tensor.name] = make_tensor_type_proto(tensor.data_type, tensor.dims).tensor_type
    return found


def attribute_of(node: onnx.NodeProto, name: str) -> onnx.AttributeProto | None:
    """Return an attribute of a node, if it is set."""
    return next((each for each in node.attribute if each.name == name), None)


def is_boolean(node: onnx.NodeProto) -> bool:
    """Return whether a node makes truth values of numbers."""
    return node.op_type == "Cast" and getattr(attribute_of(node, "to"), "i", 0) == onnx.TensorProto.BOOL


def names_of(model: onnx.ModelProto) -> set[str]:
    """Return all names of values, so that a new one can be told from them."""
    found = {name for node in nodes_of(model) for name in (*node.input, *node.output)}
    for scope in scopes_of(model):
        if scope.graph is not None:
            found |= {value.name for value in (*scope.graph.input, *scope.graph.output)}
            found |= {tensor.name for tensor in scope.graph.initializer}
    return found


def fresh_name(wish: str, taken: set[str]) -> str:
    """Return `wish`, or with a number behind it where it is taken, and take it."""
    name, number = wish, 2
    while name in taken:
        name, number = f"{wish}_{number}", number + 1
    taken.add(name)
    return name


class Constants:
    """Values that do not depend on the inputs, by name: initializers and Constant nodes of all scopes."""

    def __init__(self, model: onnx.ModelProto) -> None:
        """Note where they are; arrays are made when they are asked for."""
        self._tensors: dict[str, onnx.TensorProto] = {}
        self._arrays: dict[str, Array] = {}
        for scope in scopes_of(model):
            if scope.graph is not None:
                self._tensors |= {tensor.name: tensor for tensor in scope.graph.initializer}
            for node in scope.nodes:
                if node.op_type == "Constant" and node.attribute:
                    self._note(node)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Return the shape of a constant, without its data; None for what is no constant."""
        if name in self._tensors:
            return tuple(self._tensors[name].dims)
        return self._arrays[name].shape if name in self._arrays else None

    def read(self, name: str) -> Array | None:
        """Return a constant; None for what is none, or lies in another file."""
        tensor = self._tensors.get(name)
        if tensor is None:
            return self._arrays.get(name)
        return None if onnx.external_data_helper.uses_external_data(tensor) else numpy_helper.to_array(tensor)

    def _note(self, node: onnx.NodeProto) -> None:
        value = node.attribute[0]
        if value.name == "value":
            self._tensors[node.output[0]] = value.t
        elif value.name in NUMBERS:
            self._arrays[node.output[0]] = np.asarray(get_attribute_value(value), NUMBERS[value.name])
