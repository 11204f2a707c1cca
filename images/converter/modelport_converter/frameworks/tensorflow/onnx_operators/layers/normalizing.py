"""Operators that bring numbers into a scale: norms of batches, channels and rows, and softmax."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import (
    MICROSOFT,
    Known,
    Node,
    Results,
    operator,
    product,
    stack,
    where_last,
)
from modelport_converter.frameworks.tensorflow.onnx_operators.tensors.elementwise import dtype_of

BY_AXIS = 13
"""Operator set since which softmax is of one axis; before it is of all from that axis on."""


@operator("BatchNormalization")
def _batch(node: Node) -> Results:
    """With its statistics known it is one product and one sum, as ONNX Runtime computes it."""
    if node.attributes.get("training_mode") or not node.attributes.get("spatial", 1) or node.results > 1:
        message = "expected the statistics of training, found training_mode, spatial=0 or further outputs"
        raise ValueError(message)
    epsilon = node.attributes["epsilon"]
    last = node.scope.last_of(node.inputs[0])
    x = node.tensor() if last is None else last
    known = [node.known(index) for index in range(1, 5)]
    arrays = [each for each in known if each is not None]
    if len(arrays) == len(known):
        scale, bias, mean, variance = (each.astype(np.float64) for each in arrays)
        factor = scale / np.sqrt(variance + epsilon)
        rest: tuple[Known, ...] = factor, bias - mean * factor
        dtype = x.dtype.as_numpy_dtype
        held = [node.scope.keep(_beside(node, each.astype(dtype), last is not None)) for each in rest]
        result = x * held[0] + held[1]
    else:
        parts = (node.tensor(index) for index in range(1, 5))
        scale, bias, mean, variance = (_channels(each, x.shape.rank, last is not None) for each in parts)
        result = tf.cast((x - mean) * tf.math.rsqrt(variance + epsilon) * scale + bias, x.dtype)
    return result if last is None else node.scope.from_last(result)


def _beside(node: Node, array: Known, is_last: bool) -> Known:
    return array if is_last else array.reshape((-1,) + (1,) * (node.rank() - 2))


def _channels(tensor: tf.Tensor, rank: int, is_last: bool) -> tf.Tensor:
    return tensor if is_last else tf.reshape(tensor, [-1] + [1] * (rank - 2))


def normalize(x: tf.Tensor, axes: Sequence[int], epsilon: float, *, centred: bool = True) -> tuple[tf.Tensor, ...]:
    """Return x of mean 0 and variance 1 along axes, its mean, and what it was multiplied by."""
    mean = tf.reduce_mean(x, axes, keepdims=True) if centred else None
    if mean is not None:
        x = x - mean
    factor = tf.math.rsqrt(tf.reduce_mean(tf.square(x), axes, keepdims=True) + tf.constant(epsilon, x.dtype))
    return x * factor, factor if mean is None else mean, factor


def _wide(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, tf.float32) if x.dtype in {tf.float16, tf.bfloat16} else x


@operator("InstanceNormalization")
def _instance(node: Node) -> Results:
    rank = node.rank()
    last = node.scope.last_of(node.inputs[0])
    x = node.tensor() if last is None else last
    axes = range(2, rank) if last is None else range(1, rank - 1)
    result = normalize(x, list(axes), node.attributes["epsilon"])[0]
    scale, bias = (_channels(node.tensor(index), rank, last is not None) for index in (1, 2))
    result = result * scale + bias
    return result if last is None else node.scope.from_last(result)


@operator("LayerNormalization")
def _layer(node: Node) -> Results:
    given = node.tensor()
    x = _wide(given)
    axes = list(range(node.axis(), node.rank()))
    result, mean, factor = normalize(x, axes, node.attributes["epsilon"])
    result = tf.cast(result, given.dtype) * node.tensor(1)
    bias = node.optional(2)
    result = result if bias is None else result + bias
    kind = dtype_of(node.attributes["stash_type"])
    return [result, *(tf.cast(each, kind) for each in (mean, factor))][: node.results]


@operator("RMSNormalization")
def _root_mean_square(node: Node) -> Results:
    given = node.tensor()
    axes = list(range(node.axis(), node.rank()))
    result, *_ = normalize(_wide(given), axes, node.attributes["epsilon"], centred=False)
    return tf.cast(result, given.dtype) * node.tensor(1)


@operator("SimplifiedLayerNormalization")
def _simplified(node: Node) -> Results:
    x, axis = node.tensor(), node.attributes.get("axis", -1) % node.rank()
    axes = list(range(axis, node.rank()))
    result, _, factor = normalize(x, axes, node.attributes.get("epsilon", 1e-5), centred=False)
    return [result * node.tensor(1), factor][: node.results]


@operator("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def _skip(node: Node) -> Results:
    is_centred = node.kind == "SkipLayerNormalization"
    bias = node.optional(4 if is_centred else 3)
    total = node.tensor(0) + node.tensor(1)
    total = total if bias is None else total + bias
    epsilon = node.attributes.get("epsilon", 1e-12)
    result, mean, factor = normalize(total, [-1], epsilon, centred=is_centred)
    result = result * node.tensor(2)
    beta = node.optional(3) if is_centred else None
    return [result if beta is None else result + beta, mean, factor, total][: node.results]


@operator("GroupNormalization")
def _group(node: Node) -> Results:
    """Scale and bias are for each group before operator set 21, and for each channel since."""
    given = node.tensor()
    shape, groups = node.shape(), node.attributes["num_groups"]
    if not isinstance(shape[1], int):
        message = "expected a known number of channels, found a free one"
        raise TypeError(message)
    x = tf.reshape(_wide(given), stack([shape[0], groups, -1]))
    x = tf.cast(normalize(x, [2], node.attributes["epsilon"])[0], given.dtype)
    parts = shape[1] if node.version >= 21 else groups  # noqa: PLR2004  # told above
    x = tf.reshape(x, stack([shape[0], parts, -1]))
    x = x * node.tensor(1)[:, tf.newaxis] + node.tensor(2)[:, tf.newaxis]
    return tf.reshape(x, stack(shape))


@operator("LpNormalization")
def _lp(node: Node) -> Results:
    x, axis = node.tensor(), node.axis()
    if node.attributes["p"] == 1:
        norm = tf.reduce_sum(tf.abs(x), axis, keepdims=True)
    else:
        norm = tf.sqrt(tf.reduce_sum(tf.square(x), axis, keepdims=True))
    return tf.math.divide_no_nan(x, norm)


@operator("MeanVarianceNormalization")
def _mean_variance(node: Node) -> Results:
    x, axes = node.tensor(), node.attributes.get("axes", [0, 2, 3])
    x = x - tf.reduce_mean(x, axes, keepdims=True)
    deviation = tf.sqrt(tf.reduce_mean(tf.square(x), axes, keepdims=True))
    return x / (deviation + tf.constant(1e-9, x.dtype))


@operator("LRN")
def _local_response(node: Node) -> Results:
    """Each channel is divided by a power of the sum of squares of those around it."""
    x, size = node.tensor(), node.attributes["size"]
    before = (size - 1) // 2
    padded = tf.pad(tf.square(x), [[0, 0], [before, size - 1 - before], *([[0, 0]] * (node.rank() - 2))])
    channels = node.shape()[1]
    total = tf.add_n([padded[:, start : start + channels] for start in range(size)])
    alpha, beta, bias = (tf.constant(node.attributes[name], x.dtype) for name in ("alpha", "beta", "bias"))
    return x / tf.pow(bias + alpha / size * total, beta)


@operator("Softmax", "LogSoftmax", "Hardmax")
def _softmax(node: Node) -> Results:
    axis, rank = node.axis(), node.rank()
    last = node.scope.last_of(node.inputs[0])
    if last is not None and node.version >= BY_AXIS:
        return node.scope.from_last(_normalized(node, last, where_last(axis, rank)))
    x = node.tensor()
    if node.version >= BY_AXIS or axis == rank - 1:
        return _normalized(node, x, axis)
    shape = node.shape()
    flat = tf.reshape(x, stack([product(shape[:axis]), product(shape[axis:])]))
    return tf.reshape(_normalized(node, flat, 1), stack(shape))


def _normalized(node: Node, x: tf.Tensor, axis: int) -> tf.Tensor:
    if node.kind == "Softmax":
        return tf.nn.softmax(x, axis)
    if node.kind == "LogSoftmax":
        return tf.nn.log_softmax(x, axis)
    first = tf.argmax(x, axis, output_type=tf.int32)
    hot = tf.one_hot(first, node.scope.length(x, axis), axis=axis, dtype=x.dtype)
    return tf.ensure_shape(hot, x.shape)
