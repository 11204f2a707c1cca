"""Pooling: of windows of an image, and of the whole of it."""

from collections.abc import Sequence
from itertools import product as every
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.images.layout import (
    find_pads,
    lengths_of,
    pad,
    tell_channels,
    to_last,
)
from modelport_converter.frameworks.tensorflow.onnx_operators.node import (
    Length,
    Node,
    Results,
    operator,
    product,
    stack,
)

POOLED = {tf.float16, tf.bfloat16, tf.float32, tf.float64}
"""Types that TensorFlow's kernels for windows have."""


class _Windows(NamedTuple):
    """How an image is cut into windows, by axes."""

    kernel: Sequence[int]
    strides: Sequence[int]
    dilations: Sequence[int]
    pads: Sequence[tuple[Length, Length]]
    more: Sequence[Length]
    """What is looked at behind the pads, because the last window is not cut off."""
    counts: Sequence[Length]
    """How many windows there are."""

    @property
    def is_plain(self) -> bool:
        """Whether TensorFlow has an operator for them."""
        return len(self.kernel) <= 3 and all(each == 1 for each in self.dilations)  # noqa: PLR2004  # dimensions

    @property
    def whole(self) -> list[tuple[Length, Length]]:
        """What is added to the image."""
        return [(before, behind + extra) for (before, behind), extra in zip(self.pads, self.more, strict=True)]


def _windows(node: Node, last: tf.Tensor) -> _Windows:
    kernel = node.attributes["kernel_shape"]
    strides = node.attributes.get("strides") or [1] * len(kernel)
    dilations = node.attributes.get("dilations") or [1] * len(kernel)
    lengths = lengths_of(node, last)
    if node.attributes["auto_pad"].startswith("SAME") and any(map(_may_cut, kernel, strides, dilations)):
        message = f"expected windows that touch each other with auto_pad, found {kernel} with strides {strides}"
        raise ValueError(message)
    pads = find_pads(node, lengths, kernel, strides, [1] * len(kernel))  # as ONNX Runtime does, also of dilated windows
    more, counts = [], []
    for length, size, stride, dilation, (before, behind) in zip(lengths, kernel, strides, dilations, pads, strict=True):
        free = length + before + behind - ((size - 1) * dilation + 1)
        count = _towards_zero(free, stride) + 1
        if node.attributes.get("ceil_mode") and stride > 1:
            rounded = -(-free // stride) + 1
            begins = (rounded - 1) * stride < length + before  # a window that begins behind the image is none
            count = (rounded if begins else count) if isinstance(begins, bool) else tf.where(begins, rounded, count)
        extra = (count - 1) * stride - free if stride > 1 else 0
        more.append(max(extra, 0) if isinstance(extra, int) else tf.maximum(extra, 0))
        counts.append(count)
    return _Windows(kernel, strides, dilations, pads, more, counts)


def _may_cut(size: int, stride: int, dilation: int) -> bool:
    """Whether ONNX Runtime, whose pads may be negative, may leave out elements before the first window, or a window."""
    return size < stride - 1 or (dilation > 1 and size < stride)


def _towards_zero(free: Length, stride: int) -> Length:
    """Return a quotient rounded so: ONNX Runtime has one window, cut off, where an image is a little smaller than it."""
    if isinstance(free, int):
        return free // stride if free >= 0 else -(-free // stride)
    return free if stride == 1 else tf.raw_ops.Div(x=free, y=tf.constant(stride, free.dtype))


def _pool(node: Node, x: tf.Tensor, windows: _Windows, kind: str) -> tf.Tensor:
    """Pool an image with channels last, all that is added to it there."""
    count = len(windows.kernel)
    run = {"MAX": (tf.nn.max_pool2d, tf.nn.max_pool3d), "AVG": (tf.nn.avg_pool2d, tf.nn.avg_pool3d)}[kind]
    if count == 1:
        result = tf.squeeze(run[0](x[:, tf.newaxis], [1, *windows.kernel], [1, *windows.strides], "VALID"), 1)
    else:
        result = run[count - 2](x, list(windows.kernel), list(windows.strides), "VALID")
    return tell_channels(node, result, windows.counts)


def _pieces(x: tf.Tensor, windows: _Windows) -> list[tf.Tensor]:
    """Return, for each place in a window, that element of all windows."""
    offsets = every(
        *(range(0, size * each, each) for size, each in zip(windows.kernel, windows.dilations, strict=True))
    )
    return [
        x[
            (
                slice(None),
                *(
                    slice(start, start + (count - 1) * stride + 1, stride)
                    for start, count, stride in zip(offset, windows.counts, windows.strides, strict=True)
                ),
            )
        ]
        for offset in offsets
    ]


@operator("MaxPool")
def _max_pool(node: Node) -> Results:
    x = to_last(node)
    windows = _windows(node, x)
    if node.results > 1:
        return _max_pool_with_places(node, x, windows)
    padded = pad(x, windows.whole, x.dtype.min if not x.dtype.is_floating else -np.inf)
    if windows.is_plain and x.dtype in POOLED:
        return node.scope.from_last(_pool(node, padded, windows, "MAX"))
    best, *others = _pieces(padded, windows)
    for each in others:
        best = tf.maximum(best, each)
    return node.scope.from_last(best)


def _max_pool_with_places(node: Node, x: tf.Tensor, windows: _Windows) -> list[tf.Tensor]:
    """Return the largest elements, and where in the tensor, flat, the first one of each window is."""
    lengths, channels = lengths_of(node, x), node.scope.length(x, x.shape.rank - 1)
    order = range(len(lengths)) if node.attributes["storage_order"] == 0 else reversed(range(len(lengths)))
    places = tf.zeros([], tf.int64)
    count = len(lengths)
    step: Length = 1
    for axis in reversed(list(order)):
        row = tf.reshape(tf.range(lengths[axis]) * step, [1] * (axis + 1) + [-1] + [1] * (count - axis))
        places += tf.cast(row, tf.int64)
        step = step * lengths[axis]
    places += tf.cast(tf.range(channels) * step, tf.int64)
    rows = tf.range(node.scope.length(x, 0)) * (step * channels)
    places += tf.cast(tf.reshape(rows, [-1] + [1] * (count + 1)), tf.int64)
    values = _pieces(pad(x, windows.whole, x.dtype.min if not x.dtype.is_floating else -np.inf), windows)
    found = _pieces(pad(places, windows.whole, -1), windows)
    best, place = values[0], found[0]
    for value, where in zip(values[1:], found[1:], strict=True):
        is_better = (value > best) | ((place < 0) & (where >= 0))
        best, place = tf.where(is_better, value, best), tf.where(is_better, where, place)
    return [node.scope.from_last(best), node.scope.from_last(place)]


@operator("AveragePool")
def _average_pool(node: Node) -> Results:
    """Pool, with pads counting as zeros only where it says so; what is looked at behind them never counts."""
    x = to_last(node)
    windows = _windows(node, x)
    is_whole = all(isinstance(each, int) and each == 0 for pair in windows.whole for each in pair)
    if is_whole and windows.is_plain:
        return node.scope.from_last(_pool(node, x, windows, "AVG"))
    counts = _counts(windows, lengths_of(node, x), with_pads=bool(node.attributes["count_include_pad"]))
    return node.scope.from_last(_sum_pool(node, pad(x, windows.whole), windows) / tf.cast(counts, x.dtype))


def _sum_pool(node: Node, padded: tf.Tensor, windows: _Windows) -> tf.Tensor:
    if windows.is_plain:
        return _pool(node, padded, windows, "AVG") * tf.constant(float(np.prod(windows.kernel)), padded.dtype)
    return tf.add_n(_pieces(padded, windows))


def _counts(windows: _Windows, lengths: Sequence[Length], *, with_pads: bool) -> tf.Tensor:
    """Return how many elements are in each window: a product of those of each axis."""
    total = None
    for axis, (length, (before, behind)) in enumerate(zip(lengths, windows.pads, strict=True)):
        starts = tf.range(windows.counts[axis]) * windows.strides[axis]
        places = starts[:, tf.newaxis] + tf.range(windows.kernel[axis]) * windows.dilations[axis]
        low, high = (0, length + before + behind) if with_pads else (before, length + before)
        inside = tf.reduce_sum(tf.cast((places >= low) & (places < high), tf.float32), 1)
        shaped = tf.reshape(inside, [1] * (axis + 1) + [-1] + [1] * (len(lengths) - axis))
        total = shaped if total is None else total * shaped
    assert total is not None
    static = tf.get_static_value(total)
    return total if static is None else tf.constant(static)


@operator("LpPool")
def _lp_pool(node: Node) -> Results:
    x, p = to_last(node), node.attributes["p"]
    windows = _windows(node, x)
    total = _sum_pool(node, pad(tf.pow(tf.abs(x), tf.constant(p, x.dtype)), windows.whole), windows)
    return node.scope.from_last(tf.pow(total, tf.constant(1 / p, x.dtype)))


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def _global_pool(node: Node) -> Results:
    x = to_last(node)
    axes = list(range(1, x.shape.rank - 1))
    if node.kind == "GlobalMaxPool":
        return node.scope.from_last(tf.reduce_max(x, axes, keepdims=True))
    if node.kind == "GlobalAveragePool":
        return node.scope.from_last(tf.reduce_mean(x, axes, keepdims=True))
    p = tf.constant(node.attributes["p"], x.dtype)
    return node.scope.from_last(tf.pow(tf.reduce_sum(tf.pow(tf.abs(x), p), axes, keepdims=True), 1 / p))


@operator("MaxUnpool")
def _unpool(node: Node) -> Results:
    """Elements are put back where they were the largest; all others are zero."""
    x, places = node.tensor(0), node.tensor(1)
    kernel = node.attributes["kernel_shape"]
    strides = node.attributes.get("strides") or [1] * len(kernel)
    pads = node.attributes.get("pads") or [0] * (2 * len(kernel))
    shape = node.shape()
    sides: list[Length] = [
        (length - 1) * stride - pads[axis] - pads[axis + len(kernel)] + size
        for axis, (length, stride, size) in enumerate(zip(shape[2:], strides, kernel, strict=True))
    ]
    if node.has(2):
        wanted = node.lengths(2)
        inner = [*shape[:2], *sides]  # which the places count in
        count = product(inner)
        flat = tf.scatter_nd(tf.reshape(places, [-1, 1]), tf.reshape(x, [-1]), tf.cast(stack([count]), tf.int64))
        whole = tf.reshape(flat, stack(inner))
        more = [target - length for target, length in zip(wanted, inner, strict=True)]
        return tf.pad(whole, tf.stack([tf.stack([0, each]) for each in more]))
    count = product([*shape[:2], *sides])
    flat = tf.scatter_nd(tf.reshape(places, [-1, 1]), tf.reshape(x, [-1]), tf.cast(stack([count]), tf.int64))
    return tf.reshape(flat, stack([*shape[:2], *sides]))
