"""Layers that change each number by itself, by weights of its place, or together with others of the same place."""

from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.layers.base import Given, Parsed, Parser, is_same, number, numbers


class Unary(NamedTuple):
    """A function of one number, with the numbers that it takes, by name."""

    kind: str
    values: dict[str, float]


class Slopes(NamedTuple):
    """What negative numbers are multiplied by, for each channel."""

    slopes: Array
    """[channels], or [1] for all of them."""


class Affine(NamedTuple):
    """x * scale + offset, which cover some axes from `axis` on."""

    scale: Array | None
    offset: Array | None
    axis: int


class Combine(NamedTuple):
    """The first bottom times, or plus, the second, which covers some axes from `axis` on; plus an offset of that shape."""

    is_product: bool
    axis: int
    offset: Array | None


class Eltwise(NamedTuple):
    """Product, sum or largest number of several bottoms of one shape."""

    operation: str
    coefficients: tuple[float, ...]
    """Of a sum."""


class Axpy(NamedTuple):
    """The first bottom, which has a number for each channel of each image, times the second, plus the third."""


UNARY: dict[str, tuple[str, dict[str, float | None]]] = {
    "AbsVal": ("", {}),
    "BNLL": ("", {}),
    "Clip": ("clip", {"min": None, "max": None}),
    "ELU": ("elu", {"alpha": 1.0}),
    "Exp": ("exp", {"base": -1.0, "scale": 1.0, "shift": 0.0}),
    "Log": ("log", {"base": -1.0, "scale": 1.0, "shift": 0.0}),
    "Power": ("power", {"power": 1.0, "scale": 1.0, "shift": 0.0}),
    "ReLU": ("relu", {"negative_slope": 0.0}),
    "ReLU6": ("", {}),
    "Sigmoid": ("", {}),
    "Swish": ("swish", {"beta": 1.0}),
    "TanH": ("", {}),
    "Threshold": ("threshold", {"threshold": 0.0}),
}
"""Parameters and their defaults; None: it must be said."""


def parse_unary(given: Given) -> Parsed:
    """Parse a function of one number."""
    given.need(1)
    kind, defaults = UNARY[given.layer.type]
    values = {name: given.get(kind, name, default) for name, default in defaults.items()}
    if any(each is None for each in values.values()):
        raise given.refuse(f"{kind}_param", " and ".join(values), "less")
    base = values.get("base", -1.0)
    if base != -1 and not (base > 0 and (given.layer.type == "Exp" or base != 1)):
        raise given.refuse(f"{kind}_param.base", "-1, or a number above 0", base)
    if given.layer.type == "Clip" and not values["min"] <= values["max"]:
        raise given.refuse("clip_param", "min up to max", (values["min"], values["max"]))
    if given.layer.type == "ReLU6":
        return Parsed(Unary("Clip", {"min": 0.0, "max": 6.0}), (given.shape,))
    return Parsed(Unary(given.layer.type, {name: float(each) for name, each in values.items()}), (given.shape,))


def parse_dropout(given: Given) -> Parsed:
    """Parse Dropout, which does nothing in phase TEST, but for a dialect that scales there and not in training."""
    given.need(1)
    given.refuse_training()
    ratio = given.get("dropout", "dropout_ratio", 0.5)
    scale = 1.0 if given.get("dropout", "scale_train", True) else 1.0 - ratio
    return Parsed(Unary("Power", {"power": 1.0, "scale": scale, "shift": 0.0}), (given.shape,))


def parse_split(given: Given) -> Parsed:
    """Parse Split: its input, as often as it has tops."""
    return Parsed(Unary("Power", {"power": 1.0, "scale": 1.0, "shift": 0.0}), (given.shape,) * len(given.layer.tops))


def parse_prelu(given: Given) -> Parsed:
    """Parse PReLU (prelu_layer.cpp)."""
    given.need(1)
    is_shared = given.get("prelu", "channel_shared", False)
    if len(given.shape) < 2:  # noqa: PLR2004  # a batch, and channels
        raise given.refuse("bottom", "two axes or more", list(given.shape))
    (slopes,) = given.take((1,) if is_shared else (number(given.shape[1]),))
    return Parsed(Slopes(slopes), (given.shape,))


def parse_batch_norm(given: Given) -> Parsed:
    """Parse BatchNorm (batch_norm_layer.cpp): its third blob is what both others are to be divided by; 0: they are 0.

    NVIDIA's dialect has a scale and an offset in a fourth and a fifth.
    """
    given.need(1)
    given.refuse_training()
    if not given.get("batch_norm", "use_global_stats", True):
        what = "false, which makes an answer depend on the other rows of its batch"
        raise given.refuse("batch_norm_param.use_global_stats", "true, or nothing", what)
    channels = (number(given.shape[1]) if len(given.shape) > 1 else 1,)
    shapes = [channels, channels, (1,)] + [channels] * (2 if given.get("batch_norm", "scale_bias", False) else 0)
    mean, variance, factor, *more = (blob.astype(np.float64) for blob in given.take(*shapes))
    if more and factor[0] != 1:
        raise given.refuse("weights 2", "1 where scale_bias is true", factor[0])
    divisor = np.divide(1.0, factor, out=np.zeros(1), where=factor != 0)
    epsilon = np.float64(given.get("batch_norm", "eps", np.float32(1e-5)))
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = 1 / np.sqrt(variance * divisor + epsilon)
    offset = -mean * divisor * scale
    if more:
        scale, offset = scale * more[0], offset * more[0] + more[1]
    return Parsed(Affine(scale.astype(np.float32), offset.astype(np.float32), 1), (given.shape,))


def parse_bn(given: Given) -> Parsed:
    """Parse BN, of PSPNet's dialect (bn_layer.cpp): slope, bias, mean and variance."""
    given.need(1)
    channels = (number(given.shape[1]) if len(given.shape) > 1 else 1,)
    slope, bias, mean, variance = (blob.astype(np.float64) for blob in given.take(*[channels] * 4))
    epsilon = np.float64(given.get("bn", "eps", np.float32(1e-5)))
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = slope / np.sqrt(variance + epsilon)
    offset = bias - mean * scale
    return Parsed(Affine(scale.astype(np.float32), offset.astype(np.float32), 1), (given.shape,))


def parse_scale(given: Given) -> Parsed:
    """Parse Scale (scale_layer.cpp) and Bias (bias_layer.cpp), of weights or of a second bottom."""
    is_scale = given.layer.type == "Scale"
    kind = "scale" if is_scale else "bias"
    has_offset = is_scale and given.get("scale", "bias_term", False)
    if len(given.shapes) > 1:
        return _parse_combine(given, kind, has_offset=has_offset)
    given.need(1)
    axes = given.get(kind, "num_axes", 1)
    axis = given.axis(kind) if axes else 0
    end = len(given.shape) if axes == -1 else axis + axes
    if axes < -1 or end > len(given.shape):
        raise given.refuse(f"{kind}_param.num_axes", f"-1 to {len(given.shape) - axis}", axes)
    covered = tuple(numbers(given.shape[axis:end]))
    first, *offset = given.take(*[covered] * (2 if has_offset else 1))
    operator = Affine(first, offset[0] if offset else None, axis) if is_scale else Affine(None, first, axis)
    return Parsed(operator, (given.shape,))


def _parse_combine(given: Given, kind: str, *, has_offset: bool) -> Parsed:
    given.need(2)
    axis, second = given.axis(kind) if given.shapes[1] else 0, given.shapes[1]
    if not is_same(given.shape[axis : axis + len(second)], second):
        found = f"{list(second)} from axis {axis} of {list(given.shape)}"
        raise given.refuse("second bottom", "lengths of the first bottom", found)
    offset = given.take(tuple(numbers(second)))[0] if has_offset else None
    if not has_offset:
        given.take()
    return Parsed(Combine(kind == "scale", axis, offset), (given.shape,))


def parse_eltwise(given: Given) -> Parsed:
    """Parse Eltwise (eltwise_layer.cpp)."""
    given.need(len(given.shapes))
    operation = ("PROD", "SUM", "MAX")[given.get("eltwise", "operation", 1)]
    coefficients = given.all("eltwise", "coeff")
    if len(coefficients) not in {0, len(given.shapes)} or (coefficients and operation != "SUM"):
        raise given.refuse("eltwise_param.coeff", "one for each bottom of a SUM", coefficients)
    if not all(is_same(given.shape, each) for each in given.shapes):
        raise given.refuse("bottom", "blobs of one shape", [list(each) for each in given.shapes])
    return Parsed(Eltwise(operation, tuple(coefficients) or (1.0,) * len(given.shapes)), (given.shape,))


def parse_axpy(given: Given) -> Parsed:
    """Parse Axpy, of SENet's dialect."""
    given.need(3)
    scale, first, second = given.shapes
    ones = (*first[:2], *[1] * (len(scale) - 2))
    if not is_same(first, second) or not is_same(scale, ones):
        raise given.refuse("bottom", "[n, c], and two blobs [n, c, …]", [list(each) for each in given.shapes])
    return Parsed(Axpy(), (first,))


PARSERS: dict[str, Parser] = {
    **dict.fromkeys(UNARY, parse_unary),
    "Dropout": parse_dropout,
    "Split": parse_split,
    "PReLU": parse_prelu,
    "BatchNorm": parse_batch_norm,
    "BN": parse_bn,
    "Scale": parse_scale,
    "Bias": parse_scale,
    "Eltwise": parse_eltwise,
    "Axpy": parse_axpy,
}
