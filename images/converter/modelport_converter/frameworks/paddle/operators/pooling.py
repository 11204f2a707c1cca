"""Pools (paddle/phi/kernels/funcs/pooling.cc) that ONNX has no operator for, or another meaning of.

Adaptive ones: cell i of n covers floor(i * length / n) to ceil((i + 1) * length / n). An average that counts the padding
takes that at the beginning for that at the end, too, which ONNX cannot say.
"""

from collections.abc import Sequence

import numpy as np

from modelport_converter.frameworks.paddle.operators.base import Context, Writer, attribute
from modelport_converter.frameworks.paddle.reading.program import Operator, Program

MAX_CELLS = 64
SIDES = 2


def write_pool(context: Context) -> None:
    """Write a pool over the last two axes."""
    if _leaves_gaps(context.operator, context.program):
        raise context.refuse(
            "ceil_mode or SAME with strides by which a window begins behind the end", "windows as long as strides"
        )
    if str(context.attribute("data_format", default="NCHW")) != "NCHW":
        raise context.refuse("data_format NHWC", "NCHW")
    cells = _sizes(context.operator, context.program)
    if context.operator.kind == "max_pool2d_with_index" and context.is_used("Mask"):
        raise context.refuse("an output of places (return_mask)", "maxima alone")
    if not context.attribute("adaptive", default=False):
        raise context.refuse(
            "exclusive=False and other padding at the end than at the beginning", "the same at both ends"
        )
    if context.attribute("pooling_type", default="max") == "avg":
        _write_average(context, cells)
    else:
        _write_maximum(context, cells)


def _write_average(context: Context, cells: Sequence[int]) -> None:
    writer = context.writer
    value = writer.weight(context.operand("X"))
    height, width = (_shares(context, value, axis - SIDES, count) for axis, count in enumerate(cells))
    across = writer.add("MatMul", value, writer.transpose(width, 1, 0))
    writer.add("MatMul", height, across, out=context.out())


def _shares(context: Context, value: str, axis: int, cells: int) -> str:
    """Return how much of each element is in each cell, [cells, length]."""
    writer = context.writer
    length = writer.add("Slice", writer.add("Shape", value), writer.lengths(axis), writer.lengths(axis + 1 or 2**31))
    starts, ends = _bounds(context, length, cells)
    places = writer.add("Range", np.array(0), writer.add("Squeeze", length), np.array(1))
    column = writer.lengths(1)
    starts, ends = writer.add("Unsqueeze", starts, column), writer.add("Unsqueeze", ends, column)
    inside = writer.add("And", writer.add("GreaterOrEqual", places, starts), writer.add("Less", places, ends))
    sizes = writer.cast(writer.add("Sub", ends, starts), context.value("X").dtype)
    return writer.add("Div", writer.cast(inside, context.value("X").dtype), sizes)


def _bounds(context: Context, length: str, cells: int) -> tuple[str, str]:
    """Return first and last but one of each cell, [cells]."""
    writer, numbers = context.writer, np.arange(cells, dtype=np.int64)
    starts = writer.add("Div", writer.add("Mul", length, numbers), np.array(cells))
    above = writer.add("Add", writer.add("Mul", length, numbers + 1), np.array(cells - 1))
    return starts, writer.add("Div", above, np.array(cells))


def _write_maximum(context: Context, cells: Sequence[int]) -> None:
    if sum(cells) > 2 * MAX_CELLS:
        raise context.refuse(f"{cells[0]} times {cells[1]} cells", f"at most {MAX_CELLS} along an axis")
    writer = context.writer
    value = writer.weight(context.operand("X"))
    for axis, count in enumerate(cells, 2):
        starts, ends = _bounds(context, writer.length(value, axis), count)
        parts = []
        for number in range(count):
            place = writer.lengths(number)
            bounds = writer.add("Gather", starts, place), writer.add("Gather", ends, place)
            part = writer.add("Slice", value, *bounds, writer.lengths(axis))
            parts.append(writer.add("ReduceMax", part, axes=[axis], keepdims=1))
        value = writer.concat(parts, axis)
    writer.add("Identity", value, out=context.out())


def _sizes(operator: Operator, program: Program) -> list[int]:
    """Return the kernel, or the cells of an adaptive pool; Paddle 3 gives it as an input."""
    name = next(iter(operator.inputs.get("ksize", ())), "")
    given = program.constants.get(name) or attribute(operator, "ksize", "kernel_size", default=[])
    return [int(each) for each in given]


def _is_meant(operator: Operator, program: Program) -> bool:
    if attribute(operator, "global_pooling", default=False):
        return False
    sizes = _sizes(operator, program)
    if attribute(operator, "adaptive", default=False):
        return len(sizes) == SIDES and sizes != [1, 1]
    if _leaves_gaps(operator, program):
        return True
    counts = not attribute(operator, "exclusive", default=True)
    is_average = attribute(operator, "pooling_type", default="max") == "avg"
    pads = attribute(operator, "paddings", default=[])
    is_uneven = len(pads) > SIDES and pads[0::2] != pads[1::2]
    return is_average and counts and bool(is_uneven or attribute(operator, "padding_algorithm") == "SAME")


def _leaves_gaps(operator: Operator, program: Program) -> bool:
    """Whether a window may begin behind the end, which Paddle counts as one and ONNX does not, or before the beginning."""
    if attribute(operator, "adaptive", default=False) or attribute(operator, "global_pooling", default=False):
        return False
    sizes, strides = _sizes(operator, program), [int(each) for each in attribute(operator, "strides", default=[])]
    if attribute(operator, "padding_algorithm") == "SAME":
        return any(size < step for size, step in zip(sizes, strides, strict=False))
    pads = [int(each) for each in attribute(operator, "paddings", default=[])]
    if not attribute(operator, "ceil_mode", default=False) or len(pads) not in {len(sizes), 2 * len(sizes)}:
        return False
    pairs = (
        list(zip(pads[0::2], pads[1::2], strict=True)) if len(pads) > len(sizes) else [(each, each) for each in pads]
    )
    value = program.values.get(next(iter(operator.inputs.get("X", ())), ""))
    lengths = value.shape[-len(sizes) :] if value else [-1] * len(sizes)
    for length, size, step, (before, after) in zip(lengths, sizes, strides, pairs, strict=False):
        last = -(-(length + before + after - size) // step) * step
        if last >= length + before if length >= 0 else size < after + step:
            return True
    return False


def _is_index_meant(operator: Operator, program: Program) -> bool:
    places = set(operator.outputs.get("Mask", ()))
    taken = {name for each in program.operators for names in each.inputs.values() for name in names}
    if places & (taken | set(program.fetched)) or _leaves_gaps(operator, program):
        return True
    return bool(attribute(operator, "adaptive", default=False)) and _is_meant(operator, program)


WRITERS = {
    "pool2d": Writer(write_pool, _is_meant),
    "pool3d": Writer(write_pool, _leaves_gaps),
    "max_pool3d_with_index": Writer(write_pool, _leaves_gaps),
    "max_pool2d_with_index": Writer(write_pool, _is_index_meant),
}
