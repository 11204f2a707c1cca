"""Parts of values that are replaced (paddle/phi/kernels/impl/set_value_kernel_impl.h), and values without repetitions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.paddle.operators.base import Context, Writer, attribute
from modelport_converter.frameworks.paddle.reading.program import Operator, Program

VALUES = (
    "values", "fp32_values", "fp64_values", "fp16_values", "int64_values", "int32_values", "bool_values",
)  # fmt: skip
"""What the attribute with new numbers is called, by generation and element type."""
STARTS, ENDS, STEPS = ("Starts", "starts"), ("Ends", "ends"), ("Steps", "steps")


def write_replaced(context: Context) -> None:
    """Write a value of which a part is another one: an array of places, cut as the value, tells where each number belongs."""
    writer = context.writer
    starts, ends, steps = (_bounds(context, *each) for each in (STARTS, ENDS, STEPS))
    if any(step < 0 for step in steps):
        raise context.refuse(f"steps {steps}", "steps above 0")
    axes, dropped, added = (
        [int(each) for each in context.attribute(name, default=[])] for name in ("axes", "decrease_axes", "none_axes")
    )
    value = writer.weight(context.operand("Input"))
    shape = writer.add("Shape", value)
    count = writer.add("ReduceProd", shape, keepdims=0)
    places = writer.add("Reshape", writer.add("Range", np.array(0), count, np.array(1)), shape)
    places = writer.add("Slice", places, *(writer.lengths(*each) for each in (starts, ends, axes, steps)))
    if dropped:
        places = writer.add("Squeeze", places, writer.lengths(*dropped))
    new = _new(context)
    if added and not (isinstance(new, np.ndarray) and new.size == 1):
        raise context.refuse("an index with None and more than one new number", "one without None")
    content = writer.cast(writer.weight(new), context.value("Input").dtype)
    content = writer.add("Expand", content, writer.add("Shape", places))
    flat = writer.add(
        "ScatterND", writer.reshape(value, -1), writer.reshape(places, -1, 1), writer.reshape(content, -1)
    )
    writer.add("Reshape", flat, shape, out=context.out())


def _bounds(context: Context, slot: str, name: str) -> Sequence[int]:
    """Return where the parts begin or end, or their steps: an input in Paddle 3, an attribute in Paddle 2."""
    if context.has(slot):
        return [int(each) for each in context.array(slot)]
    if context.has(f"{slot}TensorList"):
        raise context.refuse(f"{slot} that are computed", "constants")
    return [int(each) for each in context.attribute(name, default=[])]


def _new(context: Context) -> str | Array:
    """Return the new numbers, in a shape that repeats to that of the part."""
    if context.has("ValueTensor"):
        operand = context.operand("ValueTensor")
        return operand if isinstance(operand, np.ndarray) else str(operand)
    numbers = next(each for each in map(context.attribute, VALUES) if each)
    shape = [int(each) for each in context.attribute("shape", default=[])]
    array = np.array(numbers, context.value("Input").dtype)
    return array.reshape(() if array.size == 1 else shape)


def write_filled(context: Context) -> None:
    """Write a number, or another value, where a mask is true."""
    writer = context.writer
    new = writer.cast(context.operand("Value"), context.value("X").dtype)
    writer.add("Where", context.operand("Mask"), new, context.operand("X"), out=context.out())


def write_unique(context: Context) -> None:
    """Write each element, or each row of an axis, once: in ascending order, or as they come first."""
    writer = context.writer
    told = context.attribute("axis", default=[])
    axes = [int(each) for each in (told if isinstance(told, (list, tuple)) else [told])]
    kinds = ("Out", "Indices", "Index", "Counts")
    along: dict[str, Any] = {"axis": axes[0]} if axes else {}
    made = writer.add_many(
        "Unique",
        ["" for _ in kinds],
        context.operand("X"),
        sorted=int(bool(context.attribute("is_sorted", default=False))),
        **along,
    )
    for slot, name in zip(kinds, made, strict=True):
        if context.operator.outputs.get(slot) and context.is_used(slot):
            dtype = context.program.values[context.operator.outputs[slot][0]].dtype
            writer.cast(name, dtype, out=context.out(slot))


def _is_apart(operator: Operator, _program: Program) -> bool:
    """Whether the result has a name of its own: older programs write into their input, which ONNX cannot."""
    return not set(operator.outputs.get("Out", ())) & set(operator.inputs.get("Input", ()))


WRITERS = {
    "set_value": Writer(write_replaced, _is_apart),
    "set_value_with_tensor": Writer(write_replaced, _is_apart),
    "masked_fill": Writer(write_filled, lambda operator, _: bool(operator.inputs.get("Mask"))),
    "unique": Writer(write_unique, lambda operator, _: attribute(operator, "is_sorted") is not None),
}
