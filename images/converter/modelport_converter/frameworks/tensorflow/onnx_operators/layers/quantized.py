"""Numbers in bytes: steps of a scale, counted from a zero point."""

import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.layers.linear import multiply
from modelport_converter.frameworks.tensorflow.onnx_operators.node import Node, Results, operator
from modelport_converter.frameworks.tensorflow.onnx_operators.tensors.elementwise import dtype_of

FEW_BITS = {"int2": (-2, 1), "int4": (-8, 7), "uint2": (0, 3), "uint4": (0, 15)}
"""Types that are held in bytes, and what they reach to."""
EXACT = tf.float64
"""Products of bytes are summed in it without rounding."""


def _spread(node: Node, part: tf.Tensor, axis: int, blocks: int) -> tf.Tensor:
    """Return a scale or zero point as it is broadcast: one for all, for each index of an axis, or for each block of it."""
    if part.shape.rank == 0 or part.shape.num_elements() == 1:
        return tf.reshape(part, [])
    if blocks:
        return tf.repeat(part, blocks, axis)[tuple(slice(0, length) for length in node.shape())]
    return tf.reshape(part, [-1 if each == axis else 1 for each in range(node.rank())])


def _axis(node: Node) -> int:
    rank = node.rank()
    return int(node.attributes.get("axis", 1)) % rank if rank else 0


@operator("DequantizeLinear")
def _dequantize(node: Node) -> Results:
    axis, blocks = _axis(node), node.attributes.get("block_size", 0)
    scale = node.tensor(1)
    kind = dtype_of(node.attributes["output_dtype"]) if node.attributes.get("output_dtype") else scale.dtype
    x = tf.cast(node.tensor(0), tf.float32)
    if node.has(2):
        x -= _spread(node, tf.cast(node.tensor(2), tf.float32), axis, blocks)
    return tf.cast(x * _spread(node, tf.cast(scale, tf.float32), axis, blocks), kind)


@operator("QuantizeLinear")
def _quantize(node: Node) -> Results:
    """Halves are rounded to the even number; what a type cannot hold becomes its nearest."""
    axis, blocks = _axis(node), node.attributes.get("block_size", 0)
    told = node.attributes.get("output_dtype")
    kind = node.tensor(2).dtype if node.has(2) else dtype_of(told) if told else tf.uint8
    point = node.known(2)
    name = kind.name if point is None else point.dtype.name
    if not kind.is_integer:
        message = f"expected whole numbers, found {name}"
        raise ValueError(message)
    limits = FEW_BITS.get(name)
    if limits:
        kind = tf.int8 if limits[0] < 0 else tf.uint8
    x = tf.cast(node.tensor(0), tf.float32) / _spread(node, tf.cast(node.tensor(1), tf.float32), axis, blocks)
    zero = _spread(node, tf.cast(node.tensor(2), tf.float32), axis, blocks) if node.has(2) else 0.0
    whole = tf.round(x) + zero
    return _saturated(tf.clip_by_value(whole, *map(float, limits)) if limits else whole, kind)


def _saturated(x: tf.Tensor, kind: tf.DType) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(x, tf.constant(kind.min, x.dtype), tf.constant(kind.max, x.dtype)), kind)


@operator("DynamicQuantizeLinear")
def _quantize_by_range(node: Node) -> Results:
    x = node.tensor()
    low, high = tf.minimum(tf.reduce_min(x), 0), tf.maximum(tf.reduce_max(x), 0)
    scale = (high - low) / 255
    scale = tf.where(scale > 0, scale, tf.ones_like(scale))
    zero = tf.round(tf.clip_by_value(-low / scale, 0, 255))
    result = tf.clip_by_value(tf.round(x / scale) + zero, 0, 255)
    return [tf.cast(result, tf.uint8), scale, tf.cast(zero, tf.uint8)]


def centred(node: Node, index: int, zero: int, axis: int) -> tf.Tensor:
    """Return an input of bytes less its zero point, exactly; one for each index of an axis, where there are several."""
    x = tf.cast(node.tensor(index), EXACT)
    if not node.has(zero):
        return x
    point = tf.cast(node.tensor(zero), EXACT)
    if point.shape.rank == 1 and point.shape.num_elements() != 1:
        rank = x.shape.rank
        axis = axis % rank
        point = tf.reshape(point, [-1 if each == axis else 1 for each in range(rank)])
    elif point.shape.num_elements() == 1:
        point = tf.reshape(point, [])
    return x - point


@operator("MatMulInteger")
def _matmul_integer(node: Node) -> Results:
    return tf.cast(multiply(centred(node, 0, 2, -2), centred(node, 1, 3, -1)), tf.int32)


@operator("QLinearMatMul")
def _matmul_quantized(node: Node) -> Results:
    product = multiply(centred(node, 0, 2, -2), centred(node, 3, 5, -1))
    return rescaled(node, product, (1, 4), 6)


def rescaled(node: Node, exact: tf.Tensor, scales: tuple[int, int], target: int) -> tf.Tensor:
    """Return exact sums in the steps of the result, whose scale and zero point are the inputs from `target` on."""
    left, right = (tf.cast(node.tensor(index), EXACT) for index in scales)
    scaled = tf.cast(exact * (left * right / tf.cast(node.tensor(target), EXACT)), tf.float32)
    zero = node.tensor(target + 1)
    return _saturated(tf.round(scaled) + tf.cast(zero, tf.float32), zero.dtype)
