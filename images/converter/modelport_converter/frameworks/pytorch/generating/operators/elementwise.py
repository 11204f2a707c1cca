"""Operators that work on each element."""

from collections.abc import Callable

import numpy as np

from modelport_converter.frameworks.pytorch.generating.nodes import Handler, Node, UnsupportedError, Value
from modelport_converter.frameworks.pytorch.generating.numbers import compute
from modelport_converter.frameworks.pytorch.generating.support import elements
from modelport_converter.frameworks.pytorch.generating.values import DTYPES, literal


def _plain(template: str) -> Handler:
    return lambda node: compute(node) or template.format(node.tensor(0))


def _between(symbol: str) -> Handler:
    def write(node: Node) -> str | Value:
        return compute(node) or f"{node.operand(0, 1)} {symbol} {node.operand(1, 0)}"

    return write


def _called(function: str) -> Handler:
    return lambda node: compute(node) or f"{function}({node.tensor(0)}, {node.tensor(1)})"


def _folded(function: str) -> Handler:
    """Return what takes any number of inputs, two by two."""

    def write(node: Node) -> str | Value:
        found = compute(node) if len(node.inputs) == 2 else None  # noqa: PLR2004
        if found is not None:
            return found
        text = node.tensor(0)
        for index in range(1, len(node.inputs)):
            text = function.format(text, node.tensor(index))
        return text

    return write


def _divide(node: Node) -> str | Value:
    if node.is_float(0):
        return compute(node) or f"{node.operand(0, 1)} / {node.operand(1, 0)}"
    return compute(node) or node.code.call(elements.divide, node.tensor(0), node.tensor(1))


def _power(node: Node) -> str:
    exponent = node.constant(1)
    if exponent is not None and exponent.size == 1 and exponent.ndim <= (node.rank(0) or 0) and node.is_float(0):
        return f"{node.tensor(0)} ** {literal(exponent.reshape(())[()])}"
    return node.code.call(elements.power, node.tensor(0), node.tensor(1))


def _modulo(node: Node) -> str | Value:
    return (
        compute(node) or f"torch.{'fmod' if node.get('fmod', 0) else 'remainder'}({node.tensor(0)}, {node.tensor(1)})"
    )


def _mean(node: Node) -> str:
    return f"({_folded('{} + {}')(node)}) / {len(node.inputs)}"


def _clip(node: Node) -> str:
    limits: list[str] = []
    for index, name in ((1, "min"), (2, "max")):
        stated = node.get(name)
        array = np.float32(stated) if stated is not None else node.constant(index)
        if array is None and node.has(index):
            return node.code.call(elements.clip, *(node.tensor(i) if node.has(i) else "None" for i in (0, 1, 2)))
        infinite = array is None or not np.isfinite(np.float64(array))
        limits.append("None" if array is None or infinite else literal(np.asarray(array).reshape(())[()]))
    if limits == ["0.0", "6.0"]:
        return f"F.relu6({node.tensor(0)})"
    if limits == ["None", "None"]:
        return node.tensor(0)
    return f"torch.clamp({node.tensor(0)}, {', '.join(limits)})"


def _p_relu(node: Node) -> str:
    slope, shape = node.constant(1), node.shape(0)
    channels = None if slope is None else slope.size
    # PyTorch's layer has a slope for each channel, or one; ONNX broadcasts the slope's last axes
    per_channel = slope is not None and shape is not None and len(shape) > 1 and slope.ndim == len(shape) - 1
    if slope is not None and node.is_float(1) and (slope.size == 1 or (per_channel and slope.shape[0] == channels)):
        key = ("PReLU", slope.tobytes(), slope.dtype.str)
        name = node.code.module.layer(node.proto.input[1], f"nn.PReLU({channels})", {"weight": slope.reshape(-1)}, key)
        return f"{name}({node.tensor(0)})"
    return node.code.call(elements.p_relu, node.tensor(0), node.tensor(1))


def _cast(node: Node) -> str | Value:
    found = compute(node)
    if found is not None:
        return found
    to = node.get("to")
    if to not in DTYPES:
        raise UnsupportedError("to a type that PyTorch has not")
    return f"{node.tensor(0)}.to({DTYPES[to]})"


def _cast_like(node: Node) -> str:
    return f"{node.tensor(0)}.to({node.tensor(1)}.dtype)"


def _is_infinite(node: Node) -> str:
    negative, positive = (str(bool(node.get(f"detect_{sign}", 1))) for sign in ("negative", "positive"))
    return node.code.call(elements.is_infinite, node.tensor(0), negative, positive)


def _gelu(node: Node) -> str:
    return f'F.gelu({node.tensor(0)}, approximate="{node.get("approximate", "none")}")'


def _shift(node: Node) -> str:
    return node.code.call(elements.shift, node.tensor(0), node.tensor(1), str(node.get("direction") == "LEFT"))


def _with(template: str, **defaults: float) -> Handler:
    """Return what has numbers as attributes."""

    def write(node: Node) -> str:
        return template.format(node.tensor(0), **{name: node.get(name, value) for name, value in defaults.items()})

    return write


def _dropout(node: Node) -> list[str]:
    training = node.constant(2)
    if node.has(2) and (training is None or bool(training)):
        raise UnsupportedError("in training mode")
    given = node.tensor(0)
    return [given, f"torch.ones_like({given}, dtype=torch.bool)"] if node.wants(1) else [given]


def _where(node: Node) -> str | Value:
    return compute(node) or f"torch.where({node.tensor(0)}, {node.tensor(1)}, {node.tensor(2)})"


_UNARY: dict[str, str] = {
    "Abs": "torch.abs({})",
    **{name: f"torch.{name.lower()}({{}})" for name in ("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil")},
    **{name: f"torch.{name.lower()}({{}})" for name in ("Cos", "Cosh", "Erf", "Exp", "Floor", "Log", "Reciprocal")},
    **{name: f"torch.{name.lower()}({{}})" for name in ("Relu", "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Sqrt")},
    **{name: f"torch.{name.lower()}({{}})" for name in ("Tan", "Tanh", "IsNaN")},
    "Neg": "-{}",
    "Not": "torch.logical_not({})",
    "BitwiseNot": "torch.bitwise_not({})",
    "Softplus": "F.softplus({}, threshold=80.0)",
    "Softsign": "F.softsign({})",
    "HardSwish": "F.hardswish({})",
    "Mish": "F.mish({})",
}
_BINARY = {
    "Add": "+", "Sub": "-", "Mul": "*", "Equal": "==", "Greater": ">", "GreaterOrEqual": ">=", "Less": "<",
    "LessOrEqual": "<=", "And": "&", "Or": "|", "Xor": "^", "BitwiseAnd": "&", "BitwiseOr": "|", "BitwiseXor": "^",
}  # fmt: skip
_SHRINK = (("bias", 0.0), ("lambd", 0.5))
_SELU = (1.6732632423543772, 1.0507009873554805)
OPERATORS: dict[str, Callable[[Node], object]] = {
    **{name: _plain(template) for name, template in _UNARY.items()},
    **{name: _between(symbol) for name, symbol in _BINARY.items()},
    "Div": _divide,
    "Pow": _power,
    "Mod": _modulo,
    "Max": _folded("torch.maximum({}, {})"),
    "Min": _folded("torch.minimum({}, {})"),
    "Sum": _folded("{} + {}"),
    "Mean": _mean,
    "Where": _where,
    "Clip": _clip,
    "PRelu": _p_relu,
    "Cast": _cast,
    "CastLike": _cast_like,
    "IsInf": _is_infinite,
    "Gelu": _gelu,
    "BitShift": _shift,
    "Dropout": _dropout,
    "Identity": lambda node: node.value(0),
    "LeakyRelu": _with("F.leaky_relu({}, {alpha})", alpha=0.01),
    "Elu": _with("F.elu({}, {alpha})", alpha=1.0),
    "Celu": _with("F.celu({}, {alpha})", alpha=1.0),
    "Selu": _with("{gamma} * F.elu({}, {alpha})", alpha=_SELU[0], gamma=_SELU[1]),
    "HardSigmoid": _with("torch.clamp({alpha} * {} + {beta}, 0.0, 1.0)", alpha=0.2, beta=0.5),
    "ThresholdedRelu": _with("F.threshold({}, {alpha}, 0.0)", alpha=1.0),
    "Swish": _with("{0} * torch.sigmoid({alpha} * {0})", alpha=1.0),
    "Shrink": lambda node: (
        node.code.call(elements.shrink, node.tensor(0), *(str(float(node.get(name, usual))) for name, usual in _SHRINK))
        + ("" if node.is_float(0) else f".to({node.tensor(0)}.dtype)")
    ),
}
