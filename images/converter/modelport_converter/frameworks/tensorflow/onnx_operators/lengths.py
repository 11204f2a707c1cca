"""Arithmetic of lengths: exporters compute shapes by nodes, and what is known of them stays known.

Such a value is an array of objects: ints, and scalars of int32 in the graph where a length is free. NumPy moves objects as
well as numbers, and Python's operators work on both.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import Known, Length, Node, product

WHOLE = {onnx.TensorProto.INT64}
"""The type of lengths; what becomes of another type is the graph's business."""
TO_THE_END = {np.iinfo(np.int32).max, np.iinfo(np.int64).max}
"""Where a slice ends that goes on to the end, whatever its direction."""
Compute = Callable[[Node], Known | None]


def compute(node: Node) -> Known | None:
    """Return the result of a node all of whose inputs are known or partly known; None: it takes the graph's operators."""
    run = COMPUTE.get(node.kind)
    found = None if run is None else run(node)
    return None if found is None else tidy(found)


def tidy(array: Known) -> Known:
    """Return numbers as such where all are known."""
    if array.dtype != object or any(tf.is_tensor(each) for each in array.flat):
        return array
    return array.astype(np.int64)


def objects(values: list[Length]) -> Known:
    """Return a list of lengths as a value."""
    array = np.empty(len(values), object)
    for index, each in enumerate(values):
        array[index] = each
    return tidy(array)


def _array(node: Node, index: int) -> Known:
    value = node.inputs[index]
    assert isinstance(value, np.ndarray)
    return value


def _binary(apply: Callable[[Any, Any], Any]) -> Compute:
    def run(node: Node) -> Known | None:
        left, right = np.broadcast_arrays(_array(node, 0).astype(object), _array(node, 1).astype(object))
        result = np.empty(left.shape, object)
        for index in np.ndindex(left.shape):
            found = apply(left[index], right[index])
            if found is None:
                return None
            result[index] = found
        return result

    return run


def _times(left: Any, right: Any) -> Any:
    return product([each if tf.is_tensor(each) else int(each) for each in (left, right)])


def _plus(left: Any, right: Any) -> Any:
    if tf.is_tensor(left) or tf.is_tensor(right):
        return left if _is(right, 0) else right if _is(left, 0) else left + right
    return left + right


def _minus(left: Any, right: Any) -> Any:
    return left if _is(right, 0) else left - right


def _divided(left: Any, right: Any) -> Any:
    """Return the quotient, rounded towards zero; of lengths, which are not negative, it is rounded down."""
    if not tf.is_tensor(left) and not tf.is_tensor(right):
        return None if right == 0 else abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    if _is(right, 1):
        return left
    return tf.raw_ops.Div(x=tf.convert_to_tensor(left, tf.int32), y=tf.convert_to_tensor(right, tf.int32))


def _is(value: Any, number: int) -> bool:
    return not tf.is_tensor(value) and value == number


def _equal(left: Any, right: Any) -> bool | None:
    """Return whether two are equal, where that is known: -1 in a shape says something, and is no length."""
    if left is right:
        return True
    if tf.is_tensor(left) or tf.is_tensor(right):
        other = right if tf.is_tensor(left) else left
        return False if not tf.is_tensor(other) and other < 0 and _is_length(left, right) else None
    return bool(left == right)


def _is_length(*values: Any) -> bool:
    return all(not tf.is_tensor(each) or each.op.type in LENGTHS for each in values)


LENGTHS = {"StridedSlice"}
"""What takes a length out of a shape: that is never negative."""


def _compare(node: Node) -> Known | None:
    found = _binary(_equal)(node)
    return None if found is None else found.astype(bool)


def _where(node: Node) -> Known | None:
    condition = node.known(0)
    if condition is None:
        return None
    return np.where(condition, _array(node, 1).astype(object), _array(node, 2).astype(object))


def _cast(node: Node) -> Known | None:
    return _array(node, 0) if node.attributes["to"] in WHOLE else None


def _gather(node: Node) -> Known | None:
    data, index = _array(node, 0), node.known(1)
    if index is None or data.ndim != 1:
        return None
    if index.ndim:
        return data[index]
    return objects([data[int(index)]]).reshape(())


def _slice(node: Node) -> Known | None:
    data = _array(node, 0)
    if data.ndim != 1:
        return None
    if "starts" in node.attributes:
        starts, ends, steps = node.attributes["starts"], node.attributes["ends"], [1]
    else:
        known = [node.known(index) for index in range(1, len(node.inputs))]
        if known[0] is None or known[1] is None or (node.has(4) and known[3] is None):
            return None
        starts, ends = known[0].tolist(), known[1].tolist()
        steps = known[3].tolist() if node.has(4) and known[3] is not None else [1]
    start, end, step = starts[0], ends[0], steps[0]
    if step < 0 and start < -len(data):
        start = 0
    if end in TO_THE_END or (step < 0 and end < -len(data)):
        end = None
    return data[slice(start, end, step)]


def _concat(node: Node) -> Known | None:
    return np.concatenate([_array(node, index).astype(object) for index in range(len(node.inputs))])


def _axes(node: Node) -> tuple[int, ...] | None:
    if "axes" in node.attributes:
        return tuple(node.attributes["axes"])
    found = node.known(1)
    return None if found is None else tuple(found.reshape(-1).tolist())


def _unsqueeze(node: Node) -> Known | None:
    axes = _axes(node)
    return None if axes is None else np.expand_dims(_array(node, 0), axes)


def _squeeze(node: Node) -> Known | None:
    return np.squeeze(_array(node, 0), _axes(node) or None)


def _reshape(node: Node) -> Known | None:
    shape = node.known(1)
    return None if shape is None or 0 in shape else _array(node, 0).reshape(shape.tolist())


def _product(node: Node) -> Known | None:
    data = _array(node, 0)
    if data.ndim != 1:
        return None
    found = objects([product([each if tf.is_tensor(each) else int(each) for each in data])])
    return found if node.attributes["keepdims"] else found.reshape(())


COMPUTE: dict[str, Compute] = {
    "Add": _binary(_plus),
    "Cast": _cast,
    "Concat": _concat,
    "Div": _binary(_divided),
    "Equal": _compare,
    "Gather": _gather,
    "Identity": lambda node: _array(node, 0),
    "Mul": _binary(_times),
    "ReduceProd": _product,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _binary(_minus),
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
