"""Convolutions of bytes."""

import numpy as np
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.images.convolution import convolve
from modelport_converter.frameworks.tensorflow.onnx_operators.layers.quantized import centred, rescaled
from modelport_converter.frameworks.tensorflow.onnx_operators.node import Node, Results, Value, operator


def _convolved(node: Node, x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Return the sums of products, with channels last."""
    known: Value = weights
    static = tf.get_static_value(weights)
    if static is not None:
        known = np.asarray(static)
    return convolve(node._replace(inputs=[x, known]))


@operator("ConvInteger")
def _conv_integer(node: Node) -> Results:
    sums = _convolved(node, centred(node, 0, 2, 1), centred(node, 1, 3, 0))
    return node.scope.from_last(tf.cast(sums, tf.int32))


@operator("QLinearConv")
def _conv_quantized(node: Node) -> Results:
    sums = _convolved(node, centred(node, 0, 2, 1), centred(node, 3, 5, 0))
    bias = node.optional(8)
    sums = sums if bias is None else sums + tf.cast(bias, sums.dtype)
    return node.scope.from_last(rescaled(node, sums, (1, 4), 6))
