"""Where axes stand: ONNX has channels second, TensorFlow's operators on images have them last."""

from collections.abc import Sequence

import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import Length, Node, stack


def to_last(node: Node, index: int = 0) -> tf.Tensor:
    """Return an input with its channels last."""
    found = node.scope.last_of(node.inputs[index])
    if found is not None:
        return found
    rank = node.rank(index)
    return tf.transpose(node.tensor(index), [0, *range(2, rank), 1])


def lengths_of(node: Node, last: tf.Tensor) -> list[Length]:
    """Return the lengths of the axes of an image: height and width, or the like."""
    return [node.scope.length(last, axis) for axis in range(1, last.shape.rank - 1)]


def tell_channels(node: Node, last: tf.Tensor, lengths: Sequence[Length]) -> tf.Tensor:
    """Return an image of these lengths for TensorFlow Lite, whose converter forgets how many channels there are."""
    if not node.scope.lite or last.shape.is_fully_defined() or last.shape[-1] is None:
        return last
    return tf.reshape(last, stack([node.scope.length(last, 0), *lengths, int(last.shape[-1])]))


def find_pads(
    node: Node, lengths: Sequence[Length], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[Length, Length]]:
    """Return how much is added before and behind each axis of an image."""
    auto, count = node.attributes["auto_pad"], len(kernel)
    if auto == "VALID":
        return [(0, 0)] * count
    if auto == "NOTSET":
        pads = node.attributes.get("pads") or [0] * (2 * count)
        return [(pads[axis], pads[axis + count]) for axis in range(count)]
    return [
        _same(length, (size - 1) * dilation + 1, stride, is_upper=auto == "SAME_UPPER")
        for length, size, stride, dilation in zip(lengths, kernel, strides, dilations, strict=True)
    ]


def _same(length: Length, reach: int, stride: int, *, is_upper: bool) -> tuple[Length, Length]:
    """Return pads so that there is one result for each stride that begins; without strides they are the same for all lengths."""
    total = reach - 1 if stride == 1 else (-(-length // stride) - 1) * stride + reach - length
    total = max(total, 0) if isinstance(total, int) else tf.maximum(total, 0)
    less = total // 2
    return (less, total - less) if is_upper else (total - less, less)


def pad(last: tf.Tensor, pads: Sequence[tuple[Length, Length]], value: float | None = None) -> tf.Tensor:
    """Return an image with channels last with more around it; pads below zero cut."""
    if all(_is_zero(each) for pair in pads for each in pair):
        return last
    if any(isinstance(each, int) and each < 0 for pair in pads for each in pair):
        message = "expected pads that are not negative"
        raise ValueError(message)
    whole = [(0, 0), *pads, (0, 0)]
    amounts: object = whole
    if any(tf.is_tensor(each) for pair in whole for each in pair):
        amounts = tf.stack([tf.stack(list(pair)) for pair in whole])
    if value is None:
        return tf.pad(last, amounts)
    return tf.pad(last, amounts, constant_values=tf.constant(value, last.dtype))


def _is_zero(length: Length) -> bool:
    return isinstance(length, int) and length == 0
