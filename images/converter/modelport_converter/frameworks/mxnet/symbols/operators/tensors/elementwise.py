"""Operators of two and of more operands, element by element, and casts.

Comparisons of the older operators give numbers in the type of what they compare, those of NumPy's give truths: the type
of the result, which MXNet infers, tells.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator

Binary = Callable[[Call, str, str], str]
"""Writes two operands of one element type, that of the result unless it compares."""


def _same(name: str) -> Binary:
    return lambda call, left, right: call.add(name, left, right)


def _modulo(call: Call, left: str, right: str) -> str:
    """Return the rest with the sign of the divisor, and 0 by 0 (mshadow_op::mod)."""
    zero = call.constant(0, call.out.dtype)
    is_none = call.add("Equal", right, zero)
    rest = call.add("Mod", left, call.add("Where", is_none, call.constant(1, call.out.dtype), right), fmod=1)
    is_other = call.add("Xor", call.add("Less", rest, zero), call.add("Less", right, zero))
    is_other = call.add("And", is_other, call.add("Not", call.add("Equal", rest, zero)))
    rest = call.add("Where", is_other, call.add("Add", rest, right), rest)
    return call.add("Where", is_none, zero, rest)


def _hypotenuse(call: Call, left: str, right: str) -> str:
    return call.add("Sqrt", call.add("Add", call.add("Mul", left, left), call.add("Mul", right, right)))


ARITHMETIC: dict[str, Binary] = {
    "add": _same("Add"),
    "sub": _same("Sub"),
    "mul": _same("Mul"),
    "div": _same("Div"),
    "mod": _modulo,
    "power": _same("Pow"),
    "maximum": _same("Max"),
    "minimum": _same("Min"),
    "hypot": _hypotenuse,
}
COMPARING: dict[str, Binary] = {
    "equal": _same("Equal"),
    "not_equal": lambda call, left, right: call.add("Not", call.add("Equal", left, right)),
    "greater": _same("Greater"),
    "greater_equal": _same("GreaterOrEqual"),
    "lesser": _same("Less"),
    "lesser_equal": _same("LessOrEqual"),
}
FLOATING = {"power", "hypot"}
"""What is computed of whole numbers in floating point."""
LOGICAL: dict[str, Binary] = {"logical_and": _same("And"), "logical_or": _same("Or"), "logical_xor": _same("Xor")}
OTHER_NAMES = {
    "add": ("elemwise_add", "broadcast_add", "broadcast_plus", "_plus", "_Plus", "_add", "_grad_add", "_npi_add"),
    "sub": ("elemwise_sub", "broadcast_sub", "broadcast_minus", "_minus", "_Minus", "_sub", "_npi_subtract"),
    "mul": ("elemwise_mul", "broadcast_mul", "_mul", "_Mul", "_npi_multiply"),
    "div": ("elemwise_div", "broadcast_div", "_div", "_Div", "_npi_true_divide"),
    "power": ("broadcast_power", "_power", "_Power", "_npi_power"),
    "lesser": ("broadcast_lesser", "_lesser", "_Lesser", "_npi_less"),
    "lesser_equal": ("broadcast_lesser_equal", "_lesser_equal", "_Lesser_Equal", "_npi_less_equal"),
    "greater_equal": ("broadcast_greater_equal", "_greater_equal", "_Greater_Equal", "_npi_greater_equal"),
    "not_equal": ("broadcast_not_equal", "_not_equal", "_Not_Equal", "_npi_not_equal"),
}
SCALARS = {
    "add": ("_plus_scalar", "_PlusScalar", "_npi_add_scalar"),
    "sub": ("_minus_scalar", "_MinusScalar", "_npi_subtract_scalar"),
    "mul": ("_mul_scalar", "_MulScalar", "_npi_multiply_scalar"),
    "div": ("_div_scalar", "_DivScalar", "_npi_true_divide_scalar"),
    "lesser": ("_lesser_scalar", "_LesserScalar", "_npi_less_scalar"),
    "lesser_equal": ("_lesser_equal_scalar", "_LesserEqualScalar", "_npi_less_equal_scalar"),
    "greater_equal": ("_greater_equal_scalar", "_GreaterEqualScalar", "_npi_greater_equal_scalar"),
    "not_equal": ("_not_equal_scalar", "_NotEqualScalar", "_npi_not_equal_scalar"),
}
REVERSED = {
    "sub": ("_rminus_scalar", "_RMinusScalar", "_npi_rsubtract_scalar"),
    "div": ("_rdiv_scalar", "_RDivScalar", "_npi_rtrue_divide_scalar"),
    "power": ("_rpower_scalar", "_RPowerScalar", "_npi_rpower_scalar"),
    "mod": ("_rmod_scalar", "_RModScalar", "_npi_rmod_scalar"),
}
"""The number before the operand."""


def _names(name: str, table: Mapping[str, tuple[str, ...]], ends: str = "") -> tuple[str, ...]:
    camel = "".join(part.capitalize() for part in name.split("_"))
    plain = (f"broadcast_{name}", f"_{name}", f"_{camel}", f"_npi_{name}")
    scalar = (f"_{name}_scalar", f"_{camel}Scalar", f"_npi_{name}_scalar")
    return table.get(name, scalar if ends else plain)


def _register(name: str, write: Binary) -> None:
    def compute(call: Call, dtype: "np.dtype[np.generic]", left: str, right: str) -> str:
        if name in FLOATING and dtype.kind in "iu":
            wide = call.computing_in(np.dtype(np.float64))
            result = write(wide, *(call.cast(each, dtype, wide.out.dtype) for each in (left, right)))
            return call.cast(result, wide.out.dtype, dtype)
        return _finish(name, call, write(call, left, right))

    def of_two(call: Call) -> str:
        dtype = _operand_dtype(name, call, *(value.dtype for value in call.inputs[:2]))
        left, right = (call.cast(call.x(index), call.inputs[index].dtype, dtype) for index in range(2))
        return compute(call, dtype, left, right)

    def of_scalar(call: Call) -> str:
        dtype = _operand_dtype(name, call, call.dtype)
        return compute(call, dtype, call.cast(call.x(), call.dtype, dtype), _scalar(call, dtype))

    def of_reversed(call: Call) -> str:
        dtype = _operand_dtype(name, call, call.dtype)
        return compute(call, dtype, _scalar(call, dtype), call.cast(call.x(), call.dtype, dtype))

    operator(*_names(name, OTHER_NAMES), least=2)(of_two)
    operator(*_names(name, SCALARS, "scalar"))(of_scalar)
    if name in REVERSED:
        operator(*REVERSED[name])(of_reversed)


def _scalar(call: Call, dtype: "np.dtype[np.generic]") -> str:
    number = call.number("scalar", 1.0)
    if dtype.kind == "b":
        number = float(number != 0)
    return call.graph.weight(call.constant(number, dtype))  # in the type of the operand, as MXNet casts it


def _operand_dtype(name: str, call: Call, *given: "np.dtype[np.generic]") -> "np.dtype[np.generic]":
    """Return the type to compute in."""
    if name in LOGICAL:
        return np.dtype(bool)
    return np.result_type(*given) if name in COMPARING else call.out.dtype


def _finish(name: str, call: Call, result: str) -> str:
    given = np.dtype(bool) if name in COMPARING or name in LOGICAL else call.out.dtype
    return call.cast(result, given, call.out.dtype)


for _name, _write in (ARITHMETIC | COMPARING | LOGICAL).items():
    _register(_name, _write)


@operator("Cast", "cast", "_npx_cast", "_npi_cast", "amp_cast")
def write_cast(call: Call) -> str:
    """Cast; fractions are cut off."""
    return call.cast(call.x(), call.dtype, call.out.dtype)


@operator("amp_multicast")
def write_multicast(call: Call) -> list[str]:
    """Cast all to one type."""
    pairs = zip(call.inputs, call.outputs, strict=True)
    return [call.cast(call.x(index), given.dtype, out.dtype) for index, (given, out) in enumerate(pairs)]


@operator("add_n", "ElementWiseSum", "_sparse_add_n")
def write_sum(call: Call) -> str:
    """Add all operands."""
    return call.add("Sum", *(call.x(index) for index in range(len(call.inputs))))


@operator("clip", "_npi_clip")
def write_clip(call: Call) -> str:
    """Keep within two numbers, each of which may be absent."""
    bounds = (call.constant(call.number(key), call.out.dtype) if call.has(key) else "" for key in ("a_min", "a_max"))
    return call.add("Clip", call.x(), *bounds)


@operator("smooth_l1", "_npx_smooth_l1")
def write_smooth(call: Call) -> str:
    """Half the square near zero, linear beyond 1 / scalar², as losses have it."""
    square = call.number("scalar", 1.0) ** 2
    value, size = call.x(), call.add("Abs", call.x())
    near = call.add("Mul", call.add("Mul", value, value), call.constant(square / 2))
    is_far = call.add("Greater", size, call.constant(1 / square))
    return call.add("Where", is_far, call.add("Sub", size, call.constant(0.5 / square)), near)


@operator("_contrib_div_sqrt_dim")
def write_root_of_length(call: Call) -> str:
    """Divide by the root of the length of the last axis."""
    length = call.shape()[-1]
    if length is not None:
        return call.add("Div", call.x(), call.constant(math.sqrt(length)))
    return call.add("Div", call.x(), call.add("Sqrt", call.graph.cast(call.graph.length(call.x(), -1), call.dtype)))


@operator("_contrib_quadratic")
def write_quadratic(call: Call) -> str:
    """Write a x² + b x + c."""
    value = call.x()
    first, second, third = (call.constant(call.number(key, 0.0)) for key in "abc")
    return call.add("Add", call.add("Mul", call.add("Add", call.add("Mul", value, first), second), value), third)


@operator("where", "_npi_where", least=3)
def write_where(call: Call) -> str:
    """Choose by what is not zero; a condition of one axis chooses rows of others."""
    condition = call.cast(call.x(0), call.dtype, np.dtype(bool))
    missing = call.rank(1) - call.rank(0)
    if call.node.operator == "where" and call.rank(0) == 1 and missing > 0:
        condition = call.graph.reshape(condition, -1, *[1] * missing)
    values = (call.cast(call.x(index), call.inputs[index].dtype, call.out.dtype) for index in (1, 2))
    return call.add("Where", condition, *values)
