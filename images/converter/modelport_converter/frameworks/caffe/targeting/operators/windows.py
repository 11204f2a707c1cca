"""Convolution and its transpose. Caffe pads both ends of an axis alike: what differs becomes zeros in the kernel, which then is longer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.targeting import composing
from modelport_converter.frameworks.caffe.targeting.building import Building, Node, Write

MOST_BLOCK = 16
"""Side of a block that moves to channels."""


class Window(NamedTuple):
    """How a window moves over two axes."""

    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]
    """At the beginning of both axes, then at their ends."""
    group: int = 1


class _Placed(NamedTuple):
    """A kernel, and how it moves over an image."""

    shape: Sequence[int]
    """Of the result."""
    weights: Array
    strides: tuple[int, int]
    dilations: tuple[int, int] = (1, 1)
    pads: Sequence[int] = (0, 0)
    group: int = 1


def read_window(node: Node, lengths: Sequence[int], kernel: Sequence[int]) -> Window:
    """Return the window of a node on axes of these lengths; the second of one alone is 1 long."""
    axes = len(lengths)
    strides, dilations = (list(node.get(name) or [1] * axes) for name in ("strides", "dilations"))
    pads = list(node.get("pads") or [0] * 2 * axes)
    mode = node.get("auto_pad", "NOTSET")
    if mode in {"SAME_UPPER", "SAME_LOWER"}:
        sums = [
            max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
            for n, s, d, k in zip(lengths, strides, dilations, kernel, strict=True)
        ]
        small, large = [each // 2 for each in sums], [each - each // 2 for each in sums]
        pads = [*small, *large] if mode == "SAME_UPPER" else [*large, *small]
    elif mode == "VALID":
        pads = [0] * 2 * axes
    if axes == 1:
        strides, dilations, pads = [*strides, 1], [*dilations, 1], [pads[0], 0, pads[1], 0]
    first, second, third, fourth = pads
    return Window(_two(strides), _two(dilations), (first, second, third, fourth))


def _two(values: Sequence[int]) -> tuple[int, int]:
    first, second = values
    return first, second


def convolve(to: Building, blob: str, weights: Array, window: Window, bias: Array | None = None) -> str:
    """Return the convolution of an image with weights [outputs, inputs / group, h, w]; pads may differ, none below 0."""
    pads, kernel = [], [[0, 0], [0, 0]]
    for axis in (0, 1):
        start, end = window.pads[axis], window.pads[axis + 2]
        pads.append(max(start, end))
        kernel[axis] = [pads[axis] - start, pads[axis] - end]
    weights, dilations = _grown(weights, window.dilations, kernel)
    lengths = _lengths(to.shape(blob)[2:], weights.shape[2:], window.strides, dilations, pads)
    shape = (to.shape(blob)[0], len(weights), *lengths)
    return _write(to, "Convolution", blob, _Placed(shape, weights, window.strides, dilations, pads, window.group), bias)


def _lengths(
    lengths: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pads: Sequence[int]
) -> list[int]:
    each = zip(lengths, kernel, strides, dilations, pads, strict=True)
    return [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, d, p in each]


def _grown(weights: Array, dilations: tuple[int, int], more: Sequence[Sequence[int]]) -> tuple[Array, tuple[int, int]]:
    """Return a kernel with so many zeros around it, counted in places; one with gaps is filled up for them."""
    if not any(map(any, more)):
        return weights, dilations
    filled = _filled(weights, dilations)
    return np.pad(filled, [(0, 0), (0, 0), *(_two(each) for each in more)]), (1, 1)


def _filled(weights: Array, dilations: tuple[int, int]) -> Array:
    """Return a kernel with zeros in its gaps."""
    sides = [d * (k - 1) + 1 for k, d in zip(weights.shape[2:], dilations, strict=True)]
    filled: Array = np.zeros((*weights.shape[:2], *sides), weights.dtype)
    filled[:, :, :: dilations[0], :: dilations[1]] = weights
    return filled


def _write(to: Building, kind: str, blob: str, placed: _Placed, bias: Array | None = None) -> str:
    told: dict[str, Any] = {"num_output": placed.shape[1]}
    told |= composing.in_pairs(kernel=(placed.weights.shape[2:], 0), stride=(placed.strides, 1), pad=(placed.pads, 0))
    told |= {"dilation": list(placed.dilations)} if placed.dilations != (1, 1) else {}
    told |= {"group": placed.group} if placed.group != 1 else {}
    told |= {"bias_term": False} if bias is None else {}
    blobs = [placed.weights] if bias is None else [placed.weights, bias]
    return to.add(kind, blob, placed.shape, *blobs, convolution=told)


def _conv(to: Building, node: Node) -> str:
    weights, bias = _weights(to, node)
    blob = composing.as_image(to, node, to.blob(node))
    window = read_window(node, to.shape(to.blob(node))[2:], weights.shape[2:])
    weights = weights if weights.ndim == composing.IMAGE else weights[..., None]
    window = _checked(node, window)._replace(group=node.get("group", 1))
    blob = convolve(to, blob, weights, window, bias)
    return composing.reshape(to, blob, to.wanted(node))


def _weights(to: Building, node: Node) -> tuple[Array, Array | None]:
    weights, bias = to.constant(node.input(1)), to.constant(node.input(2))
    if weights is None or (node.input(2) and bias is None):
        raise node.refuse("expected weights that are constants, found some that follow from the inputs")
    return weights, bias


def _checked(node: Node, window: Window) -> Window:
    if min(window.pads) < 0:
        raise node.refuse(f"expected pads of 0 or more, found {list(window.pads)}")
    return window


def _conv_transpose(to: Building, node: Node) -> str:
    weights, bias = _weights(to, node)
    given, target = to.blob(node), to.wanted(node)
    blob, group = composing.as_image(to, node, given), node.get("group", 1)
    weights = weights if weights.ndim == composing.IMAGE else weights[..., None]
    axes = len(target) - 2
    strides, dilations = (_padded(node.get(name) or [1] * axes) for name in ("strides", "dilations"))
    starts = _starts(node, to.shape(given)[2:], weights.shape[2:], target[2:])
    filled = _filled(weights, dilations)
    image = (*target, 1)[: composing.IMAGE]
    grown, pads = [], []
    for axis in (0, 1):
        whole = strides[axis] * (to.shape(blob)[2 + axis] - 1) + filled.shape[2 + axis]
        end = whole - starts[axis] - image[2 + axis]  # cut off there; what is below 0 is added
        pads.append(max(starts[axis], end, 0))
        grown.append((pads[axis] - starts[axis], pads[axis] - end))
    filled = np.pad(filled, [(0, 0), (0, 0), *grown])
    blob = _write(to, "Deconvolution", blob, _Placed(image, filled, strides, (1, 1), pads, group), bias)
    return composing.reshape(to, blob, target)


def _padded(values: Sequence[int]) -> tuple[int, int]:
    return _two([*values, 1][:2])


def _starts(node: Node, lengths: Sequence[int], kernel: Sequence[int], target: Sequence[int]) -> list[int]:
    """Return how many numbers are cut off at the beginning of each axis."""
    axes = len(lengths)
    pads = list(node.get("pads") or [0] * 2 * axes)
    mode = node.get("auto_pad", "NOTSET")
    if node.get("output_shape") or mode in {"SAME_UPPER", "SAME_LOWER"}:
        strides, dilations = (node.get(name) or [1] * axes for name in ("strides", "dilations"))
        more = node.get("output_padding") or [0] * axes
        sums = [
            s * (n - 1) + o + d * (k - 1) + 1 - wanted
            for n, s, o, d, k, wanted in zip(lengths, strides, more, dilations, kernel[:axes], target, strict=True)
        ]
        pads = [each // 2 if mode == "SAME_UPPER" else each - each // 2 for each in sums]
    elif mode == "VALID":
        pads = [0] * axes
    if min(pads) < 0 or (mode in {"SAME_UPPER", "SAME_LOWER"} and any(node.get("output_padding") or [])):
        raise node.refuse(f"expected pads of 0 or more, and no output_padding beside auto_pad, found {pads}")
    return [*pads[:axes], 0][:2]


def _pad(to: Building, node: Node) -> str:
    pads, value, axes = (to.constant(node.input(index)) for index in (1, 2, 3))
    blob, mode = to.blob(node), node.get("mode", "constant")
    rank = len(to.shape(blob))
    if pads is None or (node.input(2) and value is None) or (node.input(3) and axes is None):
        raise node.refuse("expected pads that are constants, found some that are computed")
    both: Array = np.zeros((2, rank), np.int64)
    both[:, np.arange(rank) if axes is None else axes] = pads.reshape(2, -1)
    if not both.any():
        return blob
    if mode != "constant" or (value is not None and value.any()):
        raise node.refuse(f"expected zeros, found mode {mode}, or another number")
    if both.min() < 0 or both[:, :2].any():
        raise node.refuse(f"expected zeros around the axes of images alone, found pads {both.ravel().tolist()}")
    image = composing.as_image(to, node, blob)
    top, left = (int(each) for each in [*both[0, 2:], 0][:2])
    bottom, right = (int(each) for each in [*both[1, 2:], 0][:2])
    # each channel by itself, with a kernel of one 1
    channels = to.shape(image)[1]
    window = Window((1, 1), (1, 1), (top, left, bottom, right), channels)
    padded = convolve(to, image, np.ones((channels, 1, 1, 1)), window)
    return composing.reshape(to, padded, to.wanted(node))


def _depth_to_space(to: Building, node: Node) -> str:
    """Deal channels out to places: the transpose of a convolution with one 1 for each channel."""
    size, shape = node.get("blocksize"), to.wanted(node)
    kernel = _blocks(node, shape[1], size, is_last=node.get("mode", "DCR") == "CRD")
    return _write(to, "Deconvolution", to.blob(node), _Placed(shape, kernel, (size, size)))


def _space_to_depth(to: Building, node: Node) -> str:
    blob, size = to.blob(node), node.get("blocksize")
    kernel = _blocks(node, to.shape(blob)[1], size, is_last=False)
    return _write(to, "Convolution", blob, _Placed(to.wanted(node), kernel, (size, size)))


def _blocks(node: Node, channels: int, size: int, *, is_last: bool) -> Array:
    """Return 1 for each channel of [blocks, channels, size, size] at its place; the block counts first, or last."""
    if size > MOST_BLOCK:
        raise node.refuse(f"expected blocks of at most {MOST_BLOCK}, found {size}")
    count = channels * size * size
    order = (channels, size, size) if is_last else (size, size, channels)
    kernel: Array = np.zeros((count, channels, size, size), np.float32)
    for number, place in enumerate(np.ndindex(order)):
        channel, row, column = place if is_last else (place[2], place[0], place[1])
        kernel[number, channel, row, column] = 1
    return kernel


OPERATORS: dict[str, Write] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "Pad": _pad,
    "SpaceToDepth": _space_to_depth,
}
