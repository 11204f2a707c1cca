"""Branches and loops, whose graphs see the values around them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import MisfitError, Node, Results, Value, operator

MOST_TRACES = 4


@operator("If")
def _if(node: Node) -> Results:
    """Where the condition is known, so is the branch.

    Branches whose results differ in the number of axes, as exporters write what squeezes an axis only of one, cannot both
    go on: one is taken, and the other one is an error whenever it is asked for. So is one whose shapes do not fit the inputs that
    the model has, where nothing else can be built: the source fails in it, too.
    """
    known = node.known(0)
    branches = [node.attributes[name] for name in ("else_branch", "then_branch")]
    if known is not None:
        return node.scope.run(branches[bool(known.reshape(-1)[0])], [], node.outer)
    condition = tf.reshape(node.tensor(0), [])
    ranks: list[list[int | None]] = []

    def run(branch: Any) -> list[tf.Tensor]:
        results = _tensors(node, node.scope.run(branch, [], node.outer))
        ranks.append([each.shape.rank for each in results])
        return results

    try:
        results = list(tf.cond(condition, lambda: run(branches[1]), lambda: run(branches[0])))
    except MisfitError:
        if not node.scope.drops_branches:
            raise
        return _only(node, branches, condition)
    if len(ranks) < len(branches) or ranks[0] == ranks[1]:
        return results
    return _only(node, branches, condition)


def _only(node: Node, branches: Sequence[Any], condition: tf.Tensor) -> Results:
    """Return the results of one branch, whichever can go on."""
    taken = node.scope.choose()
    results = _tensors(node, node.scope.run(branches[taken], [], node.outer))
    if node.scope.lite:
        return results
    told = f"{node.name}: the model was converted for a condition that is {taken}"
    with tf.control_dependencies([tf.debugging.Assert(tf.equal(condition, taken), [told])]):
        return [tf.identity(each) for each in results]


def _tensors(node: Node, values: Sequence[Value]) -> list[tf.Tensor]:
    return [node.scope.keep(each) if isinstance(each, np.ndarray) else each for each in values]


@operator("Loop")
def _loop(node: Node) -> Results:
    """Until the count is reached, or the condition that the body gives is false; scanned results are stacked."""
    body = node.attributes["body"]
    count = len(node.inputs) - 2
    most = tf.cast(tf.reshape(node.tensor(0), []), tf.int64) if node.has(0) else None
    goes_on = tf.reshape(node.tensor(1), []) if node.has(1) else tf.constant(True)
    first = [node.tensor(index) for index in range(2, len(node.inputs))]

    def run(number: tf.Tensor, before: tf.Tensor, carried: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        return _tensors(node, node.scope.run(body, [number, before, *carried], node.outer))

    def again(number: tf.Tensor, before: tf.Tensor, *_: Any) -> tf.Tensor:
        return before if most is None else before & (number < most)

    return _repeat(again, run, goes_on, first, scanned=len(body.outputs) - 1 - count)


def _repeat(again: Any, run: Any, goes_on: tf.Tensor, first: Sequence[tf.Tensor], *, scanned: int) -> list[tf.Tensor]:
    """Run a body as long as it is to go on; return what it carries, and what each step gives stacked.

    The shapes of what is carried may change from step to step: what a step leaves of them is known of all.
    """
    shapes = [each.shape for each in first]
    kinds: list[tf.TensorSpec] = []
    for _ in range(MOST_TRACES):  # until no step changes what is known of the shapes
        specs = [tf.TensorSpec(shape, each.dtype) for shape, each in zip(shapes, first, strict=True)]
        traced = _trace(run, specs)
        kinds = traced[1 + len(first) :]
        met = [_meet(shape, each.shape) for shape, each in zip(shapes, traced[1:], strict=False)]
        if all(str(left) == str(right) for left, right in zip(met, shapes, strict=True)):
            break
        shapes = met
    arrays = tuple(
        tf.TensorArray(each.dtype, size=0, dynamic_size=True, infer_shape=False, element_shape=each.shape)
        for each in kinds
    )

    def body(number: tf.Tensor, before: tf.Tensor, carried: Any, kept: Any) -> Any:
        going, *results = run(number, before, carried)
        values, rows = results[: len(first)], results[len(first) :]
        index = tf.cast(number, tf.int32)
        kept = tuple(array.write(index, row) for array, row in zip(kept, rows, strict=True))
        return number + 1, tf.reshape(going, []), tuple(values), kept

    assert len(kinds) == scanned
    _, _, carried, kept = tf.while_loop(
        again,
        body,
        (tf.constant(0, tf.int64), goes_on, tuple(first), arrays),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([]),
            tuple(shapes),
            tuple(tf.TensorShape(None) for _ in arrays),
        ),
    )
    stacked = [_stacked(array, spec) for array, spec in zip(kept, kinds, strict=True)]
    return [*carried, *stacked]


def _stacked(array: tf.TensorArray, spec: tf.TensorSpec) -> tf.Tensor:
    """Return the rows of an array; their lengths are known only once there are some."""
    if spec.shape.is_fully_defined():
        return array.stack()
    empty = tf.zeros([0, *(each or 0 for each in spec.shape.as_list())], spec.dtype)
    return tf.cond(array.size() > 0, array.stack, lambda: empty)


def _trace(run: Any, specs: Sequence[tf.TensorSpec]) -> list[tf.TensorSpec]:
    """Return types and shapes of what a step gives, in a graph that is thrown away."""
    given = [tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool), *specs]
    function = tf.function(lambda number, before, *carried: run(number, before, carried), autograph=False)
    traced = function.get_concrete_function(*given)
    return [tf.TensorSpec(each.shape, each.dtype) for each in traced.outputs]


def _meet(left: tf.TensorShape, right: tf.TensorShape) -> tf.TensorShape:
    """Return what two shapes have in common."""
    return left.most_specific_compatible_shape(right)


@operator("Scan")
def _scan(node: Node) -> Results:
    """One step for each element along the scanned axes; states go from step to step, results are stacked."""
    if node.version < 9:  # noqa: PLR2004  # told below
        message = "expected Scan of operator set 9 or later, found one over a batch"
        raise ValueError(message)
    body, inputs = node.attributes["body"], node.attributes["num_scan_inputs"]
    states = len(node.inputs) - inputs
    results = len(body.outputs) - states
    axes = node.attributes.get("scan_input_axes") or [0] * inputs
    ways = node.attributes.get("scan_input_directions") or [0] * inputs
    scanned = [
        _first(node.tensor(states + number), axes[number], is_reverse=bool(ways[number])) for number in range(inputs)
    ]
    steps = node.scope.length(scanned[0], 0)

    def run(number: tf.Tensor, before: tf.Tensor, carried: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        rows = [each[number] for each in scanned]
        return [before, *_tensors(node, node.scope.run(body, [*carried, *rows], node.outer))]

    first = [node.tensor(index) for index in range(states)]
    found = _repeat(
        lambda number, *_: number < tf.cast(steps, tf.int64), run, tf.constant(True), first, scanned=results
    )
    axes = node.attributes.get("scan_output_axes") or [0] * results
    ways = node.attributes.get("scan_output_directions") or [0] * results
    stacked = [
        _placed(tf.reverse(each, [0]) if way else each, axis)
        for each, axis, way in zip(found[states:], axes, ways, strict=True)
    ]
    return [*found[:states], *stacked]


def _first(x: tf.Tensor, axis: int, *, is_reverse: bool) -> tf.Tensor:
    axis = axis % x.shape.rank
    x = x if axis == 0 else tf.transpose(x, [axis, *(each for each in range(x.shape.rank) if each != axis)])
    return tf.reverse(x, [0]) if is_reverse else x


def _placed(x: tf.Tensor, axis: int) -> tf.Tensor:
    rank = x.shape.rank
    axis = axis % rank
    return x if axis == 0 else tf.transpose(x, [*range(1, axis + 1), 0, *range(axis + 1, rank)])
