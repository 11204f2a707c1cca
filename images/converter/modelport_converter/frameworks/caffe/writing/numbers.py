"""Elementwise layers in ONNX."""

import math
from collections.abc import Callable

import numpy as np

from modelport_converter.frameworks.caffe.layers.elementwise import Affine, Axpy, Combine, Eltwise, Slopes, Unary
from modelport_converter.frameworks.caffe.layers.net import Step
from modelport_converter.frameworks.caffe.writing.aligning import reshape, spread
from modelport_converter.onnx_graphs.writing import GraphWriter

Values = dict[str, float]


def write_unary(graph: GraphWriter, step: Step, layer: Unary) -> None:
    """Write a function of each number, once for each top (Split)."""
    for out in step.tops:
        WRITERS[layer.kind](graph, step.bottoms[0], layer.values, out)


def _plain(operator: str) -> Callable[[GraphWriter, str, Values, str], None]:
    def write(graph: GraphWriter, value: str, _: Values, out: str) -> None:
        graph.add(operator, value, out=out)

    return write


def _scaled(graph: GraphWriter, value: str, factor: float, offset: float, out: str = "") -> str:
    """Add value * factor + offset, as far as they change anything."""
    if factor == 1 and offset == 0:
        return graph.add("Identity", value, out=out) if out else value
    if offset == 0:
        return graph.add("Mul", value, factor, out=out)
    value = value if factor == 1 else graph.add("Mul", value, factor)
    return graph.add("Add", value, offset, out=out)


def _power(graph: GraphWriter, value: str, v: Values, out: str) -> None:
    if v["power"] * v["scale"] == 0:
        with np.errstate(all="ignore"):
            filled = np.float32(1) if v["power"] == 0 else np.power(np.float32(v["shift"]), np.float32(v["power"]))
        # of the shape of its input, whatever stands there
        graph.add("Expand", float(filled), graph.add("Shape", value), out=out)
    elif v["power"] == 1:
        _scaled(graph, value, v["scale"], v["shift"], out)
    else:
        graph.add("Pow", _scaled(graph, value, v["scale"], v["shift"]), v["power"], out=out)


def _exp(graph: GraphWriter, value: str, v: Values, out: str) -> None:
    base = 1.0 if v["base"] == -1 else math.log(v["base"])
    raised = graph.add("Exp", _scaled(graph, value, base * v["scale"], 0.0))
    _scaled(graph, raised, float(np.exp(np.float32(base * v["shift"]))), 0.0, out)


def _log(graph: GraphWriter, value: str, v: Values, out: str) -> None:
    base = 1.0 if v["base"] == -1 else math.log(v["base"])
    _scaled(graph, graph.add("Log", _scaled(graph, value, v["scale"], v["shift"])), 1 / base, 0.0, out)


def _relu(graph: GraphWriter, value: str, v: Values, out: str) -> None:
    slope = v["negative_slope"]
    if slope:
        graph.add("LeakyRelu", value, out=out, alpha=slope)
    else:
        graph.add("Relu", value, out=out)


def _elu(graph: GraphWriter, value: str, v: Values, out: str) -> None:
    graph.add("Elu", value, out=out, alpha=v["alpha"])


def _swish(graph: GraphWriter, value: str, v: Values, out: str) -> None:
    graph.add("Mul", value, graph.add("Sigmoid", _scaled(graph, value, v["beta"], 0.0)), out=out)


def _clip(graph: GraphWriter, value: str, v: Values, out: str) -> None:
    graph.add("Clip", value, v["min"], v["max"], out=out)


def _threshold(graph: GraphWriter, value: str, v: Values, out: str) -> None:
    above = graph.add("Greater", value, v["threshold"])
    graph.add("Cast", above, out=out, to=1)


WRITERS: dict[str, Callable[[GraphWriter, str, Values, str], None]] = {
    "AbsVal": _plain("Abs"),
    "BNLL": _plain("Softplus"),
    "Clip": _clip,
    "ELU": _elu,
    "Exp": _exp,
    "Log": _log,
    "Power": _power,
    "ReLU": _relu,
    "Sigmoid": _plain("Sigmoid"),
    "Swish": _swish,
    "TanH": _plain("Tanh"),
    "Threshold": _threshold,
}


def write_slopes(graph: GraphWriter, step: Step, layer: Slopes) -> None:
    """Write PRelu."""
    rank = len(step.shapes[0])
    slopes = layer.slopes if layer.slopes.size == 1 else spread(layer.slopes, 1, rank)
    graph.add("PRelu", step.bottoms[0], slopes, out=step.tops[0])


def write_affine(graph: GraphWriter, step: Step, layer: Affine) -> None:
    """Write Mul and Add."""
    value, out, rank = step.bottoms[0], step.tops[0], len(step.shapes[0])
    if layer.scale is not None:
        last = layer.offset is None
        value = graph.add("Mul", value, spread(layer.scale, layer.axis, rank), out=out if last else "")
    if layer.offset is not None:
        graph.add("Add", value, spread(layer.offset, layer.axis, rank), out=out)


def write_combine(graph: GraphWriter, step: Step, layer: Combine) -> None:
    """Write Mul or Add with a second bottom, whose axes are aligned with those that it covers."""
    first, second = step.shapes
    other, missing = step.bottoms[1], len(first) - layer.axis - len(second)
    if missing:
        other = reshape(graph, other, second, (*second, *[1] * missing))
    operator, out = "Mul" if layer.is_product else "Add", step.tops[0]
    if layer.offset is None:
        graph.add(operator, step.bottoms[0], other, out=out)
        return
    offset = spread(layer.offset, layer.axis, len(first))
    graph.add("Add", graph.add(operator, step.bottoms[0], other), offset, out=out)


def write_eltwise(graph: GraphWriter, step: Step, layer: Eltwise) -> None:
    """Write Sum, Max or products of two."""
    values, out = list(step.bottoms), step.tops[0]
    if layer.operation == "SUM":
        values = [_scaled(graph, value, c, 0.0) for value, c in zip(values, layer.coefficients, strict=True)]
    operator = {"SUM": "Add", "PROD": "Mul", "MAX": "Max"}[layer.operation]
    if len(values) == 1:
        graph.add("Identity", values[0], out=out)
    elif operator == "Max":
        graph.add(operator, *values, out=out)
    else:
        total = values[0]
        for value in values[1:-1]:
            total = graph.add(operator, total, value)
        graph.add(operator, total, values[-1], out=out)


def write_axpy(graph: GraphWriter, step: Step, _: Axpy) -> None:
    """Write a * x + y."""
    scale, x, y = step.bottoms
    given, first, _shape = step.shapes
    if len(given) < len(first):
        scale = reshape(graph, scale, given, (*given, *[1] * (len(first) - len(given))))
    graph.add("Add", graph.add("Mul", scale, x), y, out=step.tops[0])
