"""Elementwise layers, moves and reductions by numpy, as Caffe's loops have them."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.layers import detecting, elementwise, shaping

Values = dict[str, Any]


def _power(x: Array, v: Values) -> Array:
    if v["power"] * v["scale"] == 0:
        return np.full_like(x, 1 if v["power"] == 0 else np.power(x.dtype.type(v["shift"]), x.dtype.type(v["power"])))
    values: Array = x * v["scale"] + v["shift"]
    return values if v["power"] == 1 else np.power(values, v["power"], dtype=x.dtype)


def _exp(x: Array, v: Values) -> Array:
    base = 1.0 if v["base"] == -1 else np.log(v["base"])
    outer = np.exp(base * v["shift"])
    values: Array = np.exp(x * (base * v["scale"])) * outer
    return values


def _log(x: Array, v: Values) -> Array:
    base = 1.0 if v["base"] == -1 else np.log(v["base"])
    values: Array = np.log(x * v["scale"] + v["shift"]) * (1 / base)
    return values


def _sigmoid(x: Array) -> Array:
    values: Array = 0.5 * np.tanh(0.5 * x) + 0.5
    return values


FUNCTIONS: dict[str, Callable[[Array, Values], Array]] = {
    "AbsVal": lambda x, _: np.abs(x),
    "BNLL": lambda x, _: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "Clip": lambda x, v: np.clip(x, v["min"], v["max"]),
    "ELU": lambda x, v: np.maximum(x, 0) + v["alpha"] * np.expm1(np.minimum(x, 0)),
    "Exp": _exp,
    "Log": _log,
    "Power": _power,
    "ReLU": lambda x, v: np.maximum(x, 0) + v["negative_slope"] * np.minimum(x, 0),
    "Sigmoid": lambda x, _: _sigmoid(x),
    "Swish": lambda x, v: x * _sigmoid(v["beta"] * x),
    "TanH": lambda x, _: np.tanh(x),
    "Threshold": lambda x, v: (x > v["threshold"]).astype(x.dtype),
}


def apply(layer: elementwise.Unary, x: Array) -> Array:
    """Return a function of each number; parameters are rounded as the numbers are."""
    values = {name: x.dtype.type(value) for name, value in layer.values.items()}
    return FUNCTIONS[layer.kind](x, values).astype(x.dtype)


def spread(weights: Array, axis: int, x: Array) -> Array:
    """Return weights that cover some axes of x from one on in a shape that goes with x."""
    return weights.astype(x.dtype).reshape(*weights.shape, *[1] * (x.ndim - axis - weights.ndim))


def slope(layer: elementwise.Slopes, x: Array) -> Array:
    """Return PReLU."""
    slopes = layer.slopes if layer.slopes.size == 1 else spread(layer.slopes, 1, x)
    values: Array = np.maximum(x, 0) + slopes.astype(x.dtype) * np.minimum(x, 0)
    return values


def scale(layer: elementwise.Affine, x: Array) -> Array:
    """Return x * scale + offset."""
    values = x if layer.scale is None else x * spread(layer.scale, layer.axis, x)
    return values if layer.offset is None else values + spread(layer.offset, layer.axis, x)


def combine(layer: elementwise.Combine, x: Array, y: Array) -> Array:
    """Return x times, or plus, y, plus an offset."""
    other = spread(y, layer.axis, x)
    values = x * other if layer.is_product else x + other
    return values if layer.offset is None else values + spread(layer.offset, layer.axis, x)


def eltwise(layer: elementwise.Eltwise, *xs: Array) -> Array:
    """Return product, sum or largest of all."""
    if layer.operation == "SUM":
        xs = tuple(x * x.dtype.type(c) for x, c in zip(xs, layer.coefficients, strict=True))
    return reduce({"SUM": np.add, "PROD": np.multiply, "MAX": np.maximum}[layer.operation], xs)


def axpy(_: elementwise.Axpy, a: Array, x: Array, y: Array) -> Array:
    """Return a * x + y."""
    values: Array = a.reshape(*a.shape[:2], *[1] * (x.ndim - 2)) * x + y
    return values


def pieces(layer: shaping.Slice, x: Array) -> list[Array]:
    """Return the pieces of a slice."""
    return list(np.split(x, layer.bounds[1:-1], layer.axis))


def reshape(layer: shaping.Reshape, x: Array) -> Array:
    """Return the same numbers in another shape; a free length is what remains."""
    return x.reshape([-1 if isinstance(each, str) else each for each in layer.shape])


def crop(layer: shaping.Crop, x: Array) -> Array:
    """Return a part."""
    spans = [slice(None)] * x.ndim
    for axis, (start, length) in layer.spans.items():
        spans[axis] = slice(start, start + length)
    return x[tuple(spans)]


def shuffle(layer: shaping.Shuffle, x: Array) -> Array:
    """Return channels dealt out."""
    dealt = x.reshape(len(x), layer.groups, -1, *x.shape[2:]).swapaxes(1, 2)
    return dealt.reshape(x.shape)


def resize(layer: shaping.Resize, x: Array) -> Array:
    """Return the bilinear interpolation with corners on corners."""
    height, width = (length - layer.end for length in x.shape[2:])
    x = x[:, :, layer.begin : height, layer.begin : width]
    for axis, length in zip((2, 3), layer.lengths, strict=True):
        ratio = (x.shape[axis] - 1) / (length - 1) if length > 1 else 0.0
        places = np.arange(length) * ratio
        first = np.minimum(places.astype(int), x.shape[axis] - 1)
        second = np.minimum(first + 1, x.shape[axis] - 1)
        share = (places - first).astype(x.dtype).reshape([-1, 1] if axis == 2 else [-1])  # noqa: PLR2004
        x = (1 - share) * x.take(first, axis) + share * x.take(second, axis)
    return x


def softmax(layer: shaping.Softmax, x: Array) -> Array:
    """Return exponentials, which sum up to 1."""
    raised = np.exp(x - x.max(layer.axis, keepdims=True))
    values: Array = raised / raised.sum(layer.axis, keepdims=True)
    return values


def argmax(layer: shaping.ArgMax, x: Array) -> Array:
    """Return indices and values of the largest; of equals the last."""
    values, axis = (x.reshape(len(x), -1), 1) if layer.axis is None else (x, layer.axis)
    backwards = np.flip(values, axis)
    order = np.argsort(-backwards, axis, kind="stable").take(range(layer.top), axis)
    largest = np.take_along_axis(backwards, order, axis)
    indices = (values.shape[axis] - 1 - order).astype(x.dtype)
    if layer.axis is not None:
        return largest if layer.has_values else indices
    parts = [indices, largest] if layer.has_values else [indices]
    return np.stack(parts, 1).reshape(len(x), len(parts), layer.top, *[1] * (x.ndim - 3))


def reduced(layer: shaping.Reduction, x: Array) -> Array:
    """Return one number for all axes from one on."""
    flat = x.reshape(*x.shape[: layer.axis], -1)
    values = {"SUM": flat, "MEAN": flat, "ASUM": np.abs(flat), "SUMSQ": np.square(flat)}[layer.operation]
    total = values.mean(-1) if layer.operation == "MEAN" else values.sum(-1)
    return np.asarray(total * x.dtype.type(layer.factor))


def normalise(layer: detecting.Normalise, x: Array) -> Array:
    """Return x over its own length."""
    total = np.square(x).sum((1, 2, 3) if layer.is_whole else 1, keepdims=True)
    length = np.sqrt(total + x.dtype.type(layer.epsilon))
    values: Array = x / length * layer.scale.astype(x.dtype).reshape(-1, 1, 1)
    return values


def centre(layer: detecting.MeanVariance, x: Array) -> Array:
    """Return x without its mean, over its deviation."""
    axes = (1, 2, 3) if layer.is_whole else (2, 3)
    centred: Array = x - x.mean(axes, keepdims=True)
    if not layer.is_divided:
        return centred
    deviation = np.sqrt(np.square(centred).mean(axes, keepdims=True))
    values: Array = centred / (deviation + x.dtype.type(layer.epsilon))
    return values


def concatenate(layer: shaping.Concat, *xs: Array) -> Array:
    """Return all behind one another."""
    return np.concatenate(xs, layer.axis)


def tile(layer: shaping.Tile, x: Array) -> Array:
    """Return x several times behind itself."""
    return np.concatenate([x] * layer.times, layer.axis)


def as_list(values: Array | Sequence[Array]) -> list[Array]:
    """Return what a layer gives as a list."""
    return list(values) if isinstance(values, list) else [np.asarray(values)]
