"""Operators of one operand, element by element."""

import math
from collections.abc import Callable

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator

WIDE = np.dtype(np.float64)


def _half_down(call: Call, value: str) -> str:
    """Return the nearest whole number, the lower one of two (mshadow_op::rint)."""
    down = call.add("Floor", value)
    is_up = call.add("Greater", call.add("Sub", value, down), call.constant(0.5, call.out.dtype))
    return call.add("Add", down, call.graph.cast(is_up, call.out.dtype))


def _half_away(call: Call, value: str) -> str:
    """Return the nearest whole number, the one away from zero of two (roundf)."""
    size = call.add("Abs", value)
    down = call.add("Floor", size)
    is_up = call.add("GreaterOrEqual", call.add("Sub", size, down), call.constant(0.5, call.out.dtype))
    return call.add("Mul", call.add("Sign", value), call.add("Add", down, call.graph.cast(is_up, call.out.dtype)))


def _log1p(call: Call, value: str) -> str:
    """Return log(1 + x), exact near 0: what rounding takes from 1 + x is taken from the quotient as well (Kahan)."""
    one = call.constant(1, call.out.dtype)
    moved = call.add("Add", value, one)
    scaled = call.add("Div", call.add("Mul", call.add("Log", moved), value), call.add("Sub", moved, one))
    is_far = call.add("Greater", moved, call.constant(1e6, call.out.dtype))  # infinity by infinity is no number
    scaled = call.add("Where", is_far, call.add("Log", moved), scaled)
    return call.add("Where", call.add("Equal", moved, one), value, scaled)


def _expm1(call: Call, value: str) -> str:
    """Return exp(x) - 1, exact near 0."""
    one = call.constant(1, call.out.dtype)
    power = call.add("Exp", value)
    less = call.add("Sub", power, one)
    scaled = call.add("Div", call.add("Mul", less, value), call.add("Log", power))
    is_near = call.add("Less", call.add("Abs", value), call.constant(1, call.out.dtype))
    return call.add("Where", call.add("Equal", power, one), value, call.add("Where", is_near, scaled, less))


def _scaled(operator_name: str, factor: float) -> Callable[[Call, str], str]:
    return lambda call, value: call.add("Mul", call.add(operator_name, value), call.constant(factor, call.out.dtype))


def _times(factor: float) -> Callable[[Call, str], str]:
    return lambda call, value: call.add("Mul", value, call.constant(factor, call.out.dtype))


def _root(call: Call, value: str) -> str:
    size = call.add("Pow", call.add("Abs", value), call.constant(1 / 3, call.out.dtype))
    return call.add("Mul", call.add("Sign", value), size)


def _one(name: str) -> Callable[[Call, str], str]:
    return lambda call, value: call.add(name, value)


def _inverse(of: Callable[[Call, str], str]) -> Callable[[Call, str], str]:
    return lambda call, value: call.add("Reciprocal", of(call, value))


UNARY: dict[tuple[str, ...], Callable[[Call, str], str]] = {
    ("abs", "_npi_absolute", "_npi_abs"): _one("Abs"),
    ("negative", "_npi_negative"): _one("Neg"),
    ("exp", "_npi_exp"): _one("Exp"),
    ("log", "_npi_log"): _one("Log"),
    ("log2", "_npi_log2"): _scaled("Log", 1 / math.log(2)),
    ("log10", "_npi_log10"): _scaled("Log", 1 / math.log(10)),
    ("log1p", "_npi_log1p"): _log1p,
    ("expm1", "_npi_expm1"): _expm1,
    ("sqrt", "_npi_sqrt"): _one("Sqrt"),
    ("rsqrt",): _inverse(_one("Sqrt")),
    ("cbrt", "_npi_cbrt"): _root,
    ("rcbrt",): _inverse(_root),
    ("square", "_npi_square"): lambda call, value: call.add("Mul", value, value),
    ("reciprocal", "_npi_reciprocal"): _one("Reciprocal"),
    ("sin", "_npi_sin"): _one("Sin"),
    ("cos", "_npi_cos"): _one("Cos"),
    ("tan", "_npi_tan"): _one("Tan"),
    ("arcsin", "_npi_arcsin"): _one("Asin"),
    ("arccos", "_npi_arccos"): _one("Acos"),
    ("arctan", "_npi_arctan"): _one("Atan"),
    ("sinh", "_npi_sinh"): _one("Sinh"),
    ("cosh", "_npi_cosh"): _one("Cosh"),
    ("tanh", "_npi_tanh"): _one("Tanh"),
    ("arcsinh", "_npi_arcsinh"): _one("Asinh"),
    ("arccosh", "_npi_arccosh"): _one("Acosh"),
    ("arctanh", "_npi_arctanh"): _one("Atanh"),
    ("degrees", "_npi_degrees"): _times(180 / math.pi),
    ("radians", "_npi_radians"): _times(math.pi / 180),
    ("erf", "_npx_erf"): _one("Erf"),
    ("sign", "_npi_sign"): _one("Sign"),
    ("ceil", "_npi_ceil"): _one("Ceil"),
    ("floor", "_npi_floor"): _one("Floor"),
    ("trunc", "fix", "_npi_trunc", "_npi_fix"): lambda call, value: call.add(
        "Mul", call.add("Sign", value), call.add("Floor", call.add("Abs", value))
    ),
    ("round",): _half_away,
    ("rint", "_npi_rint"): _half_down,
    ("relu", "_npx_relu"): _one("Relu"),
    ("sigmoid", "_npx_sigmoid"): _one("Sigmoid"),
    ("softsign",): _one("Softsign"),
    (
        *("_copy", "identity", "_np_copy", "BlockGrad", "stop_gradient", "make_loss", "MakeLoss"),
        *("IdentityAttachKLSparseReg", "_identity_with_attr_like_rhs", "_npi_copy", "_contrib_gradientmultiplier"),
    ): lambda _call, value: value,
    ("_contrib_round_ste",): _half_away,
    ("_contrib_sign_ste",): _one("Sign"),
}


EXACT = {"abs", "negative", "square", "sign", "relu", "_contrib_sign_ste", "_copy"}
"""What is computed of whole numbers in their own type; all else, as MXNet does, in floating point."""
ROUNDING = {"ceil", "floor", "trunc", "round", "rint", "_contrib_round_ste"}


def _register_unary(names: tuple[str, ...], write: Callable[[Call, str], str]) -> None:
    @operator(*names)
    def of_one(call: Call) -> str:
        dtype = call.out.dtype
        value = call.cast(call.x(), call.dtype, dtype)
        if dtype.kind == "f" or names[0] in EXACT:
            return write(call, value)
        if names[0] in ROUNDING:
            return value
        return call.cast(write(call.computing_in(WIDE), call.cast(value, dtype, WIDE)), WIDE, dtype)


for _names_of_one, _write_one in UNARY.items():
    _register_unary(_names_of_one, _write_one)


@operator("logical_not", "_npi_logical_not")
def write_not(call: Call) -> str:
    """Whether it is zero."""
    return call.cast(call.add("Not", call.cast(call.x(), call.dtype, np.dtype(bool))), np.dtype(bool), call.out.dtype)


@operator("_npi_around")
def write_around(call: Call) -> str:
    """Round to decimals."""
    if call.integer("decimals", 0):
        raise call.refuse("expected decimals=0", call.text("decimals"))
    return _half_away(call, call.x())
