"""Products of matrices."""

import numpy as np
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import MICROSOFT, Node, Results, operator


def multiply(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Return the product of two stacks of matrices; one axis makes a row or a column, which the result has not."""
    is_row, is_column = left.shape.rank == 1, right.shape.rank == 1
    if left.dtype in {tf.uint32, tf.uint64}:
        return tf.cast(multiply(tf.cast(left, tf.int64), tf.cast(right, tf.int64)), left.dtype)
    left = left[tf.newaxis] if is_row else left
    right = right[:, tf.newaxis] if is_column else right
    result = tf.matmul(left, right)
    result = tf.squeeze(result, -2) if is_row else result
    return tf.squeeze(result, -1) if is_column else result


@operator("MatMul")
def _matmul(node: Node) -> Results:
    return multiply(node.tensor(0), node.tensor(1))


@operator("FusedMatMul", domain=MICROSOFT)
def _fused_matmul(node: Node) -> Results:
    flags = [bool(node.attributes.get(name)) for name in ("transA", "transB")]
    if any(node.attributes.get(name) for name in ("transBatchA", "transBatchB")):
        message = "expected matrices in the last two axes, found transBatchA or transBatchB"
        raise ValueError(message)
    left, right = node.tensor(0), node.tensor(1)
    alpha = tf.constant(node.attributes.get("alpha", 1.0), left.dtype)
    return alpha * tf.matmul(left, right, transpose_a=flags[0], transpose_b=flags[1])


@operator("Gemm")
def _gemm(node: Node) -> Results:
    alpha, beta = node.attributes["alpha"], node.attributes["beta"]
    known, is_turned = node.known(1), bool(node.attributes["transB"])
    if known is not None and is_turned and known.ndim:  # at once, not whenever it is asked
        node = node._replace(inputs=[node.inputs[0], _turned(node, known), *node.inputs[2:]])
        is_turned = False
    product = tf.matmul(
        node.tensor(0), node.tensor(1), transpose_a=bool(node.attributes["transA"]), transpose_b=is_turned
    )
    product = product if alpha == 1 else product * tf.cast(alpha, product.dtype)
    bias = node.optional(2)
    if bias is None or beta == 0:
        return product
    if bias.shape.rank == 2 and bias.shape[0] == 1:  # noqa: PLR2004  # TensorFlow fuses biases that are lists
        bias = tf.reshape(bias, [-1])
    return product + (bias if beta == 1 else bias * tf.cast(beta, bias.dtype))


def _turned(node: Node, matrix: np.ndarray) -> np.ndarray:
    return node.scope.derive(matrix, "turned", lambda: np.ascontiguousarray(matrix.T))


@operator("Einsum")
def _einsum(node: Node) -> Results:
    return tf.einsum(node.attributes["equation"].replace(" ", ""), *node.tensors())
