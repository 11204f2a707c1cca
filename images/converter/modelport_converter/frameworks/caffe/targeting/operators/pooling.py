"""Pooling. Caffe pads both ends alike and counts windows from there; a mean counts the zeros of its padding.

Largest numbers look at no padding: it is enough that the first window begins where it should, and that there are as many.
Means that Caffe would count otherwise are sums of a convolution, over how many numbers each is of.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.targeting import composing
from modelport_converter.frameworks.caffe.targeting.building import Building, Node, Write
from modelport_converter.frameworks.caffe.targeting.operators.shaping import part
from modelport_converter.frameworks.caffe.targeting.operators.windows import Window, convolve, read_window

Pair = tuple[int, int]
_Pooling = tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]
"""Sides of a window, strides, pads, and how many windows there are, for both axes."""


def _max_pool(to: Building, node: Node) -> str:
    if node.outputs[1:] and node.outputs[1]:
        raise node.refuse(
            "expected one output, found the places of the largest numbers, too, which Caffe does not give"
        )
    blob, kernel, window, lengths = _read(to, node)
    if window.dilations != (1, 1):
        raise node.refuse(f"expected windows without gaps, found dilations {list(window.dilations)}")
    starts = window.pads[:2]
    if any(start >= side for start, side in zip(starts, kernel, strict=True)):
        raise node.refuse(f"expected pads smaller than the window, found {list(window.pads)} of {list(kernel)}")
    is_ceil = _find_rounding(node, to.shape(blob)[2:], kernel, window, lengths)
    if is_ceil is None:
        pooled = _cut_windows(to, node, blob, (kernel, window.strides, starts, lengths))
    else:
        pooled = _pool(to, blob, "MAX", (kernel, window.strides, starts, lengths), is_ceil=is_ceil)
    return composing.reshape(to, pooled, to.wanted(node))


def _cut_windows(to: Building, node: Node, blob: str, window: _Pooling) -> str:
    """Pool with more windows than are asked for, at the beginning or at the end, and leave those out."""
    kernel, strides, starts, lengths = window
    sizes = to.shape(blob)[2:]
    ways = [
        (tuple(p + m * s for p, s, m in zip(starts, strides, more, strict=True)), more)
        for more in np.ndindex(*kernel)
        if all(p + m * s < k for p, s, k, m in zip(starts, strides, kernel, more, strict=True))
    ]
    for pads, more in ways:
        found = count_windows(sizes, kernel, strides, pads, is_ceil=True)
        if found and all(have >= n + m for have, n, m in zip(found, lengths, more, strict=True)):
            pooled = _pool(to, blob, "MAX", (kernel, strides, pads, found), is_ceil=True)
            for axis in (0, 1):
                pooled = part(to, pooled, 2 + axis, more[axis], more[axis] + lengths[axis])
            return pooled
    raise node.refuse(f"expected pads that leave as many windows as Caffe has, found {list(node.get('pads') or [])}")


def _read(to: Building, node: Node) -> tuple[str, Pair, Window, Pair]:
    """Return the image, the window's sides, how it moves, and how many there are."""
    given = to.blob(node)
    blob = composing.as_image(to, node, given)
    kernel = list(node.get("kernel_shape"))
    window = read_window(node, to.shape(given)[2:], kernel)
    height, width = [*to.wanted(node)[2:], 1][:2]
    first, second = [*kernel, 1][:2]
    _check_lengths(node, to.shape(blob)[2:], (first, second), window, (height, width))
    return blob, (first, second), window, (height, width)


def _check_lengths(node: Node, sizes: Sequence[int], kernel: Pair, window: Window, lengths: Pair) -> None:
    """Raise ModelportError where ONNX Runtime has fewer windows than onnx tells: it leaves out those that begin in the padding."""
    for axis in (0, 1):
        start, end = window.pads[axis], window.pads[axis + 2]
        extent = window.dilations[axis] * (kernel[axis] - 1) + 1
        more = window.strides[axis] - 1 if node.get("ceil_mode", 0) else 0
        found = (sizes[axis] + start + end - extent + more) // window.strides[axis] + 1
        if found != lengths[axis] or (more and (found - 1) * window.strides[axis] >= sizes[axis] + start):
            raise node.refuse(
                "expected a last window that begins on the image, found one that ceil_mode adds behind it"
            )


def _find_rounding(node: Node, sizes: Sequence[int], kernel: Pair, window: Window, lengths: Pair) -> bool | None:
    """Return whether Caffe rounds up to come to these lengths, as the node does if that will do; None: neither way does."""
    own = bool(node.get("ceil_mode", 0))
    for is_ceil in (own, not own):
        if count_windows(sizes, kernel, window.strides, window.pads[:2], is_ceil=is_ceil) == lengths:
            return is_ceil
    return None


def count_windows(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], *, is_ceil: bool
) -> tuple[int, ...]:
    """Return how many windows Caffe has (pooling_layer.cpp): with padding, the last one may not begin behind the image.

    Nothing for one that does on an axis without: it holds nothing, and OpenCV leaves it where BVLC looks at the other axis' padding.
    """
    lengths = []
    for n, k, s, p in zip(sizes, kernel, strides, pads, strict=True):
        length = (n + 2 * p - k + (s - 1 if is_ceil else 0)) // s + 1
        if (length - 1) * s >= n + p:
            if not p:
                return ()
            length -= 1
        lengths.append(length)
    return tuple(lengths)


def _pool(to: Building, blob: str, method: str, window: _Pooling, *, is_ceil: bool) -> str:
    kernel, strides, pads, lengths = window
    told: dict[str, Any] = {
        "pool": method,
        **composing.in_pairs(kernel=(kernel, 0), stride=(strides, 1), pad=(pads, 0)),
    }
    if not is_ceil:
        told |= {"ceil_mode": False} if to.dialect == "opencv" else {"round_mode": "FLOOR"}
    return to.add("Pooling", blob, (*to.shape(blob)[:2], *lengths), pooling=told)


def _average_pool(to: Building, node: Node) -> str:
    blob, kernel, window, lengths = _read(to, node)
    sizes = to.shape(blob)[2:]
    starts, is_counted = window.pads[:2], bool(node.get("count_include_pad", 0))
    is_even = window.dilations == (1, 1) and all(p < k for p, k in zip(starts, kernel, strict=True))
    is_ceil = _find_rounding(node, sizes, kernel, window, lengths) if is_even else None
    wanted = _counts(node, sizes, kernel, window, lengths, is_counted=is_counted)
    if is_ceil is not None:
        pooled = _pool(to, blob, "AVE", (kernel, window.strides, starts, lengths), is_ceil=is_ceil)
        given = _counts_of_caffe(sizes, kernel, window, lengths)
    else:
        channels = to.shape(blob)[1]
        needed = [
            (n - 1) * s + d * (k - 1) + 1 - size - p
            for n, s, d, k, size, p in zip(
                lengths, window.strides, window.dilations, kernel, sizes, starts, strict=True
            )
        ]
        bottom, right = (max(0, each) for each in needed)
        window = window._replace(pads=(*starts, bottom, right), group=channels)
        weights = np.full((channels, 1, *kernel), 1 / np.prod(kernel))
        pooled = convolve(to, blob, weights, window)
        given = np.full(lengths, np.prod(kernel))
        if to.shape(pooled)[2:] != lengths:
            raise node.refuse(f"expected {list(lengths)} windows, found {list(to.shape(pooled)[2:])}")
    if (wanted != given).any():
        pooled = composing.scale(to, pooled, given / wanted, None, 2)
    return composing.reshape(to, pooled, to.wanted(node))


def _counts(
    node: Node, sizes: Sequence[int], kernel: Pair, window: Window, lengths: Pair, *, is_counted: bool
) -> Array:
    """Return how many numbers each mean of ONNX is of [h, w]."""
    counts = []
    for axis in (0, 1):
        n, size, pad = lengths[axis], sizes[axis], window.pads[axis]
        taps = np.arange(kernel[axis]) * window.dilations[axis]
        places = np.arange(n)[:, None] * window.strides[axis] - pad + taps
        low, high = (-pad, size + window.pads[axis + 2]) if is_counted else (0, size)
        counts.append(((places >= low) & (places < high)).sum(1))
    found: Array = np.outer(*counts)
    if not found.all():
        raise node.refuse("expected windows that hold anything, found one that lies in the padding")
    return found


def _counts_of_caffe(sizes: Sequence[int], kernel: Pair, window: Window, lengths: Pair) -> Array:
    """Return how many numbers each mean of Caffe is of: those of the image, and of padding of the same length at both ends."""
    counts = []
    for n, size, k, s, p in zip(lengths, sizes, kernel, window.strides, window.pads[:2], strict=True):
        begins = np.arange(n) * s - p
        counts.append(np.minimum(begins + k, size + p) - begins)
    found: Array = np.outer(*counts)
    return found


def _global(method: str) -> Write:
    def write(to: Building, node: Node) -> str:
        blob = composing.as_image(to, node, to.blob(node))
        return composing.reshape(to, pool_all(to, blob, method), to.wanted(node))

    return write


def pool_all(to: Building, blob: str, method: str) -> str:
    """Return the mean, or the largest number, of each channel of an image [n, c, 1, 1]."""
    return to.add("Pooling", blob, (*to.shape(blob)[:2], 1, 1), pooling={"pool": method, "global_pooling": True})


OPERATORS: dict[str, Write] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global("AVE"),
    "GlobalMaxPool": _global("MAX"),
    "MaxPool": _max_pool,
}
