"""Rows of tables, elements by their places, and sequences of lengths of their own."""

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator


def _places(call: Call, index: int, length: str, mode: str) -> str:
    """Return places, int64, within a length, int64 [1] or a scalar: what lies beyond is the nearest one, or counted around."""
    places = call.graph.cast(call.x(index), np.int64)
    if mode == "wrap":
        return call.add("Mod", places, length)
    last = call.add("Sub", length, np.array(1, np.int64))
    return call.add("Max", call.add("Min", places, last), np.array(0, np.int64))


@operator("Embedding", "_npx_embedding", "_contrib_SparseEmbedding", least=2)
def write_embedding(call: Call) -> str:
    """Rows of a table, by numbers of any type; those beyond it are its ends."""
    count = call.graph.lengths(call.fixed(0, 1))
    return call.add("Gather", call.x(1), _places(call, 0, count, "clip"), axis=0)


@operator("take", "_npi_take", least=2)
def write_take(call: Call) -> str:
    """Elements along an axis; `raise` cannot be answered, and is taken as clip."""
    if not call.has("axis") and "axis" in call.node.attributes:
        value, axis = call.graph.reshape(call.x(), -1), 0
    else:
        value, axis = call.x(), call.axis("axis", 0)
    length = call.add("Squeeze", call.graph.length(value, axis), call.graph.lengths(0))
    return call.add("Gather", value, _places(call, 1, length, call.text("mode", "clip")), axis=axis)


@operator("batch_take", least=2)
def write_batch_take(call: Call) -> str:
    """One element of each row."""
    return _pick(call, 1, "clip")


@operator("pick", "choose_element_0index", "_npx_pick", least=2)
def write_pick(call: Call) -> str:
    """One element along an axis for each place of the others."""
    return _pick(call, call.axis("axis", -1), call.text("mode", "clip"))


def _pick(call: Call, axis: int, mode: str) -> str:
    length = call.add("Squeeze", call.graph.length(call.x(), axis), call.graph.lengths(0))
    places = _places(call, 1, length, mode)
    if call.rank(1) < call.rank():
        places = call.add("Unsqueeze", places, call.graph.lengths(axis))
    found = call.add("GatherElements", call.x(), places, axis=axis)
    return found if len(call.out.shape) == call.rank() else call.add("Squeeze", found, call.graph.lengths(axis))


@operator("gather_nd", "_npi_gather_nd", "_npx_gather_nd", least=2)
def write_gather(call: Call) -> str:
    """Elements by places whose coordinates stand along the first axis."""
    places = call.graph.cast(call.x(1), np.int64)
    return call.add("GatherND", call.x(), call.graph.transpose(places, *range(1, call.rank(1)), 0))


@operator("one_hot", "_npx_one_hot")
def write_one_hot(call: Call) -> str:
    """Write a row for each number; one beyond the depth is all off."""
    numbers, depth = call.graph.cast(call.x(), np.int64), call.integer("depth")
    on, off = (
        call.constant(call.number(key, default), call.out.dtype)
        for key, default in (("on_value", 1.0), ("off_value", 0.0))
    )
    is_on = call.add("Equal", call.add("Unsqueeze", numbers, call.graph.lengths(-1)), np.arange(depth, dtype=np.int64))
    return call.add("Where", is_on, on, off)


# --- sequences: lengths along the first axis, or as many as `axis` says, are counted for each of the batch ---


def _time(call: Call) -> tuple[int, int]:
    """Return the axes of time and of the batch."""
    axis = call.axis("axis", 0)
    return axis, 1 - axis


def _counts(call: Call, axis: int, batch: int) -> tuple[str, str]:
    """Return all places along the axis of time, and the lengths, int64, so that they meet the first two axes."""
    length = call.add("Squeeze", call.graph.length(call.x(), axis), call.graph.lengths(0))
    places = call.add("Range", np.array(0, np.int64), length, np.array(1, np.int64))
    places = call.graph.reshape(places, *((-1, 1) if axis == 0 else (1, -1)))
    counts = call.graph.reshape(call.graph.cast(call.x(1), np.int64), *((1, -1) if batch == 1 else (-1, 1)))
    return places, counts


def _spread(call: Call, value: str) -> str:
    """Return a value of the first two axes with as many more as the data has."""
    more = range(2, call.rank())
    return call.add("Unsqueeze", value, call.graph.lengths(*more)) if more else value


@operator("SequenceMask", "_npx_sequence_mask")
def write_mask(call: Call) -> str:
    """Put a number behind the end of each sequence."""
    if not call.flag("use_sequence_length"):
        return call.x()
    shown = call.add("Less", *_counts(call, *_time(call)))
    return call.add("Where", _spread(call, shown), call.x(), call.constant(call.number("value", 0.0)))


@operator("SequenceLast")
def write_last(call: Call) -> str:
    """Write the last element of each sequence."""
    axis, batch = _time(call)
    if not call.flag("use_sequence_length"):
        return call.add("Gather", call.x(), np.array(-1, np.int64), axis=axis)
    last = call.add("Sub", call.graph.cast(call.x(1), np.int64), np.array(1, np.int64))
    value = call.graph.transpose(call.x(), batch, axis, *range(2, call.rank()))
    return call.add("GatherND", value, call.add("Unsqueeze", last, call.graph.lengths(1)), batch_dims=1)


@operator("SequenceReverse")
def write_reversed(call: Call) -> str:
    """Each sequence from its end; what lies behind stays."""
    if not call.flag("use_sequence_length"):
        return call.graph.slice(call.x(), 0, -1, -(2**31), -1)
    counts = call.graph.cast(call.x(1), np.int64)
    return call.add("ReverseSequence", call.x(), counts, time_axis=0, batch_axis=1)
