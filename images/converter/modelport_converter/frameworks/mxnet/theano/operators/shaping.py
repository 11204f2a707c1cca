"""Shapes: reshaping, joining, repeating, and lengths as numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelport_converter.frameworks.mxnet.theano.lengths.equal import elements_of, read_axis
from modelport_converter.frameworks.mxnet.theano.operators.node import Graph, operator, refuse


@operator("Reshape")
def write_reshape(graph: Graph, node: Any) -> str:
    """Write a value in another shape, whose lengths are numbers, lengths of other values, or computed."""
    value, shape = node.inputs
    known = graph.known(shape)
    if known is not None:
        return graph.writer.reshape(graph.value(value), *(int(each) for each in known.reshape(-1)))
    elements = elements_of(shape)
    if elements is None:
        return graph.writer.add("Reshape", graph.value(value), graph.cast(graph.value(shape), shape.dtype, "int64"))
    return reshape_to(graph, value, elements)


def reshape_to(graph: Graph, value: Any, elements: Sequence[Any]) -> str:
    """Return a value in the shape that scalars say; a length that it has already is kept, a single other one follows."""
    parts = [_element(graph, value, axis, each) for axis, each in enumerate(elements)]
    computed = [place for place, part in enumerate(parts) if isinstance(part, str)]
    if len(computed) == 1 and -1 not in parts:
        parts[computed[0]] = -1
    return graph.writer.add("Reshape", graph.value(value), graph.joined(parts))


def _element(graph: Graph, value: Any, axis: int, element: Any) -> int | str:
    number = graph.known(element)
    if number is not None:
        return int(number)
    source = read_axis(element)
    if source is None:
        return graph.scalar(element)
    length = graph.equal.length(source)
    if length is not None:
        return length
    return 0 if axis < value.ndim and graph.equal.same((value, axis), source) else graph.scalar(element)


@operator("Flatten")
def write_flatten(graph: Graph, node: Any) -> str:
    """Write all axes from one on as one."""
    return graph.writer.reshape(graph.value(node.inputs[0]), *[0] * (int(node.op.outdim) - 1), -1)


@operator("Join")
def write_join(graph: Graph, node: Any) -> str:
    """Write values along an axis."""
    axis = int(graph.constant(node.inputs[0], "the axis of Join")) % node.outputs[0].ndim
    out = node.outputs[0].dtype
    return graph.writer.add("Concat", *(graph.valued(each, out) for each in node.inputs[1:]), axis=axis)


@operator("Split")
def write_split(graph: Graph, node: Any) -> Sequence[str]:
    """Write parts along an axis."""
    value, axis, lengths = node.inputs
    place = int(graph.constant(axis, "the axis of Split")) % value.ndim
    sizes = graph.cast(graph.value(lengths), lengths.dtype, "int64")
    return graph.writer.add_many("Split", [""] * len(node.outputs), graph.value(value), sizes, axis=place)


@operator("Alloc")
def write_alloc(graph: Graph, node: Any) -> str:
    """Write a value repeated to a shape."""
    return graph.writer.add("Expand", graph.value(node.inputs[0]), graph.vector(node.inputs[1:]))


@operator("AllocEmpty")
def write_empty(graph: Graph, node: Any) -> str:
    """Write room that is written to; here zeros."""
    return graph.writer.add("Expand", graph.number(0, node.outputs[0].dtype), graph.vector(node.inputs))


@operator("Shape")
def write_shape(graph: Graph, node: Any) -> str:
    """Write all lengths."""
    return graph.writer.add("Shape", graph.value(node.inputs[0]))


@operator("Shape_i")
def write_length(graph: Graph, node: Any) -> str:
    """Write one length, as a scalar."""
    shape = graph.writer.add("Shape", graph.value(node.inputs[0]))
    return graph.writer.add("Gather", shape, np.array(int(node.op.i), np.int64), axis=0)


@operator("MakeVector")
def write_vector(graph: Graph, node: Any) -> str:
    """Write scalars as a vector."""
    out = node.outputs[0].dtype
    return graph.writer.concat([graph.writer.reshape(graph.valued(each, out), 1) for each in node.inputs], 0)


@operator("ARange")
def write_range(graph: Graph, node: Any) -> str:
    """Write numbers from, to, by."""
    out = node.outputs[0].dtype
    kind = out if out in {"int32", "int64", "float32", "float64"} else "int64"
    return graph.cast(graph.writer.add("Range", *(graph.valued(each, kind) for each in node.inputs)), kind, out)


@operator("Eye")
def write_eye(graph: Graph, node: Any) -> str:
    """Write ones on a diagonal."""
    rows, columns, shift = node.inputs
    offset = int(graph.constant(shift, "the diagonal of Eye"))
    zeros = graph.writer.add("Expand", graph.number(0, "float32"), graph.vector([rows, columns]))
    return graph.cast(graph.writer.add("EyeLike", zeros, k=offset), "float32", node.outputs[0].dtype)


@operator("Tri")
def write_triangle(graph: Graph, node: Any) -> str:
    """Write ones on a diagonal and below it."""
    rows, columns = (_count(graph, each) for each in node.inputs[:2])
    shift = graph.valued(node.inputs[2], "int64")
    down = graph.writer.add("Unsqueeze", graph.writer.add("Add", rows, shift), graph.writer.lengths(1))
    return graph.writer.cast(graph.writer.add("GreaterOrEqual", down, columns), node.outputs[0].dtype)


def _count(graph: Graph, length: Any) -> str:
    return graph.writer.add("Range", graph.number(0, "int64"), graph.valued(length, "int64"), graph.number(1, "int64"))


@operator("RepeatOp")
def write_repeat(graph: Graph, node: Any) -> str:
    """Write each element of an axis several times."""
    value, times = node.inputs
    axis = 0 if node.op.axis is None else int(node.op.axis) % value.ndim
    name = graph.writer.reshape(graph.value(value), -1) if node.op.axis is None else graph.value(value)
    rank = 1 if node.op.axis is None else value.ndim
    if times.ndim:
        counts = graph.constant(times, "RepeatOp with numbers for each element")
        places = np.repeat(np.arange(len(counts)), counts.astype(int))
        return graph.writer.add("Gather", name, places.astype(np.int64), axis=axis)
    wide = graph.writer.add("Unsqueeze", name, graph.writer.lengths(axis + 1))
    shape = [1] * (rank + 1)
    repeated = graph.writer.add(
        "Expand", wide, graph.joined([*shape[: axis + 1], graph.scalar(times), *shape[axis + 2 :]])
    )
    return graph.writer.reshape(repeated, *[0] * axis, -1, *_rest(graph, value, axis, rank))


def _rest(graph: Graph, value: Any, axis: int, rank: int) -> list[int]:
    lengths = [graph.equal.length((value, each)) for each in range(axis + 1, rank)]
    if any(length is None for length in lengths):
        refuse("operator RepeatOp", "axes behind the one that is repeated have no length that is known; swap them")
    return [int(length) for length in lengths if length is not None]


@operator("Tile")
def write_tile(graph: Graph, node: Any) -> str:
    """Write a value several times along each axis."""
    value, times = node.inputs
    name = graph.value(value)
    if node.op.ndim > value.ndim:
        name = graph.writer.add("Unsqueeze", name, graph.writer.lengths(*range(node.op.ndim - value.ndim)))
    return graph.writer.add("Tile", name, graph.cast(graph.value(times), times.dtype, "int64"))


@operator("ExtractDiag")
def write_diagonal(graph: Graph, node: Any) -> str:
    """Write the diagonal of a matrix."""
    value, op = node.inputs[0], node.op
    if value.ndim != 2 or getattr(op, "offset", 0) != 0:  # noqa: PLR2004
        refuse("operator ExtractDiag", "only the main diagonal of a matrix is converted")
    name, shape = graph.value(value), graph.writer.add("Shape", graph.value(value))
    length = graph.writer.add("ReduceMin", shape, axes=[0], keepdims=0)
    places = graph.writer.add("Range", graph.number(0, "int64"), length, graph.number(1, "int64"))
    column = graph.writer.add("Unsqueeze", places, graph.writer.lengths(1))
    return graph.writer.add("GatherND", name, graph.writer.concat([column, column], 1))
