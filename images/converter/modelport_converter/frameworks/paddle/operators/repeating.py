"""Elements in other places or several times, and axes that are left out, where lengths are free."""

import numpy as np

from modelport_converter.frameworks.paddle.operators.base import Context, Writer, attribute
from modelport_converter.frameworks.paddle.reading.program import Operator, Program


def write_rolled(context: Context) -> None:
    """Write elements some places further, and those from beyond the end at the beginning; without axes as one row."""
    shifts, axes = _numbers(context, "1", "shifts"), [int(each) for each in context.attribute("axis", default=[])]
    writer = context.writer
    value = writer.weight(context.operand("X"))
    whole = writer.add("Shape", value)
    if not axes:
        value, axes = writer.reshape(value, -1), [0]
    for axis, shift in zip(axes, shifts, strict=True):
        length = writer.length(value, axis)
        places = writer.add("Range", np.array(0), writer.add("Squeeze", length), np.array(1))
        chosen = writer.add("Mod", writer.add("Sub", places, np.array(shift)), length)
        value = writer.add("Gather", value, chosen, axis=axis)
    writer.add("Reshape", value, whole, out=context.out())


def write_repeated(context: Context) -> None:
    """Write each element of an axis several times, one behind the other."""
    times, axis = int(context.attribute("repeats", "Repeats")), int(context.attribute("axis", "dim", default=0))
    writer, value = context.writer, context.writer.weight(context.operand("X"))
    count = writer.add("Mul", writer.length(value, axis), np.array([times]))
    places = writer.add("Range", np.array(0), writer.add("Squeeze", count), np.array(1))
    writer.add("Gather", value, writer.add("Div", places, np.array(times)), axis=axis, out=context.out())


def write_tiled(context: Context) -> None:
    """Write a value several times along more axes than it has: new ones are the first."""
    times, writer = _numbers(context, "1", "repeat_times"), context.writer
    new = range(len(times) - len(context.value("X").shape))
    value = writer.add("Unsqueeze", context.operand("X"), writer.lengths(*new))
    writer.add("Tile", value, writer.lengths(*times), out=context.out())


def write_squeezed(context: Context) -> None:
    """Write a value without those of some axes that have the length 1; the others stay."""
    shape, told = context.value("X").shape, _numbers(context, "1", "axes")
    axes = sorted({axis % len(shape) for axis in told})
    free = [axis for axis in axes if shape[axis] < 0]
    if free:
        found = f"axis {free[0]} of a free length, which Paddle leaves out where it is 1, and keeps for all others"
        raise context.refuse(found, "axes of the length 1, as input_spec can state it")
    gone = [axis for axis in axes if shape[axis] == 1]
    operands = [context.writer.lengths(*gone)] if gone else []
    kind = "Squeeze" if gone else "Identity"
    context.writer.add(kind, context.operand("X"), *operands, out=context.out())


def write_unsqueezed(context: Context) -> None:
    """Write a value with new axes of the length 1, each at its place among those that are there by then."""
    axes, writer = _numbers(context, "1", "axes"), context.writer
    value = writer.weight(context.operand("X"))
    for number, axis in enumerate(axes, 1):
        value = writer.add("Unsqueeze", value, writer.lengths(axis), out=context.out() if number == len(axes) else "")


def _numbers(context: Context, slot: str, name: str) -> list[int]:
    """Return whole numbers that PIR has as an input and Paddle 2 as an attribute."""
    told = context.array(slot).tolist() if context.has(slot) else context.attribute(name, default=[])
    return [int(each) for each in (told if isinstance(told, (list, tuple)) else [told])]


def _told(operator: Operator, program: Program, name: str) -> list[int]:
    slot = next(iter(operator.inputs.get("1", ())), "")
    told = program.constants.get(slot, attribute(operator, name, default=[]))
    return [int(each) for each in (told if isinstance(told, (list, tuple)) else [told])]


def _shape(operator: Operator, program: Program) -> tuple[int, ...]:
    value = program.values.get(next(iter(operator.inputs.get("X", ())), ""))
    return value.shape if value else ()


def _is_longer(operator: Operator, program: Program) -> bool:
    return len(_told(operator, program, "repeat_times")) > len(_shape(operator, program))


def _is_unsure(operator: Operator, program: Program) -> bool:
    shape, axes = _shape(operator, program), _told(operator, program, "axes")
    return any(-len(shape) <= axis < len(shape) and shape[axis] != 1 for axis in axes)


def _is_mixed(operator: Operator, program: Program) -> bool:
    axes = _told(operator, program, "axes")
    return len(axes) > 1 and min(axes) < 0


def _is_constant(operator: Operator, program: Program) -> bool:
    """Whether no tensor tells how far."""
    return not operator.inputs.get("ShiftsTensor") and bool(_told(operator, program, "shifts"))


WRITERS = {
    "roll": Writer(write_rolled, _is_constant),
    "repeat_interleave": Writer(write_repeated),
    "tile": Writer(write_tiled, _is_longer),
    "squeeze": Writer(write_squeezed, _is_unsure),
    "squeeze2": Writer(write_squeezed, _is_unsure),
    "unsqueeze": Writer(write_unsqueezed, _is_mixed),
    "unsqueeze2": Writer(write_unsqueezed, _is_mixed),
}
