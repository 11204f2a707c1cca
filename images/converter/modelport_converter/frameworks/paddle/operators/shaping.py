"""Operators that move elements, choose them, or bring several together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelport_converter.frameworks.paddle.operators.base import Context, Writer, attribute
from modelport_converter.frameworks.paddle.reading.program import Operator, Program

LAST = 2**31 - 1
REDUCTIONS = {
    "mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd",
    "amax": "ReduceMax", "amin": "ReduceMin",
}  # fmt: skip
LENGTHS = {0.0: "ReduceSum", 1.0: "ReduceL1", 2.0: "ReduceL2"}
"""Norms by their order; that of order 0 counts what is not 0."""
ALWAYS = frozenset({"amax", "amin"})


def write_flip(context: Context) -> None:
    """Write some axes in reverse order."""
    axes = [int(each) for each in context.attribute("axis", "axes")]
    _reverse(context, axes, [LAST] * len(axes), [-LAST] * len(axes), [-1] * len(axes))


def write_strided(context: Context) -> None:
    """Write a part with steps; those below zero go backwards."""
    bounds = [[int(each) for each in context.attribute(name)] for name in ("axes", "starts", "ends", "strides")]
    if any(context.has(f"{name}Tensor{kind}") for name in ("Starts", "Ends", "Strides") for kind in ("", "List")):
        raise context.refuse("bounds that are computed, with a negative stride", "constants")
    _reverse(context, bounds[0], bounds[1], bounds[2], bounds[3])


def _reverse(
    context: Context, axes: Sequence[int], starts: Sequence[int], ends: Sequence[int], steps: Sequence[int]
) -> None:
    writer = context.writer
    slot = "X" if context.has("X") else "Input"
    bounds = (writer.lengths(*each) for each in (starts, ends, axes, steps))
    writer.add("Slice", context.operand(slot), *bounds, out=context.out())


def write_wrapped(context: Context) -> None:
    """Write what goes on at the other end where it is padded, of depth, height and width; the last axis is told first."""
    if str(context.attribute("data_format", default="NCDHW")) != "NCDHW":
        raise context.refuse("data_format NDHWC with mode circular", "NCDHW")
    told = context.array("Paddings").tolist() if context.has("Paddings") else context.attribute("paddings")
    writer, value = context.writer, context.writer.weight(context.operand("X"))
    for axis, (before, after) in zip((4, 3, 2), zip(told[::2], told[1::2], strict=True), strict=True):
        parts = [writer.slice(value, axis, -before)] if before else []
        parts += [value, *([writer.slice(value, axis, 0, after)] if after else [])]
        value = writer.concat(parts, axis)
    writer.add("Identity", value, out=context.out())


def write_expand_as(context: Context) -> None:
    """Write a value as large as another one."""
    shape = context.writer.add("Shape", context.operand("Y"))
    context.writer.add("Expand", context.operand("X"), shape, out=context.out())


def write_dot(context: Context) -> None:
    """Write the sum of products along the last axis, which is left out."""
    writer = context.writer
    product = writer.add("Mul", context.operand("X"), context.operand("Y"))
    writer.add("ReduceSum", product, writer.lengths(-1), keepdims=0, out=context.out())


def write_reduction(context: Context) -> None:
    """Write one number of all; truth values are counted."""
    writer, kind = context.writer, _reduction(context.operator)
    value, out = writer.weight(context.operand("X")), context.out()
    keep = int(bool(context.attribute("keep_dim", "keepdim", default=False)))
    axes = [] if context.attribute("reduce_all", default=False) else _axes(context.operator, context.program)
    if context.value("X").dtype == "bool":
        value = writer.cast(value, np.int64)
    if kind == "sum" and axes:
        writer.add("ReduceSum", value, writer.lengths(*axes), keepdims=keep, out=out)
    else:
        told: dict[str, Any] = {"axes": axes} if axes else {}
        writer.add(REDUCTIONS[kind], value, keepdims=keep, out=out, **told)


def write_length(context: Context) -> None:
    """Write a norm of all elements, of order 0, or of infinite order: the largest size, or of minus infinity the smallest."""
    writer, order = context.writer, float(context.attribute("porder", default=2.0))
    whole = bool(context.attribute("asvector", default=False))
    told: dict[str, Any] = {"keepdims": int(bool(context.attribute("keepdim", default=False)))}
    told |= {} if whole else {"axes": [int(context.attribute("axis", default=-1))]}
    value = writer.weight(context.operand("X"))
    if np.isinf(order):
        kind = "ReduceMax" if order > 0 else "ReduceMin"
        writer.add(kind, writer.add("Abs", value), out=context.out(), **told)
    elif order == 0:
        dtype = np.dtype(context.value("X").dtype)
        counted = writer.cast(writer.cast(value, bool), dtype)
        axes = [writer.lengths(*told.pop("axes"))] if "axes" in told else []
        writer.add(LENGTHS[order], counted, *axes, out=context.out(), **told)
    elif order in LENGTHS:
        writer.add(LENGTHS[order], value, out=context.out(), **told)
    else:
        raise context.refuse(
            f"the order {order} over all elements", f"one of {', '.join(map(str, LENGTHS))}, or infinity"
        )


def write_norm(context: Context) -> None:
    """Write layer normalisation over several axes: weights there are in one row."""
    writer, first = context.writer, int(context.attribute("begin_norm_axis", default=1))
    shape = list(context.value("X").shape[first:])
    if min(shape) < 0:
        raise context.refuse(
            f"lengths {shape} with begin_norm_axis {first}", "fixed lengths of the axes that are normalised"
        )
    scale = context.array("Scale") if context.has("Scale") else np.ones(shape, np.float32)
    bias = [context.array("Bias").reshape(shape)] if context.has("Bias") else []
    epsilon = float(context.attribute("epsilon", default=1e-5))
    operands = (context.operand("X"), scale.reshape(shape), *bias)
    writer.add("LayerNormalization", *operands, axis=first, epsilon=epsilon, out=context.out("Y"))


def write_shuffle(context: Context) -> None:
    """Write channels in turns from each group."""
    writer, groups = context.writer, int(context.attribute("groups", default=1))
    channels = context.value("X").shape[1]
    if channels < 0 or str(context.attribute("data_format", default="NCHW")) != "NCHW":
        raise context.refuse("free channels or NHWC", "NCHW with a fixed number of channels")
    shape = writer.add("Shape", context.operand("X"))
    split = writer.reshape(writer.weight(context.operand("X")), 0, groups, channels // groups, -1)
    writer.add("Reshape", writer.transpose(split, 0, 2, 1, 3), shape, out=context.out())


def _reduction(operator: Operator) -> str:
    return operator.kind.removeprefix("reduce_")


def _axes(operator: Operator, program: Program) -> list[int]:
    name = next(iter(operator.inputs.get("1", ())), "")
    given = program.constants.get(name, attribute(operator, "dim", "axis", default=[]))
    return [int(each) for each in (given if isinstance(given, (list, tuple)) else [given])]


def _is_whole(operator: Operator, program: Program) -> bool:
    name = next(iter(operator.inputs.get("X", ())), "")
    value = program.values.get(name)
    if operator.inputs.get("1") and operator.inputs["1"][0] not in program.constants:
        return False
    is_whole = attribute(operator, "reduce_all", default=False) or not _axes(operator, program)
    counts = value is not None and value.dtype == "bool" and _reduction(operator) == "sum"
    return bool(is_whole) or counts or _reduction(operator) in ALWAYS


def _is_reversed(operator: Operator, _program: Program) -> bool:
    return any(each < 0 for each in attribute(operator, "strides", default=[]))


def _is_unlike(operator: Operator, _program: Program) -> bool:
    order = float(attribute(operator, "porder", default=2.0))
    return bool(np.isinf(order) or order == 0 or attribute(operator, "asvector", default=False))


def _is_spread(operator: Operator, program: Program) -> bool:
    value = program.values.get(next(iter(operator.inputs.get("X", ())), ""))
    return value is not None and int(attribute(operator, "begin_norm_axis", default=1)) < len(value.shape) - 1


WRITERS = {
    "flip": Writer(write_flip),
    "pad3d": Writer(write_wrapped, lambda operator, _: attribute(operator, "mode") == "circular"),
    "strided_slice": Writer(write_strided, _is_reversed),
    "expand_as_v2": Writer(write_expand_as, lambda operator, _: bool(operator.inputs.get("Y"))),
    "dot": Writer(write_dot),
    "p_norm": Writer(write_length, _is_unlike),
    "layer_norm": Writer(write_norm, _is_spread),
    "channel_shuffle": Writer(write_shuffle),
    **{f"{prefix}{name}": Writer(write_reduction, _is_whole) for name in REDUCTIONS for prefix in ("", "reduce_")},
}
del WRITERS["sum"]  # in Paddle 2 it adds several values
