"""Operators that make one element of all along some axes."""

from collections.abc import Callable

import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import Node, Results, operator, where_last
from modelport_converter.frameworks.tensorflow.onnx_operators.tensors.shapes import axes_of

Reduce = Callable[..., tf.Tensor]


def _truth(reduce: Reduce) -> Reduce:
    """Return a reduction that knows truth values, which of numbers is the larger or smaller one."""
    return lambda x, axes, keepdims: (
        tf.cast(reduce(tf.cast(x, tf.uint8), axes, keepdims=keepdims), tf.bool)
        if x.dtype == tf.bool
        else reduce(x, axes, keepdims=keepdims)
    )


def _cut(reduce: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a function that of whole numbers gives whole ones, cut towards zero."""
    return lambda x: reduce(x) if x.dtype.is_floating else tf.cast(reduce(tf.cast(x, tf.float64)), x.dtype)


_sqrt, _log = _cut(tf.sqrt), _cut(tf.math.log)
REDUCTIONS: dict[str, Reduce] = {
    "ReduceL1": lambda x, axes, keepdims: tf.reduce_sum(tf.abs(x), axes, keepdims=keepdims),
    "ReduceL2": lambda x, axes, keepdims: _sqrt(tf.reduce_sum(tf.square(x), axes, keepdims=keepdims)),
    "ReduceLogSum": lambda x, axes, keepdims: _log(tf.reduce_sum(x, axes, keepdims=keepdims)),
    "ReduceLogSumExp": tf.reduce_logsumexp,
    "ReduceMax": _truth(tf.reduce_max),
    "ReduceMean": tf.reduce_mean,
    "ReduceMin": _truth(tf.reduce_min),
    "ReduceProd": tf.reduce_prod,
    "ReduceSum": tf.reduce_sum,
    "ReduceSumSquare": lambda x, axes, keepdims: tf.reduce_sum(tf.square(x), axes, keepdims=keepdims),
}
ALONE: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "ReduceL1": tf.abs,
    "ReduceL2": tf.abs,
    "ReduceLogSum": _log,
    "ReduceSumSquare": tf.square,
}
"""What becomes of a single element."""


@operator(*REDUCTIONS)
def _reduce(node: Node) -> Results:
    """Without axes it reduces all, or with `noop_with_empty_axes` none."""
    axes = axes_of(node)
    x = node.tensor()
    if not axes:
        if node.attributes.get("noop_with_empty_axes"):
            return ALONE.get(node.kind, tf.identity)(x)
        axes = list(range(node.rank()))
    keepdims, rank = bool(node.attributes["keepdims"]), node.rank()
    reduce = REDUCTIONS[node.kind]
    last = node.scope.last_of(node.inputs[0])
    if last is not None and keepdims:
        return node.scope.from_last(reduce(last, [where_last(axis, rank) for axis in axes], keepdims=True))
    return reduce(x, axes, keepdims=keepdims)
