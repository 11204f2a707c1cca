"""Sums, products, largest elements; sorted and running ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelport_converter.frameworks.mxnet.theano.lengths.rules import axes_of
from modelport_converter.frameworks.mxnet.theano.operators.node import Graph, operator, refuse, widened

REDUCED = {
    "Add": "ReduceSum", "Mul": "ReduceProd", "Maximum": "ReduceMax", "Minimum": "ReduceMin", "AND": "ReduceMin",
    "OR": "ReduceMax", "ScalarMaximum": "ReduceMax", "ScalarMinimum": "ReduceMin",
}  # fmt: skip


@operator("Sum", "Prod", "CAReduce", "CAReduceDtype", "Max", "Min", "All", "Any")
def write_reduced(graph: Graph, node: Any) -> str:
    """Write one number of each row, in the type that it is added up in."""
    value, out = node.inputs[0], node.outputs[0].dtype
    kind = REDUCED.get(type(node.op.scalar_op).__name__)
    if kind is None:
        refuse(f"operator CAReduce of {type(node.op.scalar_op).__name__}", "it has no word in ONNX here")
    inner = str(getattr(node.op, "acc_dtype", None) or out)
    if type(node.op.scalar_op).__name__ in {"AND", "OR"} and value.dtype != "bool":
        refuse(f"operator {type(node.op).__name__} of {value.dtype}", "it works on bits; compare with 0 before it")
    inner = "int32" if inner == "bool" else inner
    return graph.cast(_reduce(graph, kind, graph.valued(value, inner), axes_of(node.op, value.ndim), inner), inner, out)


def _reduce(graph: Graph, kind: str, name: str, axes: Sequence[int], dtype: str) -> str:
    if not axes:
        return graph.writer.add("Identity", name)
    wide = widened(dtype)
    value = graph.cast(name, dtype, wide)
    if kind == "ReduceSum":  # whose axes are an operand in this set of operators
        made = graph.writer.add(kind, value, graph.writer.lengths(*axes), keepdims=0)
    else:
        made = graph.writer.add(kind, value, axes=list(axes), keepdims=0)
    return graph.cast(made, wide, dtype)


@operator("MaxAndArgmax", "Argmax")
def write_largest(graph: Graph, node: Any) -> Sequence[str]:
    """Write the largest element of each row, and the first place where it is."""
    value = node.inputs[0]
    axes = sorted(axes_of(node.op, value.ndim))
    name, dtype = graph.value(value), value.dtype
    if not value.ndim:
        zero = graph.number(0, "int64")
        return [graph.writer.add("Identity", name), graph.writer.add("Identity", zero)]
    wide = widened(dtype)
    name = graph.cast(name, dtype, wide)
    largest = graph.cast(graph.writer.add("ReduceMax", name, axes=axes, keepdims=0), wide, dtype)
    row, axis = name, axes[0]
    if len(axes) > 1:  # the axes together, as the last one
        kept = [each for each in range(value.ndim) if each not in axes]
        row, axis = graph.writer.transpose(name, *kept, *axes), len(kept)
        row = graph.writer.reshape(row, *[0] * len(kept), -1)
    place = graph.writer.add("ArgMax", row, axis=axis, keepdims=0)
    if type(node.op).__name__ == "Argmax":
        return [place]
    return [largest, place]


@operator("SortOp", "ArgSortOp")
def write_sorted(graph: Graph, node: Any) -> str:
    """Write an axis in ascending order, or where its elements stood."""
    value, place = node.inputs
    known = graph.constant(place, f"the axis of {type(node.op).__name__}")
    axis = int(known) % max(1, value.ndim)
    count = graph.writer.length(graph.value(value), axis)
    numbers, places = graph.writer.add_many("TopK", ["", ""], graph.value(value), count, axis=axis, largest=0)
    is_sorted = type(node.op).__name__ == "SortOp"
    return numbers if is_sorted else graph.cast(places, "int64", node.outputs[0].dtype)


@operator("CumOp")
def write_running(graph: Graph, node: Any) -> str:
    """Write sums of an axis up to each element."""
    if node.op.mode != "add":
        refuse("operator CumOp", "a running product has no word in ONNX; use exp(cumsum(log(x)))")
    value, axis = graph.value(node.inputs[0]), node.op.axis
    if axis is None:
        value, axis = graph.writer.reshape(value, -1), 0
    return graph.compute("CumSum", [value, graph.writer.weight(np.array(axis, np.int64))], node.outputs[0].dtype)
