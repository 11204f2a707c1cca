"""What Theano does with one number of each input (`theano.scalar`): the same for each element, with Theano's own types.

Formulas are those of the classes' `impl`, which answer in Theano's own Python.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from modelport_converter.frameworks.mxnet.theano.operators.node import Graph, refuse

Names = Sequence[str]
Write = Callable[[Graph, Names, str], str]
"""Of names, which all have the type that is computed with, and that type."""
ORDERED = {"LT": "Less", "GT": "Greater", "LE": "LessOrEqual", "GE": "GreaterOrEqual", "EQ": "Equal", "NEQ": "Equal"}
FLOAT = {
    "Abs": "Abs", "ArcCos": "Acos", "ArcCosh": "Acosh", "ArcSin": "Asin", "ArcSinh": "Asinh", "ArcTan": "Atan",
    "ArcTanh": "Atanh", "Ceil": "Ceil", "Cos": "Cos", "Cosh": "Cosh", "Erf": "Erf", "Exp": "Exp", "Floor": "Floor",
    "Log": "Log", "Neg": "Neg", "RoundHalfToEven": "Round", "ScalarSigmoid": "Sigmoid",
    "ScalarSoftsign": "Softsign", "Sgn": "Sign", "Sin": "Sin", "Sinh": "Sinh", "Sqrt": "Sqrt", "Tan": "Tan",
    "Tanh": "Tanh",
}  # fmt: skip
"""One operator of ONNX each."""
COMPOSED = {"BNComposite", "Composite"}
WHOLE = {"Ceil", "Floor", "RoundHalfToEven", "Trunc", "RoundHalfAwayFromZero"}
"""What leaves integers as they are."""


def write_scalar(graph: Graph, op: Any, names: Names, kinds: Sequence[str], out: str) -> str:
    """Return what a scalar operator makes of values of types `kinds`, in type `out`."""
    kind = type(op).__name__
    if kind in {"Cast", "Identity"} or kind.startswith("Convert"):
        return graph.cast(names[0], kinds[0], out)
    if kind in COMPOSED:
        return write_composite(graph, op, names, kinds)[0]
    if kind in _TYPED:
        return _TYPED[kind](graph, op, names, kinds, out)
    write = _WRITTEN.get(kind)
    if write is None:
        refuse(f"operator {type(op).__module__}.{kind}", "it has no word in ONNX here")
    inner = np.result_type(*kinds).name if kind in {"IntDiv", "Mod"} else out
    converted = [graph.cast(name, given, inner) for name, given in zip(names, kinds, strict=True)]
    is_kept = kind in WHOLE and inner.startswith(("int", "uint", "bool"))
    return converted[0] if is_kept else graph.cast(write(graph, converted, inner), inner, out)


def write_composite(graph: Graph, op: Any, names: Names, kinds: Sequence[str]) -> list[str]:
    """Return what a graph of scalars makes: each of its nodes for all elements."""
    inner = op.fgraph
    values: dict[Any, tuple[str, str]] = dict(zip(inner.inputs, zip(names, kinds, strict=True), strict=True))

    def value(variable: Any) -> tuple[str, str]:
        if variable not in values:
            values[variable] = (graph.number(variable.data, variable.dtype), variable.dtype)
        return values[variable]

    for node in inner.toposort():
        given = [value(each) for each in node.inputs]
        if type(node.op).__name__ in _BINARY and any(each[1] != "bool" for each in given):
            refuse(
                f"operator {type(node.op).__name__} of {given[0][1]}", "bits of whole numbers have no word in ONNX 17"
            )
        if type(node.op).__name__ in COMPOSED:
            made = write_composite(graph, node.op, [each[0] for each in given], [each[1] for each in given])
        else:
            out = node.outputs[0].dtype
            made = [write_scalar(graph, node.op, [each[0] for each in given], [each[1] for each in given], out)]
        for variable, name in zip(node.outputs, made, strict=True):
            values[variable] = (name, variable.dtype)
    return [value(each)[0] for each in inner.outputs]


# --- truth ------------------------------------------------------------------------------------------------------------

_TRUTHS = {"AND": ("And", "Min"), "OR": ("Or", "Max"), "XOR": ("Xor", ""), "Invert": ("Not", "")}


_BINARY = {"AND", "OR", "XOR"}


def _choose(graph: Graph, _: Any, names: Names, kinds: Sequence[str], out: str) -> str:
    chosen = [graph.cast(name, given, out) for name, given in zip(names[1:], kinds[1:], strict=True)]
    return graph.writer.add("Where", graph.cast(names[0], kinds[0], "bool"), *chosen)


def _compare(graph: Graph, op: Any, names: Names, kinds: Sequence[str], out: str) -> str:
    return _compared(graph, type(op).__name__, names, kinds, out)


def _join_truths(graph: Graph, op: Any, names: Names, kinds: Sequence[str], out: str) -> str:
    return _logical(graph, type(op).__name__, names, kinds, out)


def _compared(graph: Graph, kind: str, names: Names, kinds: Sequence[str], out: str) -> str:
    common = np.result_type(*kinds).name
    common = {"bool": "int32", "float16": "float32"}.get(common, common if "float" in common else "int64")
    made = graph.writer.add(ORDERED[kind], *(graph.cast(n, k, common) for n, k in zip(names, kinds, strict=True)))
    made = graph.writer.add("Not", made) if kind == "NEQ" else made
    return graph.cast(made, "bool", out)


def _logical(graph: Graph, kind: str, names: Names, kinds: Sequence[str], out: str) -> str:
    if set(kinds) == {"bool"}:
        made = names[0]
        for each in names[1:] or [""]:
            made = graph.writer.add(_TRUTHS[kind][0], made, *([each] if each else []))
        return graph.cast(made, "bool", out)
    if kind == "Invert":  # ~x of two's complement
        one = graph.number(-1, out)
        return graph.compute("Sub", [one, graph.cast(names[0], kinds[0], out)], out)
    # bytes of 0 and 1, as truth values were before 1.0: whoever calls this has looked
    truths = [graph.cast(name, given, "bool") for name, given in zip(names, kinds, strict=True)]
    return graph.cast(_logical(graph, kind, truths, ["bool"] * len(truths), "bool"), "bool", out)


def _special(graph: Graph, op: Any, names: Names, kinds: Sequence[str], out: str) -> str:
    if not kinds[0].startswith("float"):
        made = graph.writer.add("And", graph.cast(names[0], kinds[0], "bool"), graph.number(0, "bool"))
    else:
        wide = "float32" if kinds[0] == "float16" else kinds[0]
        made = graph.writer.add(
            "IsNaN" if type(op).__name__ == "IsNan" else "IsInf", graph.cast(names[0], kinds[0], wide)
        )
    return graph.cast(made, "bool", out)


def _within(graph: Graph, op: Any, names: Names, kinds: Sequence[str], out: str) -> str:
    low = _compared(graph, "GT" if op.openlow else "GE", names[:2], kinds[:2], "bool")
    high = _compared(graph, "LT" if op.openhi else "LE", [names[0], names[2]], [kinds[0], kinds[2]], "bool")
    return graph.cast(graph.writer.add("And", low, high), "bool", out)


_TYPED: dict[str, Callable[[Graph, Any, Names, Sequence[str], str], str]] = {
    "InRange": _within,
    "IsInf": _special,
    "IsNan": _special,
    "Switch": _choose,
    **dict.fromkeys(ORDERED, _compare),
    **dict.fromkeys(_TRUTHS, _join_truths),
}
"""What looks at the types of its operands itself."""


# --- numbers ----------------------------------------------------------------------------------------------------------


def _chain(operator: str, graph: Graph, names: Names, dtype: str) -> str:
    if dtype == "bool":  # of truth values, a sum is one or the other, a product both
        operator = {"Add": "Or", "Mul": "And", "Max": "Or", "Min": "And"}[operator]
        made = names[0]
        for each in names[1:]:
            made = graph.writer.add(operator, made, each)
        return made
    made = names[0]
    for each in names[1:]:
        made = graph.compute(operator, [made, each], dtype)
    return made


def _simple(operator: str, graph: Graph, names: Names, dtype: str) -> str:
    return graph.compute(operator, names, dtype)


def _formula(build: Callable[["Numbers", str], str], graph: Graph, names: Names, dtype: str) -> str:
    wide = dtype if dtype in {"float32", "float64"} else "float32" if dtype.startswith("float") else "int64"
    numbers = Numbers(graph, wide)
    return graph.cast(build(numbers, *(graph.cast(each, dtype, wide) for each in names)), wide, dtype)


class Numbers:
    """Arithmetic with values of one type."""

    def __init__(self, graph: Graph, dtype: str) -> None:
        """Compute in `dtype`."""
        self.graph = graph
        self.dtype = dtype

    def __call__(self, operator: str, *operands: str | float, **attributes: Any) -> str:
        """Return what an operator makes; numbers become scalars."""
        names = [each if isinstance(each, str) else self.graph.number(each, self.dtype) for each in operands]
        return self.graph.compute(operator, names, self.dtype, **attributes)


def _log1p(n: Numbers, x: str) -> str:
    # Kahan: log(u) · x / (u - 1) is right to the last digits where u = 1 + x lost some
    u = n("Add", x, 1)
    rest = n("Sub", u, 1)
    exact = n("Mul", n("Log", u), n("Div", x, rest))
    special = n("Or", n("Equal", rest, 0), n("IsInf", u))
    return n("Where", n("Equal", u, 1), x, n("Where", special, n("Log", u), exact))


def _expm1(n: Numbers, x: str) -> str:
    u = n("Exp", x)
    rest = n("Sub", u, 1)
    exact = n("Mul", rest, n("Div", x, n("Log", u)))
    plain = n("Or", n("IsInf", u), n("Equal", rest, -1))
    return n("Where", n("Equal", u, 1), x, n("Where", plain, rest, exact))


def _softplus(n: Numbers, x: str) -> str:
    # log(1 + exp(x)) without overflow; for x far below zero it is exp(x) itself
    return n("Add", n("Max", x, 0.0), _log1p(n, n("Exp", n("Neg", n("Abs", x)))))


def _clip(n: Numbers, x: str, low: str, high: str) -> str:
    # NaN is neither below nor above, and stays
    return n("Where", n("Less", x, low), low, n("Where", n("Greater", x, high), high, x))


def _floor_division(n: Numbers, x: str, y: str) -> str:
    if n.dtype.startswith("float"):
        return n("Floor", n("Div", x, y))
    quotient = n("Div", x, y)  # towards zero
    rest = n("Sub", x, n("Mul", quotient, y))
    is_off = n("And", n("Not", n("Equal", rest, 0)), n("Xor", n("Less", rest, 0), n("Less", y, 0)))
    return n("Sub", quotient, n.graph.writer.cast(is_off, n.dtype))


def _modulo(n: Numbers, x: str, y: str) -> str:
    if not n.dtype.startswith("float"):
        return n("Mod", x, y)
    rest = n("Mod", x, y, fmod=1)
    is_off = n("And", n("Not", n("Equal", rest, 0)), n("Xor", n("Less", rest, 0), n("Less", y, 0)))
    return n("Where", is_off, n("Add", rest, y), rest)


def _away_from_zero(n: Numbers, x: str) -> str:
    return n("Where", n("Less", x, 0), n("Ceil", n("Sub", x, 0.5)), n("Floor", n("Add", x, 0.5)))


def _towards_zero(n: Numbers, x: str) -> str:
    return n("Where", n("Less", x, 0), n("Ceil", x), n("Floor", x))


def _fast_sigmoid(n: Numbers, x: str) -> str:
    # pieces of theano.tensor.nnet.sigm.UltraFastScalarSigmoid, of x/2 and its sign
    half = n("Mul", x, 0.5)
    size = n("Abs", half)
    first = n("Div", n("Mul", size, 1.5), n("Add", size, 1.0))
    second = n("Add", n("Mul", n("Sub", size, 1.7), 0.0458812946797165), 0.935409070603099)
    third = n("Where", n("Less", size, 3.0), second, 0.99505475368673)
    signed = n("Where", n("Less", size, 1.7), first, third)
    return n("Mul", n("Add", n("Where", n("GreaterOrEqual", half, 0.0), signed, n("Neg", signed)), 1.0), 0.5)


def _angle(n: Numbers, y: str, x: str) -> str:
    turned = n("Where", n("Less", y, 0.0), -np.pi, np.pi)
    plain = n("Atan", n("Div", y, x))
    right = n("Where", n("Less", x, 0.0), n("Add", plain, turned), plain)
    upright = n("Mul", n("Sign", y), np.pi / 2)
    return n("Where", n("Equal", x, 0.0), upright, right)


def _times_log(n: Numbers, x: str, y: str) -> str:
    return n("Where", n("Equal", x, 0.0), 0.0, n("Mul", x, n("Log", y)))


_FORMULAS: dict[str, Callable[..., str]] = {
    "ArcTan2": _angle,
    "Clip": _clip,
    "Cosh": lambda n, x: n("Mul", n("Add", n("Exp", x), n("Exp", n("Neg", x))), 0.5),
    "Deg2Rad": lambda n, x: n("Mul", x, np.pi / 180),
    "Erfc": lambda n, x: n("Sub", 1.0, n("Erf", x)),
    "Exp2": lambda n, x: n("Pow", 2.0, x),
    "Expm1": _expm1,
    "IntDiv": _floor_division,
    "Inv": lambda n, x: n("Div", 1.0, x),
    "Log10": lambda n, x: n("Div", n("Log", x), float(np.log(10))),
    "Log1p": _log1p,
    "Log2": lambda n, x: n("Div", n("Log", x), float(np.log(2))),
    "Mod": _modulo,
    "Rad2Deg": lambda n, x: n("Mul", x, 180 / np.pi),
    "RoundHalfAwayFromZero": _away_from_zero,
    "ScalarSoftplus": _softplus,
    "Sqr": lambda n, x: n("Mul", x, x),
    "Trunc": _towards_zero,
    "UltraFastScalarSigmoid": _fast_sigmoid,
    "XlogX": lambda n, x: _times_log(n, x, x),
    "XlogY0": _times_log,
}
_WRITTEN: dict[str, Write] = {
    **{name: partial(_simple, operator) for name, operator in FLOAT.items()},
    **{name: partial(_formula, build) for name, build in _FORMULAS.items()},
    "Add": partial(_chain, "Add"),
    "Maximum": partial(_chain, "Max"),
    "Minimum": partial(_chain, "Min"),
    "ScalarMaximum": partial(_chain, "Max"),
    "ScalarMinimum": partial(_chain, "Min"),
    "Mul": partial(_chain, "Mul"),
    "Pow": partial(_simple, "Pow"),
    "Sub": partial(_simple, "Sub"),
    "TrueDiv": partial(_simple, "Div"),
}
