"""Operators that work element by element: arithmetic, comparisons, logic, bits, rounding, and changes of type."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import onnx
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import Node, Results, operator

math_of: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "Abs": lambda x: x if x.dtype.is_unsigned else tf.abs(x), "Acos": tf.acos, "Acosh": tf.acosh, "Asin": tf.asin, "Asinh": tf.asinh, "Atan": tf.atan,
    "Atanh": tf.atanh, "Ceil": tf.math.ceil, "Cos": tf.cos, "Cosh": tf.cosh, "Exp": tf.exp, "Floor": tf.floor,
    "Identity": tf.identity, "Log": tf.math.log, "Neg": tf.negative, "Not": tf.logical_not, "Reciprocal": lambda x: 1 / x,
    "Round": tf.round,
    "Sign": lambda x: tf.cast(tf.not_equal(x, tf.zeros([], x.dtype)), x.dtype) if x.dtype.is_unsigned else tf.sign(x),
    "Sin": tf.sin, "Sinh": tf.sinh, "Sqrt": tf.sqrt, "Tan": tf.tan, "Tanh": tf.tanh,
    "IsNaN": tf.math.is_nan, "BitwiseNot": tf.bitwise.invert,
}  # fmt: skip
"""ONNX rounds halves to the even number, as TensorFlow does."""


@operator(*math_of, elementwise=True)
def _unary(node: Node) -> Results:
    return math_of[node.kind](node.tensor())


def divide(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Return the quotient, that of whole numbers rounded towards zero."""
    return left / right if left.dtype.is_floating else tf.raw_ops.Div(x=left, y=right)


pairs: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "Add": tf.add, "Sub": tf.subtract, "Mul": tf.multiply, "Div": divide, "Equal": tf.equal, "Greater": tf.greater,
    "Less": tf.less, "GreaterOrEqual": tf.greater_equal, "LessOrEqual": tf.less_equal, "And": tf.logical_and,
    "Or": tf.logical_or, "Xor": tf.math.logical_xor, "BitwiseAnd": tf.bitwise.bitwise_and,
    "BitwiseOr": tf.bitwise.bitwise_or, "BitwiseXor": tf.bitwise.bitwise_xor,
}  # fmt: skip


@operator(*pairs, elementwise=True)
def _binary(node: Node) -> Results:
    left, right = (_flat(node, index, node.tensor(1 - index).shape.rank) for index in range(2))
    return pairs[node.kind](left, right)


def _flat(node: Node, index: int, rank: int | None) -> tf.Tensor:
    """Return an input without axes of one that its broadcasting to so many axes does not need: TensorFlow fuses biases that are lists.

    The other input keeps its axes, which the result has: it follows from inputs of the model.
    """
    known = None if node.known(1 - index) is not None else node.known(index)
    if known is None or rank is None or known.ndim > rank or known.ndim < 2 or known.shape[0] != 1:  # noqa: PLR2004  # a list
        return node.tensor(index)
    return node.scope.keep(node.scope.derive(known, "flat", lambda: known.reshape(_inner(known.shape))))


def _inner(shape: Sequence[int]) -> Sequence[int]:
    ones = next((axis for axis, length in enumerate(shape) if length != 1), len(shape))
    return shape[ones:]


several: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "Max": tf.maximum,
    "Min": tf.minimum,
    "Sum": tf.add,
    "Mean": tf.add,
}


@operator(*several, elementwise=True)
def _several(node: Node) -> Results:
    total = functools.reduce(several[node.kind], node.tensors())
    return total / tf.constant(len(node.inputs), total.dtype) if node.kind == "Mean" else total


@operator("Pow", elementwise=True)
def _pow(node: Node) -> Results:
    """Return a power: it has the base's type; of whole numbers with exponents that are none, it is cut."""
    base, exponent = node.tensor(0), node.tensor(1)
    known = node.known(1)
    if known is not None and known.size == 1 and base.dtype.is_floating:
        simple = {0.5: tf.sqrt, 1.0: tf.identity, 2.0: tf.square, 3.0: lambda x: x * x * x}.get(float(known.item()))
        if simple is not None and known.ndim <= (base.shape.rank or 0):
            return simple(base)
    if base.dtype.is_integer and exponent.dtype.is_floating:
        return tf.cast(tf.pow(tf.cast(base, tf.float64), tf.cast(exponent, tf.float64)), base.dtype)
    exponent = tf.cast(exponent, base.dtype)
    if base.dtype.is_floating or (known is not None and (known >= 0).all()):
        return tf.pow(base, exponent)
    power = tf.pow(base, tf.abs(exponent))  # TensorFlow has none of whole numbers with exponents below zero
    is_one = tf.equal(tf.abs(power), 1)
    return tf.where((exponent >= 0) | is_one, power, tf.zeros_like(power))


@operator("Mod", elementwise=True)
def _mod(node: Node) -> Results:
    """With `fmod` the remainder has the dividend's sign, as in C; else the divisor's."""
    left, right = node.tensor(0), node.tensor(1)
    if node.attributes["fmod"]:
        return tf.math.floormod(left, right) if left.dtype.is_unsigned else _truncated_mod(left, right)
    return tf.math.floormod(left, right)


def _truncated_mod(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    wide = left if left.dtype.size >= 4 else tf.cast(left, tf.float32 if left.dtype.is_floating else tf.int32)  # noqa: PLR2004  # kernels
    return tf.cast(tf.truncatemod(wide, tf.cast(right, wide.dtype)), left.dtype)


@operator("BitShift", elementwise=True)
def _bit_shift(node: Node) -> Results:
    """By as many bits as a number has, or more, nothing of it is left but the sign."""
    x, count = node.tensor(0), node.tensor(1)
    bits = 8 * x.dtype.size
    is_inside = (count >= 0) & (count < bits) if not count.dtype.is_unsigned else count < bits
    bounded = tf.where(is_inside, count, tf.constant(bits - 1, count.dtype))
    if node.attributes["direction"] == "LEFT":
        return tf.where(is_inside, tf.bitwise.left_shift(x, bounded), tf.zeros_like(x))
    shifted = tf.bitwise.right_shift(x, bounded)
    return tf.where(is_inside, shifted, tf.zeros_like(x)) if x.dtype.is_unsigned else shifted


@operator("Where", elementwise=True)
def _where(node: Node) -> Results:
    return tf.where(node.tensor(0), node.tensor(1), node.tensor(2))


@operator("IsInf", elementwise=True)
def _is_inf(node: Node) -> Results:
    x = node.tensor()
    infinite = tf.math.is_inf(x)
    zero = tf.zeros([], x.dtype)
    if not node.attributes["detect_positive"]:
        infinite &= x < zero
    if not node.attributes["detect_negative"]:
        infinite &= x > zero
    return infinite


@operator("Clip", elementwise=True)
def _clip(node: Node) -> Results:
    x = node.tensor()
    if "min" in node.attributes:  # before operator set 11
        low, high = (tf.constant(node.attributes[name], x.dtype) for name in ("min", "max"))
    else:
        low, high = node.optional(1), node.optional(2)
    x = x if low is None else tf.maximum(x, low)
    return x if high is None else tf.minimum(x, high)


def dtype_of(element: int) -> tf.DType:
    """Return TensorFlow's type for an ONNX element type."""
    return (
        tf.as_dtype(onnx.helper.tensor_dtype_to_np_dtype(element)) if element != onnx.TensorProto.STRING else tf.string
    )


CAST = {
    "bfloat16", "bool", "complex64", "complex128", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
    "string", "uint8", "uint16", "uint32", "uint64",
}  # fmt: skip


@operator("Cast", "CastLike", elementwise=True)
def _cast(node: Node) -> Results:
    x = node.tensor()
    target = dtype_of(node.attributes["to"]) if node.kind == "Cast" else node.tensor(1).dtype
    if x.dtype == target:
        return tf.identity(x)
    if x.dtype.name not in CAST or target.name not in CAST:
        message = f"expected types that TensorFlow casts, found {x.dtype.name} to {target.name}"
        raise ValueError(message)
    if x.dtype == tf.string:
        return tf.cast(tf.strings.to_number(x, tf.float64 if target.is_floating else tf.int64), target)
    if target == tf.string:
        if not x.dtype.is_integer:
            message = (
                f"expected whole numbers to become text, which TensorFlow writes as ONNX does, found {x.dtype.name}"
            )
            raise ValueError(message)
        return tf.as_string(x)
    if target == tf.bool:
        return tf.not_equal(x, tf.zeros([], x.dtype))
    if x.dtype.is_floating and target.is_integer and target not in {tf.int32, tf.int64, tf.uint64}:
        # what it does not hold loses its upper bits, as in ONNX Runtime; TensorFlow's kernels do so or cut it
        return tf.cast(tf.cast(x, tf.int64 if target == tf.uint32 else tf.int32), target)
    return tf.cast(x, target)


def constant_like(x: tf.Tensor, value: Any) -> tf.Tensor:
    """Return a number in a tensor's type."""
    return tf.constant(value, x.dtype)


SQRT_HALF = math.sqrt(0.5)
