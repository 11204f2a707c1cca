"""Floating-point types: the coarsest that a model computes with, and computing in float32 what it computes in float64."""

from collections.abc import Iterator, Mapping
from itertools import chain

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.helper import make_node

from modelport.api.base import Dtype
from modelport.verification.arrays import Array
from modelport_converter.onnx_graphs.graphs import (
    Constants,
    attribute_of,
    fresh_name,
    names_of,
    nodes_of,
    scopes_of,
    tensors_of,
)
from modelport_converter.onnx_graphs.naming import rename

FLOATS: dict[int, Dtype] = {
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.FLOAT16: "float16",
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
}
"""From the coarsest to the finest."""
MOVERS = {
    "Concat", "Constant", "ConstantOfShape", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity",
    "Pad", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Where", "If", "Loop", "Scan",
}  # fmt: skip
"""Operators that compute no numbers of their own: a weight that is kept in float16 makes no model of float16."""
TYPE_ATTRIBUTES = {"to", "dtype", "output_datatype", "output_dtype"}
"""Attributes whose value is an element type."""


def find_precision(model: onnx.ModelProto, tensors: Mapping[str, onnx.TypeProto.Tensor]) -> Dtype:
    """Return the coarsest type in which numbers are computed, by the inferred types; float32 where nothing is."""
    types = {name: tensor.elem_type for name, tensor in tensors.items()}
    constants = Constants(model)
    computed = {number for node in nodes_of(model) for number in _computed_types(node, types, constants)}
    declared = {types.get(value.name, 0) for value in model.graph.output}
    for found in (computed, declared):
        coarsest = next((dtype for number, dtype in FLOATS.items() if number in found), None)
        if coarsest is not None:
            return coarsest
    return "float32"


def _computed_types(node: onnx.NodeProto, types: dict[str, int], constants: Constants) -> Iterator[int]:
    if node.op_type in MOVERS:
        return
    if node.op_type == "Cast":
        given = types.get(node.input[0], 0)
        order = list(FLOATS)
        to = getattr(attribute_of(node, "to"), "i", 0)
        # to a finer type nothing is rounded, and a constant is rounded but once
        is_coarser = to in order and given in order and order.index(to) < order.index(given)
        if is_coarser and constants.shape(node.input[0]) is None:
            yield to
        return
    outputs = [types[name] for name in node.output if types.get(name)]
    yield from outputs or (types.get(name, 0) for name in node.input)


def compute_in_float32(model: onnx.ModelProto) -> None:
    """Let everything inside a model, which has all its weights inside, be float32 in the place of float64, in place.

    Inputs and outputs keep their type: they are cast at the edges, so that the signature holds.
    """
    for tensor in tensors_of(model):
        if tensor.data_type == TensorProto.DOUBLE:
            tensor.CopyFrom(numpy_helper.from_array(_rounded(numpy_helper.to_array(tensor)), tensor.name))
    for attribute in chain.from_iterable(node.attribute for node in nodes_of(model)):
        if attribute.name in TYPE_ATTRIBUTES and attribute.i == TensorProto.DOUBLE:
            attribute.i = TensorProto.FLOAT
    for value in _inner_values(model):
        if _is_double(value):
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for scope in scopes_of(model):
        if scope.graph is not None:
            del scope.graph.value_info[:]
    for function in model.functions:
        del function.value_info[:]
    _cast_edges(model.graph, names_of(model))


def _inner_values(model: onnx.ModelProto) -> Iterator[onnx.ValueInfoProto]:
    """Return inputs and outputs of graphs within nodes, and weights that old files list among the inputs."""
    weights = {tensor.name for tensor in model.graph.initializer}
    yield from (value for value in model.graph.input if value.name in weights)
    for scope in scopes_of(model):
        if scope.graph is not None and scope.graph is not model.graph:
            yield from (*scope.graph.input, *scope.graph.output)


def _rounded(array: Array) -> Array:
    # a mask of the lowest float64 stays the lowest number that there is
    limit = np.finfo(np.float32).max
    return np.where(np.isfinite(array), np.clip(array, -limit, limit), array).astype(np.float32)


def _cast_edges(graph: onnx.GraphProto, taken: set[str]) -> None:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if _is_double(value) and value.name not in weights]
    # an input that is an output as it came is nothing that is computed
    outputs = [value.name for value in graph.output if _is_double(value) and value.name not in inputs]
    names = {name: fresh_name(f"{name}_float32", taken) for name in (*inputs, *outputs)}
    rename([graph], names)
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for value in graph.input:
        if value.name not in inputs:
            value.name = names.get(value.name, value.name)
    for name in inputs:
        graph.node.insert(0, make_node("Cast", [name], [names[name]], to=TensorProto.FLOAT))
    graph.node.extend(make_node("Cast", [names[name]], [name], to=TensorProto.DOUBLE) for name in outputs)


def _is_double(value: onnx.ValueInfoProto) -> bool:
    return bool(value.type.tensor_type.elem_type == TensorProto.DOUBLE)
