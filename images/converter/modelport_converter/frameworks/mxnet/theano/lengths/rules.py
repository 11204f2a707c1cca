"""What each operator demands of the lengths of its inputs, and says of its outputs'."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from modelport_converter.frameworks.mxnet.theano.lengths.equal import (
    Equal,
    elements_of,
    read_axis,
    read_number,
)
from modelport_converter.frameworks.mxnet.theano.library import theano

Rule = Callable[[Equal, Any], None]
SAME = {
    "Assert", "BatchNorm", "CheckAndRaise", "ConsiderConstant", "CpuContiguous", "CumOp", "DeepCopyOp",
    "DisconnectedGrad", "GradClip", "LogSoftmax", "OutputGuard", "Print", "Rebroadcast", "Softmax", "SortOp",
    "ArgSortOp", "ViewOp", "ZeroGrad", "AdvancedIncSubtensor", "AdvancedIncSubtensor1", "IncSubtensor",
    "AbstractBatchNormInference", "SoftmaxWithBias",
}  # fmt: skip
"""The first output has the shape of the first input."""


ABSENT = "absent"
"""In the place of an end that a slice does not have."""


def find_equal(inputs: Sequence[Any], outputs: Sequence[Any], equal: Equal) -> Equal:
    """Note what the nodes between variables demand."""
    for node in theano.gof.graph.io_toposort(list(inputs), list(outputs)):
        kind = type(node.op).__name__
        rule = _same if kind in SAME else _RULES.get(kind)
        # a node that lacks a part says nothing of lengths; whoever runs or writes it refuses it
        with suppress(AttributeError, IndexError, KeyError, TypeError, ValueError):
            if rule:
                rule(equal, node)
    return equal


def _same(equal: Equal, node: Any) -> None:
    equal.join_all([node.outputs[0], node.inputs[0]])


def _elementwise(equal: Equal, node: Any) -> None:
    out = node.outputs[0]
    for other in (*node.inputs, *node.outputs[1:]):
        for axis in range(out.ndim):
            if not other.broadcastable[axis]:
                equal.join((out, axis), (other, axis))


def _shuffle(equal: Equal, node: Any) -> None:
    for axis, source in enumerate(node.op.new_order):
        if source != "x":
            equal.join((node.outputs[0], axis), (node.inputs[0], source))


def _dot(equal: Equal, node: Any) -> None:
    (left, right), out = node.inputs[:2], node.outputs[0]
    equal.join((left, left.ndim - 1), (right, max(0, right.ndim - 2)))
    if left.ndim > 1:
        equal.join((out, 0), (left, 0))
    if right.ndim > 1:
        equal.join((out, out.ndim - 1), (right, right.ndim - 1))


def _batched_dot(equal: Equal, node: Any) -> None:
    (left, right), out = node.inputs, node.outputs[0]
    equal.join((left, 0), (right, 0))
    equal.join((out, 0), (left, 0))
    equal.join((left, left.ndim - 1), (right, 1))
    if left.ndim > 2:  # noqa: PLR2004
        equal.join((out, 1), (left, 1))
    if right.ndim > 2:  # noqa: PLR2004
        equal.join((out, out.ndim - 1), (right, 2))


def _convolution(equal: Equal, node: Any) -> None:
    (image, kernel), out = node.inputs[:2], node.outputs[0]
    equal.join((out, 0), (image, 0))
    if kernel.ndim == image.ndim:
        equal.join((out, 1), (kernel, 0))
        channels = equal.length((kernel, 1))
        if channels is not None:
            equal.set((image, 1), channels * getattr(node.op, "num_groups", 1))
    for variable, shape in ((image, node.op.imshp), (kernel, node.op.kshp)):
        for axis, length in enumerate(shape or ()):
            number = length if length is None or isinstance(length, int) else read_number(length)
            if number is not None:
                equal.set((variable, axis), int(number))


def _pool(equal: Equal, node: Any) -> None:
    space = getattr(node.op, "ndim", 2)
    equal.join_all([node.outputs[0], node.inputs[0]], but=range(node.inputs[0].ndim - space, node.inputs[0].ndim))


def _reduce(equal: Equal, node: Any) -> None:
    value, out = node.inputs[0], node.outputs[0]
    axes = axes_of(node.op, value.ndim)
    for place, axis in enumerate(axis for axis in range(value.ndim) if axis not in axes):
        equal.join((out, place), (value, axis))


def axes_of(op: Any, rank: int) -> list[int]:
    """Return the axes that an operator reduces."""
    axis = op.axis
    axes = range(rank) if axis is None else axis if isinstance(axis, (tuple, list)) else [axis]
    return [int(each) % max(1, rank) for each in axes]


def _join(equal: Equal, node: Any) -> None:
    axis = read_number(node.inputs[0])
    if axis is not None:
        equal.join_all([*node.outputs, *node.inputs[1:]], but=[axis % node.outputs[0].ndim])


def _split(equal: Equal, node: Any) -> None:
    axis = read_number(node.inputs[1])
    if axis is not None:
        equal.join_all([node.inputs[0], *node.outputs], but=[axis % node.inputs[0].ndim])


def _subtensor(equal: Equal, node: Any) -> None:
    value, out, place = node.inputs[0], node.outputs[0], 0
    given = list(node.inputs[1:])
    indices = [*node.op.idx_list, *[slice(None)] * (value.ndim - len(node.op.idx_list))]
    for axis, index in enumerate(indices):
        if not isinstance(index, slice):
            given = given[0 if isinstance(index, int) else 1 :]
            continue
        start, stop, step = (_end(each, given) for each in (index.start, index.stop, index.step))
        is_whole = start in {0, ABSENT} and stop == ABSENT and step in {1, ABSENT}
        is_reversed = (start, stop, step) == (ABSENT, ABSENT, -1)
        is_cut = start in {0, ABSENT} and stop is None and step in {1, ABSENT}  # to a length that is computed
        if is_whole or is_reversed or (equal.guesses and is_cut):
            equal.join((out, place), (value, axis))
        place += 1


def _end(each: Any, given: list[Any]) -> int | str | None:
    """Return an end of a slice: a number, None for one that is computed, ABSENT for none."""
    if each is None:
        return ABSENT
    return each if isinstance(each, int) else read_number(given.pop(0))


def _take(equal: Equal, node: Any) -> None:
    (value, index), out = node.inputs, node.outputs[0]
    equal.join((out, 0), (index, 0))
    for axis in range(1, value.ndim):
        equal.join((out, axis), (value, axis))


def _shaped(equal: Equal, out: Any, elements: Sequence[Any]) -> None:
    for axis, each in enumerate(elements):
        number, source = read_number(each), read_axis(each)
        if number is not None and number >= 0:
            equal.set((out, axis), number)
        elif source is not None:
            equal.join((out, axis), source)


def _reshape(equal: Equal, node: Any) -> None:
    shape, out = node.inputs[1], node.outputs[0]
    if isinstance(shape, theano.gof.Constant):
        for axis, length in enumerate(shape.data):
            if length >= 0:
                equal.set((out, axis), int(length))
    else:
        _shaped(equal, out, elements_of(shape) or ())


def _flatten(equal: Equal, node: Any) -> None:
    for axis in range(node.op.outdim - 1):
        equal.join((node.outputs[0], axis), (node.inputs[0], axis))


def _scan(equal: Equal, node: Any) -> None:
    op, outer = node.op, node.inputs
    sequences = list(zip(op.inner_seqs(op.inputs), op.outer_seqs(outer), strict=True))
    if equal.guesses and sequences:
        for _, each in sequences[1:]:
            equal.join((sequences[0][1], 0), (each, 0))
    stepped = list(sequences)
    for taps, buffers in (
        (op.inner_sitsot(op.inputs), op.outer_sitsot(outer)),
        (op.inner_nitsot_outs(op.outputs), op.outer_nitsot_outs(node.outputs)),
        (op.inner_sitsot_outs(op.outputs), op.outer_sitsot_outs(node.outputs)),
        (op.inner_mitsot_outs(op.outputs), op.outer_mitsot_outs(node.outputs)),
    ):
        stepped += zip(taps, buffers, strict=True)
    given = iter(op.inner_mitsot(op.inputs))
    for taps, buffer in zip(op.mitsot_taps(), op.outer_mitsot(outer), strict=True):
        stepped += [(next(given), buffer) for _ in taps]
    for inner, whole in stepped:
        for axis in range(inner.ndim):
            equal.join((inner, axis), (whole, axis + 1))
    for inner, whole in zip(op.inner_non_seqs(op.inputs), op.outer_non_seqs(outer), strict=True):
        if hasattr(inner.type, "broadcastable"):
            equal.join_all([whole, inner])
    for inner, made in zip(op.inner_sitsot(op.inputs), op.inner_sitsot_outs(op.outputs), strict=True):
        equal.join_all([inner, made])
    find_equal(op.inputs, op.outputs, equal)


_RULES: dict[str, Rule] = {
    "AbstractConv2d": _convolution,
    "AbstractConv3d": _convolution,
    "AdvancedSubtensor1": _take,
    "All": _reduce,
    "Alloc": lambda equal, node: _shaped(equal, node.outputs[0], node.inputs[1:]),
    "AllocEmpty": lambda equal, node: _shaped(equal, node.outputs[0], node.inputs),
    "Any": _reduce,
    "BatchedDot": _batched_dot,
    "CAReduce": _reduce,
    "DimShuffle": _shuffle,
    "Dot": _dot,
    "Dot22": _dot,
    "Elemwise": _elementwise,
    "Flatten": _flatten,
    "Join": _join,
    "MaxAndArgmax": _reduce,
    "Pool": _pool,
    "Prod": _reduce,
    "Reshape": _reshape,
    "Scan": _scan,
    "Split": _split,
    "Subtensor": _subtensor,
    "Sum": _reduce,
}
"""By the operator's name."""
