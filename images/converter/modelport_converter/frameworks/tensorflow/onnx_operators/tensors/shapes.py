"""Operators that look at shapes or change them, and that make tensors of a shape."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators import lengths
from modelport_converter.frameworks.tensorflow.onnx_operators.node import (
    Length,
    Node,
    Results,
    operator,
    product,
    stack,
    where_last,
)
from modelport_converter.frameworks.tensorflow.onnx_operators.tensors.elementwise import dtype_of

CONSTANTS = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}


@operator("Constant")
def _constant(node: Node) -> Results:
    name, value = next(iter(node.attributes.items()))
    if name == "value":
        return value
    if name in CONSTANTS:
        return np.asarray(value, CONSTANTS[name])
    if name in {"value_string", "value_strings"}:
        return np.asarray(value, object)
    message = f"expected a dense tensor, found {name}"
    raise ValueError(message)


@operator("Shape")
def _shape(node: Node) -> Results:
    shape = node.shape()
    return lengths.objects(shape[node.attributes.get("start") or 0 : node.attributes.get("end")])


@operator("Size")
def _size(node: Node) -> Results:
    return lengths.objects([product(node.shape())]).reshape(())


@operator("Reshape")
def _reshape(node: Node) -> Results:
    x = node.tensor()
    return tf.reshape(x, _target(node)) if "shape" not in node.attributes else tf.reshape(x, node.attributes["shape"])


def _target(node: Node) -> tf.Tensor:
    """Return the shape with the lengths that zeros copy; one free length is written as the one that remains."""
    value = node.inputs[1]
    zeros_copy = not node.attributes.get("allowzero")
    if not node.is_list(1):
        whole = node.vector(1)
        return _or_all_copied(node, whole) if zeros_copy else whole
    wanted = node.lengths(1)
    shape: list[Length] = []
    for axis, each in enumerate(wanted):
        if not isinstance(each, int):
            shape.append(each if isinstance(value, np.ndarray) or not zeros_copy else _or_copied(node, each, axis))
        else:
            shape.append(node.scope.length(node.tensor(), axis) if each == 0 and zeros_copy else each)
    return stack(_with_rest(shape))


def _or_all_copied(node: Node, shape: tf.Tensor) -> tf.Tensor:
    """Return a shape whose zeros are the input's lengths, however many there are."""
    count = tf.size(shape)
    own = tf.concat([stack(node.shape()), tf.zeros([count], tf.int32)], 0)[:count]
    return tf.where(tf.equal(shape, 0), own, shape)


def _or_copied(node: Node, scalar: tf.Tensor, axis: int) -> tf.Tensor:
    """Return what an input says a length is, or what it says to copy."""
    rank = node.tensor().shape.rank
    return (
        scalar
        if rank is None or axis >= rank
        else tf.where(scalar == 0, node.scope.length(node.tensor(), axis), scalar)
    )


@operator("Flatten")
def _flatten(node: Node) -> Results:
    shape, axis = node.shape(), node.attributes["axis"]
    axis = axis + len(shape) if axis < 0 else axis
    sides: list[Length] = [product(shape[:axis]), product(shape[axis:])]
    return tf.reshape(node.tensor(), stack(_with_rest(sides)))


def axes_of(node: Node, index: int = 1) -> list[int] | None:
    """Return the axes of a node: an attribute, or since a later operator set an input; None for those left out, or none."""
    if "axes" in node.attributes:
        return [int(each) for each in node.attributes["axes"]] or None
    if not node.has(index):
        return None
    return [int(each) for each in node.constant(index, "axes").reshape(-1)] or None


@operator("Squeeze")
def _squeeze(node: Node) -> Results:
    axes = axes_of(node)
    x, shape = node.tensor(), node.shape()
    if axes is None:
        if None in x.shape.as_list():
            message = "expected axes to squeeze, because some lengths are free"
            raise ValueError(message)
        axes = [axis for axis, length in enumerate(shape) if isinstance(length, int) and length == 1]
    axes = [each % len(shape) for each in axes]
    if node.scope.lite:  # whose converter joins it with what is around it into what its own operator does not take
        return tf.reshape(x, stack(_with_rest([each for axis, each in enumerate(shape) if axis not in axes])))
    return tf.squeeze(x, axes) if axes else tf.identity(x)


def _with_rest(shape: Sequence[Length]) -> list[Length]:
    """Return a shape whose only free length is the one that remains."""
    free = [axis for axis, each in enumerate(shape) if not isinstance(each, int)]
    known = [each for each in shape if isinstance(each, int)]
    if len(free) != 1 or -1 in known or 0 in known:
        return list(shape)
    return [-1 if axis in free else each for axis, each in enumerate(shape)]


@operator("Unsqueeze")
def _unsqueeze(node: Node) -> Results:
    axes = axes_of(node) or []
    x = node.tensor()
    rank = node.rank() + len(axes)
    for axis in sorted(each % rank for each in axes):
        x = tf.expand_dims(x, axis)
    return x


@operator("Transpose")
def _transpose(node: Node) -> Results:
    permutation = node.attributes.get("perm")
    rank, last = node.rank(), node.scope.last_of(node.inputs[0])
    if last is not None and permutation == [0, *range(2, rank), 1]:
        return tf.identity(last)
    return tf.transpose(node.tensor(), permutation)


@operator("Concat")
def _concat(node: Node) -> Results:
    axis = node.attributes["axis"]
    last = [each for each in map(node.scope.last_of, node.inputs) if each is not None]
    if len(last) == len(node.inputs):
        return node.scope.from_last(tf.concat(last, where_last(axis, node.rank())))
    return tf.concat(node.tensors(), axis)


@operator("Split")
def _split(node: Node) -> Results:
    axis = node.axis()
    last, rank = node.scope.last_of(node.inputs[0]), node.rank()
    x = node.tensor() if last is None else last
    inner = axis if last is None else where_last(axis, rank)
    if "split" in node.attributes or node.has(1):
        sizes = node.attributes.get("split") or node.lengths(1)
        if isinstance(sizes[-1], int) and x.shape[inner] is None and len(sizes) == 1:
            return [tf.identity(node.tensor())]
        parts = tf.split(x, stack(sizes), inner, num=len(sizes))
    else:
        length = x.shape[inner]
        count = node.attributes.get("num_outputs") or node.results
        if length is None:
            each = -(-node.scope.length(x, inner) // count)
            parts = tf.split(x, stack([*([each] * (count - 1)), -1]), inner, num=count)
        else:
            each = -(-length // count)
            parts = tf.split(x, [*([each] * (count - 1)), length - each * (count - 1)], inner)
    return [part if last is None else node.scope.from_last(part) for part in parts]


@operator("Expand")
def _expand(node: Node) -> Results:
    """Both shapes are broadcast: lengths of one in either of them take the other's."""
    if not node.is_list(1):
        whole = tf.broadcast_dynamic_shape(tf.shape(node.tensor()), node.vector(1))
        return tf.broadcast_to(node.tensor(), whole)
    x, given = node.tensor(), node.lengths(1)
    shape = node.shape()
    rank = max(len(shape), len(given))
    wide, wanted = [1] * (rank - len(shape)) + shape, [1] * (rank - len(given)) + given
    target = [_broadcast(left, right) for left, right in zip(wide, wanted, strict=True)]
    if all(_same(left, right) for left, right in zip(wide, target, strict=True)):
        return tf.reshape(x, stack(target)) if len(shape) < rank else tf.identity(x)
    return tf.broadcast_to(x, stack(target))


def _same(left: Length, right: Length) -> bool:
    """Whether two lengths are known to be the same."""
    return left is right or (isinstance(left, int) and isinstance(right, int) and left == right)


def _broadcast(left: Length, right: Length) -> Length:
    if left is right or (isinstance(right, int) and right == 1):
        return left
    if isinstance(left, int) and left == 1:
        return right
    if isinstance(left, int) and isinstance(right, int):
        return max(left, right)
    if isinstance(left, int) or isinstance(right, int):
        return left if isinstance(left, int) else right
    return tf.where(tf.equal(left, 1), right, left)


@operator("Tile")
def _tile(node: Node) -> Results:
    return tf.tile(node.tensor(), node.vector(1))


@operator("Pad")
def _pad(node: Node) -> Results:
    x, rank = node.tensor(), node.rank()
    pads = node.attributes["pads"] if "pads" in node.attributes else node.lengths(1)
    axes = [int(each) % rank for each in node.constant(3, "axes")] if node.has(3) else list(range(rank))
    mode = node.attributes["mode"]
    before = dict(zip(axes, pads[: len(axes)], strict=True))
    behind = dict(zip(axes, pads[len(axes) :], strict=True))
    pairs: list[tuple[Length, Length]] = [(before.get(axis, 0), behind.get(axis, 0)) for axis in range(rank)]
    last = node.scope.last_of(node.inputs[0])
    if last is not None:
        return node.scope.from_last(_padded(node, last, [pairs[0], *pairs[2:], pairs[1]], mode))
    return _padded(node, x, pairs, mode)


def _padded(node: Node, x: tf.Tensor, pairs: Sequence[tuple[Length, Length]], mode: str) -> tf.Tensor:
    cuts = [pair for pair in pairs if any(isinstance(each, int) and each < 0 for each in pair)]
    if cuts:
        x = x[tuple(slice(_cut(before), -_cut(behind) or None) for before, behind in pairs)]
        pairs = [tuple(max(each, 0) if isinstance(each, int) else each for each in pair) for pair in pairs]  # type: ignore[misc]
    if mode != "constant":
        for axis, pair in enumerate(pairs):
            if not all(isinstance(each, int) and each == 0 for each in pair):
                x = tf.gather(x, _places(node.scope.length(x, axis), *pair, mode), axis=axis)
        return x
    amounts = tf.stack([stack(pair) for pair in pairs])
    if all(isinstance(each, int) for pair in pairs for each in pair):
        amounts = tf.constant(np.array(pairs, np.int32))
    value = node.optional(2) if "value" not in node.attributes or node.has(2) else node.attributes["value"]
    if value is None or (node.known(2) is not None and not np.any(node.known(2))):
        return tf.pad(x, amounts)
    return tf.pad(x, amounts, constant_values=tf.reshape(tf.cast(value, x.dtype), []))


def _cut(length: Length) -> int:
    return max(-length, 0) if isinstance(length, int) else 0


def _places(length: Length, before: Length, behind: Length, mode: str) -> tf.Tensor:
    """Return what element of an axis stands at each place of the longer one."""
    places = tf.range(-before, length + behind)
    if mode == "edge":
        return tf.clip_by_value(places, 0, length - 1)
    if mode == "wrap":
        return tf.math.floormod(places, length)
    if mode != "reflect":
        message = f"expected mode constant, edge, reflect or wrap, found {mode}"
        raise ValueError(message)
    turn = tf.maximum(2 * (length - 1), 1)  # there and back, the ends once
    places = tf.math.floormod(places, turn)
    return tf.minimum(places, turn - places)


@operator("ConstantOfShape")
def _constant_of_shape(node: Node) -> Results:
    value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).reshape(-1)[0]
    return tf.fill(node.vector(0), tf.constant(value))


@operator("Range")
def _range(node: Node) -> Results:
    """Where the limit is behind the start there is nothing, which TensorFlow takes for an error."""
    start, limit, delta = (tf.reshape(node.tensor(index), []) for index in range(3))
    given = start.dtype
    if given == tf.int16:
        start, limit, delta = (tf.cast(each, tf.int32) for each in (start, limit, delta))
    limit = tf.where(delta > 0, tf.maximum(limit, start), tf.minimum(limit, start))
    return tf.cast(tf.range(start, limit, delta), given)


WINDOWS = {
    "HannWindow": (0.5, 0.5, 0.0),
    "HammingWindow": (25 / 46, 21 / 46, 0.0),
    "BlackmanWindow": (0.42, 0.5, 0.08),
}
"""Constant, and factors of the cosines of one and two periods."""


@operator(*WINDOWS)
def _window(node: Node) -> Results:
    size = tf.cast(tf.reshape(node.tensor(), []), tf.float32)
    periods = size if node.attributes["periodic"] else size - 1
    angle = tf.range(size) * (2 * np.pi) / periods
    constant, first, second = WINDOWS[node.kind]
    return tf.cast(
        constant - first * tf.cos(angle) + second * tf.cos(2 * angle), dtype_of(node.attributes["output_datatype"])
    )


@operator("EyeLike")
def _eye(node: Node) -> Results:
    rows, columns = node.shape()
    kind = dtype_of(node.attributes["dtype"]) if "dtype" in node.attributes else node.tensor().dtype
    across = tf.range(columns)[tf.newaxis] - tf.range(rows)[:, tf.newaxis]
    return tf.cast(tf.equal(across, node.attributes["k"]), kind)


@operator("Trilu")
def _trilu(node: Node) -> Results:
    x = node.tensor()
    rows, columns = node.shape()[-2:]
    k = node.lengths(1)[0] if node.has(1) else 0
    across = tf.range(columns)[tf.newaxis] - tf.range(rows)[:, tf.newaxis]
    return tf.where(across >= k if node.attributes["upper"] else across <= k, x, tf.zeros([], x.dtype))


@operator("DepthToSpace", "SpaceToDepth")
def _depth(node: Node) -> Results:
    x, size = node.tensor(), node.attributes["blocksize"]
    batch, channels, height, width = node.shape()
    if node.kind == "SpaceToDepth":
        cut = tf.reshape(x, stack([batch, channels, _part(height, size), size, _part(width, size), size]))
        shape = stack([batch, channels * size * size, _part(height, size), _part(width, size)])
        order = [0, 3, 5, 1, 2, 4] if node.attributes.get("mode", "DCR") == "DCR" else [0, 1, 3, 5, 2, 4]
        return tf.reshape(tf.transpose(cut, order), shape)
    deep = _part(channels, size * size)
    shape = stack([batch, deep, height * size, width * size])
    if node.attributes.get("mode", "DCR") == "DCR":
        cut = tf.reshape(x, stack([batch, size, size, deep, height, width]))
        return tf.reshape(tf.transpose(cut, [0, 3, 4, 1, 5, 2]), shape)
    cut = tf.reshape(x, stack([batch, deep, size, size, height, width]))
    return tf.reshape(tf.transpose(cut, [0, 1, 4, 2, 5, 3]), shape)


def _part(length: Length, size: int) -> Length:
    return length // size


@operator("ReverseSequence")
def _reverse_sequence(node: Node) -> Results:
    time, batch = node.attributes["time_axis"], node.attributes["batch_axis"]
    return tf.reverse_sequence(node.tensor(), node.tensor(1), seq_axis=time, batch_axis=batch)


@operator("Dropout")
def _dropout(node: Node) -> Results:
    x = node.tensor()
    training = node.known(2)
    if node.has(2) and (training is None or bool(training)):
        message = "expected a model that is asked, found one in training"
        raise ValueError(message)
    if node.version < 12:  # noqa: PLR2004  # before it, ONNX Runtime's mask has nothing in it
        mask = tf.zeros_like(x, tf.bool if node.version >= 10 else x.dtype)  # noqa: PLR2004
    else:
        mask = tf.ones_like(x, tf.bool)
    return [tf.identity(x), mask][: node.results]
