"""Activation functions, with their parameters, as libnd4j computes them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from modelport_converter.frameworks.dl4j.reading.fields import Fields, named
from modelport_converter.frameworks.dl4j.writing.graph import Graph, Value, refused

PREFIX = "Activation"
ENUM = {
    "cube": "Cube", "elu": "ELU", "gelu": "GELU", "hardsigmoid": "HardSigmoid", "hardtanh": "HardTanH",
    "identity": "Identity", "leakyrelu": "LReLU", "mish": "Mish", "rationaltanh": "RationalTanh",
    "rectifiedtanh": "RectifiedTanh", "relu": "ReLU", "relu6": "ReLU6", "rrelu": "RReLU", "selu": "SELU",
    "sigmoid": "Sigmoid", "softmax": "Softmax", "softplus": "SoftPlus", "softsign": "SoftSign", "swish": "Swish",
    "tanh": "TanH", "thresholdedrelu": "ThresholdedReLU",
}  # fmt: skip
"""Their names in lower case: as files of before 0.8 have them, and nearly as those of before 1.0.0-beta have them."""
SELU_ALPHA, SELU_GAMMA = 1.6732632423543772, 1.0507009873554805
LEAKY_SLOPE = 0.01
RANDOM_SLOPES = 1 / 8, 1 / 3
DEFAULT = "Sigmoid"
"""Of a layer whose file says nothing (BaseLayer)."""


class Activation(NamedTuple):
    """An activation function by the name of its class, without its prefix."""

    kind: str
    fields: Fields


def read_activation(fields: Fields, *names: str, default: str = DEFAULT) -> Activation:
    """Return what one of these fields says."""
    value = fields.get(*names)
    if value is None:
        return Activation(default, Fields({}, fields.where))
    if isinstance(value, str):
        return Activation(ENUM.get(value.lower(), value), Fields({}, fields.where))
    kind, inner = named(fields.inner(*names))
    kind = kind.removeprefix(PREFIX)
    return Activation(ENUM.get(kind.lower(), kind), inner)


def is_identity(fields: Fields) -> bool:
    """Whether the activation of a layer changes nothing."""
    return read_activation(fields, "activationFn", "activationFunction").kind == "Identity"


def activate(graph: Graph, fields: Fields, value: Value, axis: int = -1) -> Value:
    """Return a layer's output; softmax goes along an axis, which is the last one unless its layer sees to another."""
    kind, parameters = read_activation(fields, "activationFn", "activationFunction")
    if kind == "Softmax":
        return Value(graph.add("Softmax", value.name, axis=axis), value.rank)
    if kind not in ELEMENTWISE:
        raise refused(fields.where, f"activation {kind:.80} is not converted; train the model with another one")
    return Value(ELEMENTWISE[kind](graph, value.name, parameters), value.rank)


def _plain(kind: str) -> Callable[[Graph, str, Fields], str]:
    return lambda graph, value, _: graph.add(kind, value)


def _cube(graph: Graph, value: str, _: Fields) -> str:
    return graph.add("Mul", graph.add("Mul", value, value), value)


def _elu(graph: Graph, value: str, fields: Fields) -> str:
    return graph.add("Elu", value, alpha=fields.number("alpha", 1.0))


def _gelu(graph: Graph, value: str, fields: Fields) -> str:
    """Return x times the sigmoid of 1.702 x; or, if `precise`, x/2 · (1 + tanh(√(2/π) (x + (0.044715 x)³))).

    The cube of the product, not a product with the cube: so libnd4j has it (PreciseGELU), and so its networks are trained.
    """
    if not fields.flag("precise", default=False):
        return graph.add("Mul", value, graph.add("Sigmoid", graph.add("Mul", value, 1.702)))
    cubed = _cube(graph, graph.add("Mul", value, 0.044715), fields)
    inner = graph.add("Mul", graph.add("Add", value, cubed), np.sqrt(2 / np.pi))
    factor = graph.add("Add", graph.add("Tanh", inner), 1)
    return graph.add("Mul", graph.add("Mul", value, 0.5), factor)


def _hard_sigmoid(graph: Graph, value: str, _: Fields) -> str:
    return graph.add("HardSigmoid", value, alpha=0.2, beta=0.5)


def _hard_tanh(graph: Graph, value: str, _: Fields) -> str:
    return graph.add("Clip", value, -1, 1)


def _leaky(graph: Graph, value: str, fields: Fields) -> str:
    return graph.add("LeakyRelu", value, alpha=fields.number("alpha", LEAKY_SLOPE))


def _mish(graph: Graph, value: str, _: Fields) -> str:
    return graph.add("Mul", value, graph.add("Tanh", graph.add("Softplus", value)))


def _rational_tanh(graph: Graph, value: str, _: Fields) -> str:
    """1.7159 · sgn(y) · (1 - 1 / (1 + |y| + y² + 1.41645 y⁴)) with y = 2/3 x."""
    scaled = graph.add("Mul", value, 2 / 3)
    square = graph.add("Mul", scaled, scaled)
    fourth = graph.add("Mul", graph.add("Mul", square, square), 1.41645)
    total = graph.add("Add", graph.add("Add", graph.add("Abs", scaled), square), fourth)
    # x / (1 + x) is 1 - 1 / (1 + x), without what that loses near 0
    share = graph.add("Div", total, graph.add("Add", total, 1))
    return graph.add("Mul", graph.add("Mul", graph.add("Sign", scaled), share), 1.7159)


def _rectified_tanh(graph: Graph, value: str, _: Fields) -> str:
    return graph.add("Relu", graph.add("Tanh", value))


def _relu(graph: Graph, value: str, fields: Fields) -> str:
    """max(x, 0), at most `max`; below `threshold` the slope times what is missing to it (ActivationReLU.java)."""
    threshold, slope = fields.number("threshold", 0.0), fields.number("negativeSlope", 0.0)
    if threshold == 0:
        result = graph.add("LeakyRelu", value, alpha=slope) if slope else graph.add("Relu", value)
    else:
        edge = threshold
        below = graph.add("Mul", graph.add("Sub", value, edge), slope)
        result = graph.add("Where", graph.add("Less", value, edge), below, value)
    return graph.add("Min", result, fields.number("max")) if "max" in fields else result


def _random(graph: Graph, value: str, fields: Fields) -> str:
    """Return max(x, a), with the mean a of what are slopes in training: so DL4J answers (ActivationRReLU.java)."""
    slopes = fields.number("l", RANDOM_SLOPES[0]), fields.number("u", RANDOM_SLOPES[1])
    return graph.add("Max", value, sum(slopes) / 2)


def _relu6(graph: Graph, value: str, _: Fields) -> str:
    return graph.add("Clip", value, 0, 6)


def _selu(graph: Graph, value: str, _: Fields) -> str:
    return graph.add("Selu", value, alpha=SELU_ALPHA, gamma=SELU_GAMMA)


def _swish(graph: Graph, value: str, _: Fields) -> str:
    return graph.add("Mul", value, graph.add("Sigmoid", value))


def _thresholded(graph: Graph, value: str, fields: Fields) -> str:
    return graph.add("ThresholdedRelu", value, alpha=fields.number("theta", 1.0))


ELEMENTWISE: dict[str, Callable[[Graph, str, Fields], str]] = {
    "Cube": _cube,
    "ELU": _elu,
    "GELU": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardTanH": _hard_tanh,
    "Identity": lambda _graph, value, _fields: value,
    "LReLU": _leaky,
    "Mish": _mish,
    "RReLU": _random,
    "RationalTanh": _rational_tanh,
    "ReLU": _relu,
    "ReLU6": _relu6,
    "RectifiedTanh": _rectified_tanh,
    "SELU": _selu,
    "Sigmoid": _plain("Sigmoid"),
    "SoftPlus": _plain("Softplus"),
    "SoftSign": _plain("Softsign"),
    "Swish": _swish,
    "TanH": _plain("Tanh"),
    "ThresholdedReLU": _thresholded,
}
