"""Convolutions, and those transposed, of one to three dimensions; what TensorFlow's operators lack is composed of others.

Its kernels of the processor have no dilation together with strides, none in three dimensions, and none of groups other than
single channels: kernels are dilated by zeros between their weights, and groups are convolved one by one.
"""

from collections.abc import Sequence

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
    MICROSOFT,
    Known,
    Length,
    Node,
    Results,
    operator,
    stack,
)

TWO = 2
"""Dimensions that most of TensorFlow's operators have."""


@operator("Conv")
def _conv(node: Node) -> Results:
    return node.scope.from_last(convolve(node))


@operator("FusedConv", domain=MICROSOFT)
def _fused(node: Node) -> Results:
    attributes = {"auto_pad": "NOTSET", "group": 1, **node.attributes}
    result = convolve(node._replace(attributes=attributes))
    if node.has(3):
        result += to_last(node, 3)
    activation = node.attributes.get("activation", "")
    known = {"": tf.identity, "Relu": tf.nn.relu, "Sigmoid": tf.sigmoid, "Tanh": tf.tanh}
    if activation not in known:
        message = f"expected an activation of {', '.join(filter(None, known))}; found {activation}"
        raise ValueError(message)
    return node.scope.from_last(known[activation](result))


def convolve(node: Node) -> tf.Tensor:
    """Return the convolution of the first two inputs, with its channels last."""
    x = to_last(node)
    kernel_shape = _kernel_lengths(node)
    count, groups = len(kernel_shape), node.attributes["group"]
    strides = node.attributes.get("strides") or [1] * count
    dilations = node.attributes.get("dilations") or [1] * count
    pads = find_pads(node, lengths_of(node, x), kernel_shape, strides, dilations)
    channels = x.shape[-1]
    if channels is None:  # the weights tell
        channels = groups * int(node.tensor(1).shape[1])
        x = tf.reshape(x, stack([node.scope.length(x, 0), *lengths_of(node, x), channels]))
    is_depthwise = groups > 1 and groups == channels and count <= TWO
    is_dilated = any(each > 1 for each in dilations)
    if is_dilated and (is_depthwise or count > TWO or any(each > 1 for each in strides) or groups > 1):
        kernel, dilations = _kernel(node, dilations, is_depthwise), [1] * count
        kernel_shape = [int(each) for each in kernel.shape[:count]]
    else:
        kernel = _kernel(node, [1] * count, is_depthwise)
    padding = "VALID"
    if _is_same(kernel_shape, strides, dilations, pads):
        padding = "SAME"
    else:
        x = pad(x, pads)
    if is_depthwise:
        result = _depthwise(x, kernel, strides, padding)
    elif groups > 1:
        parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
        convolved = [_convolve(image, part, strides, dilations, padding) for image, part in parts]
        result = tf.concat(convolved, -1)
    else:
        result = _convolve(x, kernel, strides, dilations, padding)
    bias = node.optional(2)
    return result if bias is None else result + bias


def _kernel_lengths(node: Node) -> list[int]:
    """Return how high and wide the weights are, or the like."""
    shape = node.tensor(1).shape
    if not shape.is_fully_defined():
        message = f"expected weights of known lengths, found {shape}"
        raise ValueError(message)
    return [int(each) for each in shape[2:]]


def _is_same(
    kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pads: Sequence[tuple[Length, Length]]
) -> bool:
    """Whether TensorFlow's own padding is this one, whatever the image's size: as much on both sides, and no strides."""
    return all(
        stride == 1
        and isinstance(before, int)
        and before == behind
        and 2 * before == (size - 1) * dilation
        and before > 0
        for size, stride, dilation, (before, behind) in zip(kernel, strides, dilations, pads, strict=True)
    )


def _convolve(
    x: tf.Tensor, kernel: tf.Tensor, strides: Sequence[int], dilations: Sequence[int], padding: str
) -> tf.Tensor:
    if len(strides) == 1:
        wide = tf.nn.conv2d(x[:, tf.newaxis], kernel[tf.newaxis], [1, *strides], padding, dilations=[1, *dilations])
        return tf.squeeze(wide, 1)
    if len(strides) == TWO:
        return tf.nn.conv2d(x, kernel, list(strides), padding, dilations=list(dilations))
    if len(strides) == TWO + 1:
        return tf.nn.conv3d(x, kernel, [1, *strides, 1], padding)
    message = f"expected one to three dimensions, found {len(strides)}"
    raise ValueError(message)


def _depthwise(x: tf.Tensor, kernel: tf.Tensor, strides: Sequence[int], padding: str) -> tf.Tensor:
    """Convolve each channel alone; its kernel has (…, channels, results of each)."""
    if len(strides) == 1:
        result = _depthwise(x[:, tf.newaxis], kernel[tf.newaxis], [strides[0]] * TWO, padding)
        return tf.squeeze(result, 1)
    if strides[0] == strides[1]:
        return tf.nn.depthwise_conv2d(x, kernel, [1, *strides, 1], padding)
    every = tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], padding)
    return every[:, :: strides[0], :: strides[1]]


def _kernel(node: Node, dilations: Sequence[int], is_depthwise: bool) -> tf.Tensor:
    """Return the weights as TensorFlow has them: from (results, channels, …) to (…, channels, results).

    Single channels: from (channels * results of each, 1, …) to (…, channels, results of each).
    """
    groups = node.attributes["group"]
    known = node.known(1)
    if known is not None:
        how = f"kernel {list(dilations)} {groups if is_depthwise else ''}"

        def make() -> Known:
            weights = _dilated(known, dilations)
            if is_depthwise:
                weights = weights.reshape((groups, -1, *weights.shape[2:]))
                return np.ascontiguousarray(np.moveaxis(weights, (0, 1), (-2, -1)))
            return np.ascontiguousarray(np.moveaxis(weights, (1, 0), (-2, -1)))

        return node.scope.keep(node.scope.derive(known, how, make))
    weights = _spread_out(node.tensor(1), dilations)
    axes = list(range(2, weights.shape.rank))
    if is_depthwise:
        weights = tf.reshape(weights, [groups, -1, *weights.shape[2:]])
        return tf.transpose(weights, [*axes, 0, 1])
    return tf.transpose(weights, [*axes, 1, 0])


def _dilated(weights: Known, dilations: Sequence[int]) -> Known:
    """Return weights with zeros between them."""
    if all(each == 1 for each in dilations):
        return weights
    sizes = [(size - 1) * each + 1 for size, each in zip(weights.shape[2:], dilations, strict=True)]
    spread = np.zeros((*weights.shape[:2], *sizes), weights.dtype)
    spread[(slice(None), slice(None), *(slice(None, None, each) for each in dilations))] = weights
    return spread


def _spread_out(weights: tf.Tensor, dilations: Sequence[int]) -> tf.Tensor:
    """Return weights of the graph with zeros between them."""
    for axis, each in enumerate(dilations, 2):
        if each > 1:
            shape = weights.shape.as_list()
            rank = len(shape)
            apart = tf.pad(
                tf.expand_dims(weights, axis + 1),
                [[0, each - 1 if number == axis + 1 else 0] for number in range(rank + 1)],
            )
            whole = tf.reshape(apart, [*shape[:axis], shape[axis] * each, *shape[axis + 1 :]])
            weights = whole[(*[slice(None)] * axis, slice(0, (shape[axis] - 1) * each + 1))]
    return weights


@operator("ConvTranspose")
def _transposed(node: Node) -> Results:
    """Each element is spread by the kernel; of the whole result the pads are cut off."""
    x, kernel_shape = to_last(node), _kernel_lengths(node)
    count, groups = len(kernel_shape), node.attributes["group"]
    strides = node.attributes.get("strides") or [1] * count
    dilations = node.attributes.get("dilations") or [1] * count
    more = node.attributes.get("output_padding") or [0] * count
    lengths = lengths_of(node, x)
    kernel = _transposed_kernel(node, dilations)
    reach = [int(each) for each in kernel.shape[:count]]
    whole = [(length - 1) * stride + size for length, stride, size in zip(lengths, strides, reach, strict=True)]
    parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
    results = [_spread(image, part, whole, strides) for image, part in parts]
    result = results[0] if groups == 1 else tf.concat(results, -1)
    result = tell_channels(node, result, whole)
    cuts, more = _cuts(node, lengths, whole, more, strides)
    result = _cut(result, cuts, whole, more)
    bias = node.optional(2)
    return node.scope.from_last(result if bias is None else result + bias)


def _transposed_kernel(node: Node, dilations: Sequence[int]) -> tf.Tensor:
    """Return the weights from (channels, results of each group, …) to (…, results of each group, channels)."""
    known = node.known(1)
    if known is not None:

        def make() -> Known:
            return np.ascontiguousarray(np.moveaxis(_dilated(known, dilations), (1, 0), (-2, -1)))

        return node.scope.keep(node.scope.derive(known, f"transposed {list(dilations)}", make))
    weights = _spread_out(node.tensor(1), dilations)
    return tf.transpose(weights, [*range(2, weights.shape.rank), 1, 0])


def _spread(x: tf.Tensor, kernel: tf.Tensor, lengths: Sequence[Length], strides: Sequence[int]) -> tf.Tensor:
    batch = x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]
    channels = int(kernel.shape[-2])
    if len(strides) == 1:
        shape = stack([batch, 1, lengths[0], channels])
        wide = tf.nn.conv2d_transpose(x[:, tf.newaxis], kernel[tf.newaxis], shape, [1, *strides], "VALID")
        return tf.squeeze(wide, 1)
    shape = stack([batch, *lengths, channels])
    if len(strides) == TWO:
        return tf.nn.conv2d_transpose(x, kernel, shape, list(strides), "VALID")
    return tf.nn.conv3d_transpose(x, kernel, shape, list(strides), "VALID")


def _cuts(
    node: Node, lengths: Sequence[Length], whole: Sequence[Length], more: Sequence[int], strides: Sequence[int]
) -> tuple[list[tuple[Length, Length]], Sequence[Length]]:
    """Return how much is cut off before and behind each axis, and what is added behind it before.

    It is told, or follows from the length of the result.
    """
    auto, count = node.attributes["auto_pad"], len(whole)
    wanted: Sequence[Length] | None = node.attributes.get("output_shape")
    if wanted is not None:
        wanted = wanted[-count:]
    elif auto in {"SAME_UPPER", "SAME_LOWER"}:
        wanted = [
            _least(length * stride, every + extra)
            for length, stride, every, extra in zip(lengths, strides, whole, more, strict=True)
        ]
    if wanted is None:
        pads = node.attributes.get("pads") or [0] * (2 * count)
        return [(pads[axis], pads[axis + count]) for axis in range(count)], more
    added: list[Length] = []
    cuts: list[tuple[Length, Length]] = []
    for length, extra, result in zip(whole, more, wanted, strict=True):
        total = length + extra - result
        added.append(extra + (max(-total, 0) if isinstance(total, int) else tf.maximum(-total, 0)))
        total = max(total, 0) if isinstance(total, int) else tf.maximum(total, 0)
        less = total // 2
        cuts.append((less, total - less) if auto == "SAME_UPPER" else (total - less, less))
    return cuts, added


def _least(left: Length, right: Length) -> Length:
    return tf.minimum(left, right) if tf.is_tensor(left) or tf.is_tensor(right) else min(left, right)


def _cut(
    x: tf.Tensor, cuts: Sequence[tuple[Length, Length]], whole: Sequence[Length], more: Sequence[Length]
) -> tf.Tensor:
    """Return what lies between cuts; where more is asked for than there is, nothing was spread."""
    x = pad(x, [(0, extra) for extra in more])
    slices = [
        slice(before, length + extra - behind)
        for (before, behind), length, extra in zip(cuts, whole, more, strict=True)
    ]
    is_whole = all(before == 0 and behind == 0 for before, behind in cuts if not tf.is_tensor(before))
    return (
        x if is_whole and not any(tf.is_tensor(each) for pair in cuts for each in pair) else x[(slice(None), *slices)]
    )
