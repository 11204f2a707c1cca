"""Operators that take elements by index, put them by index, order them, or find where they are."""

import numpy as np
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import (
    Length,
    Node,
    Results,
    operator,
    product,
    stack,
)


def from_start(node: Node, index: int, length: Length) -> tf.Tensor:
    """Return an input of indices counted from the first element; those below zero count from behind the last."""
    known = node.known(index)
    if known is not None:
        if (known >= 0).all():
            return node.tensor(index)
        if isinstance(length, int):
            return tf.constant(np.where(known < 0, known + length, known))
    indices = node.tensor(index)
    return tf.where(indices < 0, indices + tf.cast(length, indices.dtype), indices)


@operator("Gather")
def _gather(node: Node) -> Results:
    axis = node.axis()
    return tf.gather(node.tensor(), from_start(node, 1, node.shape()[axis]), axis=axis)


@operator("GatherElements")
def _gather_elements(node: Node) -> Results:
    """Element [i, j] of the result is that at [index[i, j], j], where the axis is the first one."""
    data, axis, rank = node.tensor(), node.axis(), node.rank()
    indices = from_start(node, 1, node.shape()[axis])
    return tf.gather_nd(data, _whole_indices(node, indices, axis, rank))


def _whole_indices(node: Node, indices: tf.Tensor, axis: int, rank: int) -> tf.Tensor:
    """Return (…, rank): for each index the place that it means, in all other axes its own."""
    shape = [node.scope.length(indices, each) for each in range(rank)]
    parts = []
    for each in range(rank):
        if each == axis:
            parts.append(tf.cast(indices, tf.int32))
            continue
        own = tf.reshape(tf.range(shape[each]), [-1 if other == each else 1 for other in range(rank)])
        parts.append(tf.broadcast_to(own, stack(shape)))
    return tf.stack(parts, -1)


@operator("GatherND")
def _gather_nd(node: Node) -> Results:
    return tf.gather_nd(node.tensor(), _many_from_start(node), batch_dims=node.attributes.get("batch_dims", 0))


def _many_from_start(node: Node) -> tf.Tensor:
    """Return indices of several axes each, counted from the first elements."""
    indices = node.tensor(1)
    known = node.known(1)
    if known is not None and (known >= 0).all():
        return indices
    count, skipped = indices.shape[-1], node.attributes.get("batch_dims", 0)
    if count is None:
        message = "expected indices of a known number of axes, found a free one"
        raise ValueError(message)
    lengths = tf.cast(stack(node.shape()[skipped : skipped + count]), indices.dtype)
    return tf.where(indices < 0, indices + lengths, indices)


@operator("ScatterElements", "Scatter")
def _scatter_elements(node: Node) -> Results:
    data, axis, rank = node.tensor(), node.axis(), node.rank()
    indices = from_start(node, 1, node.shape()[axis])
    places = tf.reshape(_whole_indices(node, indices, axis, rank), [-1, rank])
    return _scatter(node, data, places, tf.reshape(node.tensor(2), [-1]))


@operator("ScatterND")
def _scatter_nd(node: Node) -> Results:
    return _scatter(node, node.tensor(), tf.cast(_many_from_start(node), tf.int32), node.tensor(2))


def _scatter(node: Node, data: tf.Tensor, places: tf.Tensor, updates: tf.Tensor) -> tf.Tensor:
    reduction = node.attributes.get("reduction", "none")
    put = {
        "none": tf.tensor_scatter_nd_update,
        "add": tf.tensor_scatter_nd_add,
        "max": tf.tensor_scatter_nd_max,
        "min": tf.tensor_scatter_nd_min,
    }.get(reduction)
    if put is not None:
        return put(data, places, updates)
    return data * _products(node, data, places, updates)


def _products(node: Node, data: tf.Tensor, places: tf.Tensor, updates: tf.Tensor) -> tf.Tensor:
    """Return the product of all updates of each place, 1 where there is none."""
    depth = places.shape[-1]
    shape = node.shape()
    outer, inner = shape[:depth], shape[depth:]
    steps = [product(outer[axis + 1 :]) for axis in range(depth)]
    flat = tf.reshape(tf.reduce_sum(places * stack(steps), -1), [-1])
    rows = tf.reshape(updates, stack([-1, product(inner)]))
    return tf.reshape(tf.math.unsorted_segment_prod(rows, flat, product(outer)), tf.shape(data))


@operator("TopK")
def _top_k(node: Node) -> Results:
    """Of equal elements those of lower index come first, in TensorFlow as in ONNX."""
    x, axis, rank = node.tensor(), node.axis(), node.rank()
    count = node.attributes["k"] if "k" in node.attributes else node.lengths(1)[0]
    order = [*(each for each in range(rank) if each != axis), axis]
    back = [order.index(each) for each in range(rank)]
    x = x if axis == rank - 1 else tf.transpose(x, order)
    if node.attributes.get("largest", 1):
        values, places = tf.math.top_k(x, count)
    else:
        values, places = tf.math.top_k(_turned(x), count)
        values = _turned(values)
    found = [values, tf.cast(places, tf.int64)]
    return found if axis == rank - 1 else [tf.transpose(each, back) for each in found]


def _turned(x: tf.Tensor) -> tf.Tensor:
    """Return numbers in the opposite order; of whole ones the smallest has no negative."""
    return -x if x.dtype.is_floating else tf.bitwise.invert(x)


@operator("ArgMax", "ArgMin")
def _arg(node: Node) -> Results:
    x, axis = node.tensor(), node.axis()
    find = tf.argmax if node.kind == "ArgMax" else tf.argmin
    if node.attributes.get("select_last_index"):
        behind = node.shape()[axis] - 1
        found = tf.cast(behind, tf.int64) - find(tf.reverse(x, [axis]), axis)
    else:
        found = find(x, axis)
    return tf.expand_dims(found, axis) if node.attributes["keepdims"] else found


@operator("OneHot")
def _one_hot(node: Node) -> Results:
    depth = node.lengths(1)[0]
    indices, values = tf.cast(node.tensor(0), tf.int64), node.tensor(2)
    indices = tf.where(indices < 0, indices + tf.cast(depth, tf.int64), indices)
    axis = node.attributes["axis"]
    axis = axis if axis >= 0 else axis + node.rank() + 1
    hot = tf.one_hot(indices, depth, on_value=True, off_value=False, axis=axis, dtype=tf.bool)
    return tf.where(hot, values[1], values[0])


@operator("NonZero")
def _non_zero(node: Node) -> Results:
    """Return (axes, found); a scalar is a list of one element, as in ONNX Runtime."""
    x = node.tensor() if node.rank() else tf.reshape(node.tensor(), [1])
    x = x if x.dtype == tf.bool else tf.not_equal(x, tf.zeros([], x.dtype))
    return tf.transpose(tf.where(x))


@operator("Compress")
def _compress(node: Node) -> Results:
    """Elements beyond the end of the condition are left out."""
    places = tf.where(node.tensor(1))[:, 0]
    if "axis" in node.attributes:
        return tf.gather(node.tensor(), places, axis=node.axis())
    return tf.gather(tf.reshape(node.tensor(), [-1]), places)


@operator("CumSum", "CumProd")
def _cumulative(node: Node) -> Results:
    axis = int(node.constant(1, "an axis").reshape(-1)[0])
    run = tf.cumsum if node.kind == "CumSum" else tf.math.cumprod
    return run(
        node.tensor(),
        axis % node.rank(),
        exclusive=bool(node.attributes["exclusive"]),
        reverse=bool(node.attributes["reverse"]),
    )
