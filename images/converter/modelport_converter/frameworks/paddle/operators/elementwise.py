"""Operators on each element, with the formulas of paddle/phi/kernels/funcs/activation_functor.h."""

import math

import numpy as np

from modelport_converter.frameworks.paddle.operators.base import Context, Writer, attribute
from modelport_converter.onnx_graphs.writing import GraphWriter

CUBIC = 0.044715
FARTHEST = -64.0
"""How far behind the largest number Paddle lets one be in softmax (paddle/phi/kernels/funcs/softmax_impl.h, ValueClip)."""


def write_gelu(context: Context) -> None:
    """Write x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))."""
    writer = _typed(context)
    value = writer.weight(context.operand("X"))
    cube = writer.add("Mul", writer.add("Mul", value, value), value)
    inner = writer.add("Add", value, writer.add("Mul", cube, CUBIC))
    gate = writer.add("Add", writer.add("Tanh", writer.add("Mul", inner, math.sqrt(2 / math.pi))), 1.0)
    writer.add("Mul", writer.add("Mul", value, 0.5), gate, out=context.out())


def write_softplus(context: Context) -> None:
    """Write log(1 + exp(beta x)) / beta, and x itself beyond the threshold."""
    writer, beta = _typed(context), float(context.attribute("beta", default=1.0))
    value = writer.weight(context.operand("X"))
    scaled = writer.add("Mul", value, beta)
    is_large = writer.add("Greater", scaled, float(context.attribute("threshold", default=20.0)))
    soft = writer.add("Div", writer.add("Softplus", scaled), beta)
    writer.add("Where", is_large, value, soft, out=context.out())


def write_expm1(context: Context) -> None:
    """Write exp(x) - 1: near 0 as 2 sinh(x / 2) exp(x / 2), which loses nothing there and is no number far below."""
    writer = _typed(context)
    value = writer.weight(context.operand("X"))
    half = writer.add("Mul", value, 0.5)
    product = writer.add("Mul", writer.add("Sinh", half), writer.add("Exp", half))
    plain = writer.add("Sub", writer.add("Exp", value), 1.0)
    is_low = writer.add("Less", value, -1.0)
    writer.add("Where", is_low, plain, writer.add("Mul", product, 2.0), out=context.out())


def write_log_sigmoid(context: Context) -> None:
    """Write -log(1 + exp(-x)): the logarithm of a sigmoid that is rounded to 0 is infinite."""
    writer = context.writer
    soft = writer.add("Softplus", writer.add("Neg", context.operand("X")))
    writer.add("Neg", soft, out=context.out())


def write_log_softmax(context: Context) -> None:
    """Write the logarithm of softmax of numbers that are cut off far behind the largest one, as Paddle does."""
    writer, axis = _typed(context), int(context.attribute("axis", default=-1))
    value = writer.weight(context.operand("X"))
    behind = writer.add("Sub", value, writer.add("ReduceMax", value, axes=[axis], keepdims=1))
    writer.add("LogSoftmax", writer.add("Max", behind, FARTHEST), axis=axis, out=context.out())


def write_trunc(context: Context) -> None:
    """Write x rounded towards 0."""
    writer = context.writer
    value = writer.weight(context.operand("X"))
    writer.add("Mul", writer.add("Sign", value), writer.add("Floor", writer.add("Abs", value)), out=context.out())


def write_celu(context: Context) -> None:
    """Write ONNX's operator of the same name."""
    context.writer.add(
        "Celu", context.operand("X"), alpha=float(context.attribute("alpha", default=1.0)), out=context.out()
    )


def write_kept(context: Context) -> None:
    """Write the larger or the smaller of two, and the number where one of them is none."""
    writer = context.writer
    one, other = writer.weight(context.operand("X")), writer.weight(context.operand("Y"))
    kind = "Max" if context.operator.kind.endswith("fmax") else "Min"
    if not context.value("X").dtype.startswith("float"):
        writer.add(kind, one, other, out=context.out())
        return
    chosen = writer.add(kind, one, other)
    without = writer.add("Where", writer.add("IsNaN", other), one, chosen)
    writer.add("Where", writer.add("IsNaN", one), other, without, out=context.out())


def write_is(context: Context) -> None:
    """Write whether elements are no numbers, infinite, or neither."""
    writer, value = context.writer, context.writer.weight(context.operand("X"))
    kind = context.operator.kind.removesuffix("_v2")
    if kind == "isfinite":
        writer.add("Not", writer.add("Or", writer.add("IsNaN", value), writer.add("IsInf", value)), out=context.out())
    else:
        writer.add("IsNaN" if kind == "isnan" else "IsInf", value, out=context.out())


def _typed(context: Context) -> GraphWriter:
    """Return the writer, whose numbers have the operator's type from now on."""
    context.writer.dtype = np.dtype(context.value("X").dtype)
    return context.writer


WRITERS = {
    "gelu": Writer(write_gelu, lambda operator, _: bool(attribute(operator, "approximate"))),
    "softplus": Writer(write_softplus),
    "expm1": Writer(write_expm1),
    "logsigmoid": Writer(write_log_sigmoid),
    "log_softmax": Writer(
        write_log_softmax, lambda operator, program: bool(program.values[operator.inputs["X"][0]].shape)
    ),
    "trunc": Writer(write_trunc),
    "celu": Writer(write_celu),
    "elementwise_fmax": Writer(write_kept),
    "elementwise_fmin": Writer(write_kept),
    **{f"{name}_v2": Writer(write_is) for name in ("isnan", "isinf", "isfinite")},
}
