"""Tensors of which only lengths follow from the inputs."""

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator


def _full(call: Call, value: float, name: str) -> str:
    return call.add("Expand", call.constant(value, call.out.dtype), call.add("Shape", name))


@operator("zeros_like")
def write_zeros(call: Call) -> str:
    """Zeros in the shape of another."""
    return _full(call, 0, call.x())


@operator("ones_like")
def write_ones(call: Call) -> str:
    """Ones in the shape of another."""
    return _full(call, 1, call.x())


@operator("_npi_full_like")
def write_full_like(call: Call) -> str:
    """Write a number in the shape of another."""
    return _full(call, call.number("fill_value"), call.x())


@operator("_zeros", "_ones", "_full", "_npi_zeros", "_npi_ones", "_npi_full", "_zeros_without_dtype", least=0)
def write_full(call: Call) -> str:
    """Write a number in a shape, whose unknown lengths (0) MXNet finds by what the rest of the graph needs."""
    kind = call.node.operator
    number = 1.0 if kind.endswith("ones") else 0.0
    if kind.endswith("full"):
        number = call.number("value" if kind == "_full" else "fill_value")
    lengths = [_length(call, axis) for axis in range(len(call.out.shape))]
    return call.add("Expand", call.constant(number, call.out.dtype), call.graph.concat(lengths, 0))


def _length(call: Call, axis: int) -> str:
    """Return the length of an axis of the result, int64 [1], which an input has where it is free."""
    length, origin = call.out.shape[axis], call.origins[axis]
    if length is not None:
        return call.graph.lengths(length)
    if origin is None:
        raise call.refuse("expected lengths that are known, or those of inputs", str(list(call.out.shape)))
    return call.graph.length(*origin)


@operator("_arange", "_npi_arange", least=0)
def write_numbers(call: Call) -> str:
    """Numbers in a row, each repeated."""
    if call.has("infer_range") and call.flag("infer_range"):
        raise call.refuse("expected no infer_range", "True")
    (length,) = call.out.shape
    if length is None:
        raise call.refuse("expected a length that is known", "a free one")
    repeat, start, step = call.integer("repeat", 1), call.number("start", 0.0), call.number("step", 1.0)
    numbers = start + np.arange(-(-length // repeat)) * step
    return call.graph.weight(np.repeat(numbers, repeat)[:length].astype(call.out.dtype))


@operator("_contrib_arange_like", "_npx_arange_like")
def write_numbers_like(call: Call) -> str:
    """Numbers in a row as long as an axis, or as all of another."""
    if call.integer("repeat", 1) != 1:
        raise call.refuse("expected repeat=1", call.text("repeat"))
    length = call.graph.length(call.x(), call.axis("axis", 0)) if call.has("axis") else call.add("Size", call.x())
    count = call.graph.reshape(length)
    places = call.add("Range", np.array(0, np.int64), count, np.array(1, np.int64))
    start, step = (
        call.constant(call.number(key, default), call.out.dtype) for key, default in (("start", 0.0), ("step", 1.0))
    )
    numbers = call.add("Add", call.add("Mul", call.graph.cast(places, call.out.dtype), step), start)
    return numbers if call.has("axis") else call.add("Reshape", numbers, call.add("Shape", call.x()))


@operator("shape_array", "_npx_shape_array")
def write_shape(call: Call) -> str:
    """Lengths."""
    return call.add("Shape", call.x())


@operator("size_array")
def write_size(call: Call) -> str:
    """Write number of elements."""
    return call.graph.reshape(call.add("Size", call.x()), 1)
