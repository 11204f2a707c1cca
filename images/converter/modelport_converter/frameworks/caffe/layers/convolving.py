"""Layers that slide a window, or take all at once: convolution, deconvolution, inner product, pooling, LRN."""

from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.layers.base import Given, Parsed, Parser, count, number, numbers

PLANE = 4
"""Axes of a blob of images."""


class Convolution(NamedTuple):
    """Cross-correlation, or its transpose; one number for each spatial axis."""

    weights: Array
    """[outputs, inputs / group, …]; of the transpose [inputs, outputs / group, …]."""
    bias: Array | None
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]
    group: int
    is_transposed: bool


class InnerProduct(NamedTuple):
    """A matrix times all axes from one on."""

    weights: Array
    """[outputs, inputs]."""
    bias: Array | None
    axis: int


class Embed(NamedTuple):
    """Rows of a table, by the whole part of each number."""

    table: Array
    """[rows, outputs], with the bias added."""


class Pooling(NamedTuple):
    """Largest number or mean of a window; a mean counts zeros as far as the padding goes, and not beyond."""

    is_mean: bool
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    lengths: tuple[int, int]
    """Of the result."""


class LocalResponse(NamedTuple):
    """x / (k + alpha / n * sum of squares)^beta, over channels, or over n * n of one channel, where k is 1."""

    size: int
    alpha: float
    beta: float
    k: float
    is_within: bool


def parse_convolution(given: Given) -> Parsed:
    """Parse Convolution and its transpose, Deconvolution (base_conv_layer.cpp)."""
    given.need(1)
    shape, is_transposed = given.shape, given.layer.type == "Deconvolution"
    axes = len(shape) - 2
    if given.axis("convolution") != 1 or axes not in {1, 2, 3}:
        raise given.refuse("convolution_param", "channels on axis 1, and one to three axes behind it", list(shape))
    kernel = _each(given, "kernel_size", "kernel", axes, 0)
    stride, pad = _each(given, "stride", "stride", axes, 1), _each(given, "pad", "pad", axes, 0)
    dilation = _each(given, "dilation", "", axes, 1)
    outputs, group = given.get("convolution", "num_output", 0), given.get("convolution", "group", 1)
    channels = number(shape[1])
    if given.layer.type == "DepthwiseConvolution" and not given.has("convolution", "group"):
        group = outputs
    if min(*kernel, *stride, *dilation, outputs, group) < 1 or channels % group or outputs % group:
        found = f"kernel {kernel}, stride {stride}, dilation {dilation}, {channels} → {outputs} in {group} groups"
        raise given.refuse("convolution_param", "numbers of at least 1, and groups that divide both channels", found)
    ends = channels, outputs
    first, second = ends if is_transposed else ends[::-1]
    wanted = [(first, second // group, *kernel)] + ([(outputs,)] if _has_bias(given, "convolution") else [])
    weights, *bias = given.take(*wanted)
    lengths = []
    for size, k, s, p, d in zip(numbers(shape[2:]), kernel, stride, pad, dilation, strict=True):
        extent = d * (k - 1) + 1
        length = s * (size - 1) + extent - 2 * p if is_transposed else (size + 2 * p - extent) // s + 1
        if length < 1 or (not is_transposed and size + 2 * p < extent):
            raise given.refuse("convolution_param", "a window that fits", f"{extent} on {size} with pad {p}")
        lengths.append(length)
    operator = Convolution(weights, bias[0] if bias else None, kernel, stride, pad, dilation, group, is_transposed)
    return Parsed(operator, ((shape[0], outputs, *lengths),))


def _has_bias(given: Given, kind: str) -> bool:
    return bool(given.get(kind, "bias_term", True))


def _each(given: Given, name: str, short: str, axes: int, default: int) -> tuple[int, ...]:
    """Return a parameter for each spatial axis: stated once for all, for each, or as `_h` and `_w`."""
    if short and (given.has("convolution", f"{short}_h") or given.has("convolution", f"{short}_w")):
        found = [given.get("convolution", f"{short}_{side}", default) for side in "hw"]
    else:
        found = given.all("convolution", name) or [default]
        found = found * axes if len(found) == 1 else found
    if len(found) != axes:
        raise given.refuse(f"convolution_param.{name}", f"one number, or {axes}", found)
    return tuple(found)


def parse_inner_product(given: Given) -> Parsed:
    """Parse InnerProduct (inner_product_layer.cpp)."""
    given.need(1)
    axis, outputs = given.axis("inner_product"), given.get("inner_product", "num_output", 0)
    inputs, is_transposed = count(given.shape[axis:]), given.get("inner_product", "transpose", False)
    matrix = (inputs, outputs) if is_transposed else (outputs, inputs)
    weights, *bias = given.take(matrix, *([(outputs,)] if _has_bias(given, "inner_product") else []))
    weights = np.ascontiguousarray(weights.T) if is_transposed else weights
    operator = InnerProduct(weights, bias[0] if bias else None, axis)
    return Parsed(operator, ((*given.shape[:axis], outputs),))


def parse_embed(given: Given) -> Parsed:
    """Parse Embed (embed_layer.cpp)."""
    given.need(1)
    rows, outputs = given.get("embed", "input_dim", 0), given.get("embed", "num_output", 0)
    if min(rows, outputs) < 1:
        raise given.refuse("embed_param", "input_dim and num_output of at least 1", (rows, outputs))
    table, *bias = given.take((rows, outputs), *([(outputs,)] if _has_bias(given, "embed") else []))
    return Parsed(Embed(table + bias[0] if bias else table), ((*given.shape, outputs),))


def parse_pooling(given: Given) -> Parsed:
    """Parse Pooling (pooling_layer.cpp): lengths round up, and a last window that begins in the padding is left out."""
    given.need(1, rank=PLANE)
    method = given.get("pooling", "pool", 0)
    if method > 1:
        raise given.refuse("pooling_param.pool", "MAX or AVE", "STOCHASTIC, which draws by chance")
    size = numbers(given.shape[2:])
    if given.get("pooling", "global_pooling", False):
        kernel, stride, pad = size, [1, 1], [0, 0]
    else:
        kernel = _pair(given, "kernel_size", "kernel", 0)
        stride, pad = _pair(given, "stride", "stride", 1), _pair(given, "pad", "pad", 0)
    if min(*kernel, *stride) < 1 or any(k <= p for k, p in zip(kernel, pad, strict=True)):
        raise given.refuse(
            "pooling_param", "a window that fits", f"kernel {kernel}, stride {stride}, pad {pad} on {size}"
        )
    is_floor = given.get("pooling", "round_mode", 0) == 1 or not given.get("pooling", "ceil_mode", True)
    lengths = []
    for n, k, s, p in zip(size, kernel, stride, pad, strict=True):
        length = (n + 2 * p - k + (0 if is_floor else s - 1)) // s + 1
        if any(pad) and (length - 1) * s >= n + p:
            length -= 1
        if length < 1 or (length - 1) * s >= n + p:
            raise given.refuse("pooling_param", "windows that hold anything", f"kernel {k}, stride {s} on {n}")
        lengths.append(length)
    height, width = lengths
    operator = Pooling(bool(method), _two(kernel), _two(stride), _two(pad), (height, width))
    return Parsed(operator, ((*given.shape[:2], height, width),))


def _pair(given: Given, name: str, short: str, default: int) -> list[int]:
    if given.has("pooling", f"{short}_h") or given.has("pooling", f"{short}_w"):
        return [int(given.get("pooling", f"{short}_{side}", default)) for side in "hw"]
    return [int(given.get("pooling", name, default))] * 2


def _two(values: list[int]) -> tuple[int, int]:
    first, second = values
    return first, second


def parse_local_response(given: Given) -> Parsed:
    """Parse LRN (lrn_layer.cpp); within channels, Caffe's k has no effect."""
    given.need(1, rank=PLANE)
    size, is_within = given.get("lrn", "local_size", 5), bool(given.get("lrn", "norm_region", 0))
    if size % 2 != 1:
        raise given.refuse("lrn_param.local_size", "an odd number", size)
    alpha, beta, k = (given.get("lrn", name, usual) for name, usual in (("alpha", 1.0), ("beta", 0.75), ("k", 1.0)))
    operator = LocalResponse(size, alpha, beta, k, is_within)
    if is_within and size > 1 + 2 * min(numbers(given.shape[2:])):
        raise given.refuse("lrn_param.local_size", "a window about as large as the image at most", size)
    return Parsed(operator, (given.shape,))


PARSERS: dict[str, Parser] = {
    "Convolution": parse_convolution,
    "ConvolutionDepthwise": parse_convolution,
    "DepthwiseConvolution": parse_convolution,
    "Deconvolution": parse_convolution,
    "InnerProduct": parse_inner_product,
    "Embed": parse_embed,
    "Pooling": parse_pooling,
    "LRN": parse_local_response,
}
