"""The same elements in another shape or order, joined, spread or repeated."""

from collections.abc import Sequence

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, Shape, operator
from modelport_converter.frameworks.mxnet.symbols.operators.tensors.reshaping import (
    NUMPY,
    OLDER,
    Part,
    read_codes,
)


@operator("Reshape", "reshape")
def write_reshape(call: Call) -> str:
    """Reshape by codes: 0 keeps a length, -1 is what is left, -2 keeps the rest, -3 joins two, -4 splits one."""
    if not call.has("shape") and call.has("target_shape"):  # before 0.8: 0 is what is left
        codes = tuple(-1 if each == 0 else each for each in call.whole("target_shape"))
        if call.flag("keep_highest"):
            codes = (0, *codes[1:])
        return _reshape(call, codes)
    return _reshape(call, call.whole("shape"))


@operator("_npx_reshape")
def write_numpy_reshape(call: Call) -> str:
    """Reshape by other codes: -2 keeps a length, -4 the rest, -3 leaves out a one, -5 joins two, -6 splits one."""
    return _reshape(call, call.whole("newshape"), NUMPY)


@operator("_np_reshape", "_npi_reshape")
def write_plain_reshape(call: Call) -> str:
    """Reshape by lengths, of which -1 is what is left."""
    if call.text("order", "C") != "C":
        raise call.refuse("expected order=C", call.text("order"))
    return _to(call, call.x(), call.out.shape, [])


def _reshape(call: Call, codes: Sequence[int], meaning: dict[int, str] = OLDER) -> str:
    free = sum(length is None for length in call.out.shape)
    if free <= 1:
        return _to(call, call.x(), call.out.shape, [])
    shape: Shape = call.shape()
    if call.flag("reverse"):
        parts = read_codes(call, codes[::-1], shape[::-1], meaning)
        last = call.rank() - 1
        parts = [part._replace(axes=tuple(last - axis for axis in part.axes)) for part in parts[::-1]]
    else:
        parts = read_codes(call, codes, shape, meaning)
    return _to(call, call.x(), call.out.shape, parts)


def _to(call: Call, value: str, shape: Shape, parts: Sequence[Part]) -> str:
    """Return a value in a shape, of which one length may be free, or all of whose lengths have a part that tells them."""
    free = [axis for axis, length in enumerate(shape) if length is None]
    if len(free) <= 1:
        return call.graph.reshape(value, *(-1 if length is None else length for length in shape))
    unknown = [axis for axis in free if not parts[axis].axes]
    if len(unknown) > 1:
        raise call.refuse("expected at most one length that follows from the others", str(list(shape)))
    lengths = []
    for axis, (length, part) in enumerate(zip(shape, parts, strict=True)):
        if length is not None or axis in unknown:
            lengths.append(call.graph.lengths(-1 if length is None else length))
            continue
        product = call.graph.length(value, part.axes[0])
        for each in part.axes[1:]:
            product = call.add("Mul", product, call.graph.length(value, each))
        lengths.append(call.add("Div", product, call.graph.lengths(part.divisor)) if part.divisor > 1 else product)
    return call.add("Reshape", value, call.graph.concat(lengths, 0))


@operator("reshape_like", "_npx_reshape_like", least=2)
def write_reshape_like(call: Call) -> str:
    """Take some of another's lengths in the place of some of its own."""
    keys = ("lhs_begin", "lhs_end", "rhs_begin", "rhs_end")
    ends = (call.rank(0), call.rank(0), call.rank(1), call.rank(1))
    begin, end, start, stop = (
        (each + rank if each < 0 else each)
        for each, rank in (
            (call.integer(key) if call.has(key) else (0 if key.endswith("begin") else rank), rank)
            for key, rank in zip(keys, ends, strict=True)
        )
    )
    names = [call.graph.length(call.x(0), axis) for axis in range(begin)]
    names += [call.graph.length(call.x(1), axis) for axis in range(start, stop)]
    names += [call.graph.length(call.x(0), axis) for axis in range(end, call.rank(0))]
    return call.add("Reshape", call.x(), call.graph.concat(names, 0)) if names else call.graph.reshape(call.x())


@operator("Flatten", "flatten", "_npx_batch_flatten")
def write_flatten(call: Call) -> str:
    """All axes but the first become one."""
    return call.add("Flatten", call.x(), axis=1)


@operator("transpose", "_np_transpose", "_npi_transpose")
def write_transpose(call: Call) -> str:
    """Put axes into another order, into the reverse one where none is said."""
    axes = call.whole("axes") or tuple(range(call.rank()))[::-1]
    return call.graph.transpose(call.x(), *(call.from_front(axis, call.rank()) for axis in axes))


@operator("SwapAxis", "swapaxes", "SwapAxes", "_npi_swapaxes")
def write_swap(call: Call) -> str:
    """Swap two axes."""
    order = list(range(call.rank()))
    first, second = call.axis("dim1", 0), call.axis("dim2", 0)
    order[first], order[second] = second, first
    return call.graph.transpose(call.x(), *order)


@operator("expand_dims", "_npi_expand_dims")
def write_expand(call: Call) -> str:
    """Insert axes of length 1."""
    rank = len(call.out.shape)
    axes = sorted(call.from_front(axis, rank) for axis in call.whole("axis"))
    return call.add("Unsqueeze", call.x(), call.graph.lengths(*axes))


@operator("squeeze", "_np_squeeze", "_npi_squeeze")
def write_squeeze(call: Call) -> str:
    """Leave out axes of length 1, all of them where none is said."""
    ones = [axis for axis in range(call.rank()) if call.shape()[axis] == 1]
    axes = [call.from_front(axis, call.rank()) for axis in call.whole("axis")] if call.has("axis") else ones
    if len(axes) == call.rank() and call.out.shape == (1,):
        axes = axes[1:]
    return call.add("Squeeze", call.x(), call.graph.lengths(*axes)) if axes else call.x()


def _all(call: Call) -> list[str]:
    """Return all operands in the type of the result."""
    return [call.cast(call.x(index), value.dtype, call.out.dtype) for index, value in enumerate(call.inputs)]


@operator("Concat", "concat", "_rnn_param_concat", "_npi_rnn_param_concat")
def write_concat(call: Call) -> str:
    """Join along an axis."""
    return call.graph.concat(_all(call), call.axis("dim", 1))


@operator("_npi_concatenate", "_npi_concat")
def write_numpy_concat(call: Call) -> str:
    """Join along an axis, or all elements."""
    if not call.has("axis") and "axis" in call.node.attributes:
        return call.graph.concat([call.graph.reshape(each, -1) for each in _all(call)], 0)
    return call.graph.concat(_all(call), call.axis("axis", 0))


@operator("stack", "_npi_stack")
def write_stack(call: Call) -> str:
    """Join along a new axis."""
    axis = call.from_front(call.integer("axis", 0), call.rank() + 1)
    values = [call.add("Unsqueeze", each, call.graph.lengths(axis)) for each in _all(call)]
    return call.graph.concat(values, axis)


@operator("broadcast_to", "_npi_broadcast_to")
def write_broadcast(call: Call) -> str:
    """Spread to a shape."""
    if call.rank() == len(call.out.shape):
        return call.add("Expand", call.x(), call.lengths_of(call.out.shape, call.x()))
    return call.add("Expand", call.x(), _whole(call, call.out.shape))


@operator("broadcast_axis", "broadcast_axes")
def write_broadcast_axis(call: Call) -> str:
    """Spread axes of length 1."""
    return call.add("Expand", call.x(), call.lengths_of(call.out.shape, call.x()))


@operator("broadcast_like", least=2)
def write_broadcast_like(call: Call) -> str:
    """Spread to another's lengths, or to some of them."""
    if not call.has("lhs_axes"):
        return call.add("Expand", call.x(), call.add("Shape", call.x(1)))
    lengths = [call.graph.length(call.x(), axis) for axis in range(call.rank())]
    for mine, other in zip(call.whole("lhs_axes"), call.whole("rhs_axes"), strict=True):
        lengths[call.from_front(mine, call.rank())] = call.graph.length(call.x(1), call.from_front(other, call.rank(1)))
    return call.add("Expand", call.x(), call.graph.concat(lengths, 0))


def _whole(call: Call, shape: Shape) -> str:
    """Return lengths, all known; those of leading axes that the operand lacks cannot follow from it."""
    if any(length is None for length in shape):
        raise call.refuse("expected known lengths", str(list(shape)))
    return call.graph.weight(np.array(shape, np.int64))


@operator("tile", "_npi_tile")
def write_tile(call: Call) -> str:
    """Repeat the whole along axes."""
    times, value, rank = call.whole("reps"), call.x(), call.rank()
    if len(times) > rank:
        value = call.add("Unsqueeze", value, call.graph.lengths(*range(len(times) - rank)))
    times = (1,) * (max(rank, len(times)) - len(times)) + times
    return call.add("Tile", value, np.array(times, np.int64))


@operator("repeat", "_np_repeat", "_npi_repeat")
def write_repeat(call: Call) -> str:
    """Repeat each element along an axis, or of all."""
    count, value = call.whole("repeats"), call.x()
    if len(count) != 1:
        raise call.refuse("expected one number of repeats", str(count))
    rank, axis = call.rank(), 0
    if call.has("axis"):
        axis = call.axis("axis", 0)
    else:
        value, rank = call.graph.reshape(value, -1), 1
    spread = call.add("Unsqueeze", value, call.graph.lengths(axis + 1))
    spread = call.add("Tile", spread, np.array([1] * (axis + 1) + [*count] + [1] * (rank - axis - 1), np.int64))
    # 0 keeps what stands at the same place, so that the joined length is the only one that is not known
    if axis == 0:
        return call.add("Reshape", spread, _joined(call, spread, rank))
    shape = [0] * axis + [-1]
    rest = [call.shape()[each] for each in range(axis + 1, rank)]
    if all(length is not None for length in rest):
        return call.graph.reshape(spread, *shape, *(length or 0 for length in rest))
    return call.add("Reshape", spread, _joined(call, spread, rank, axis))


def _joined(call: Call, value: str, rank: int, axis: int = 0) -> str:
    """Return the lengths of a value of one axis more, `axis` and the one behind it joined."""
    lengths = [call.graph.length(value, each + (each > axis)) for each in range(rank)]
    lengths[axis] = call.graph.lengths(-1)
    return call.graph.concat(lengths, 0)


@operator("reverse", "flip", "_npi_flip")
def write_reverse(call: Call) -> str:
    """Reverse the order along axes."""
    value = call.x()
    for axis in [call.from_front(each, call.rank()) for each in call.whole("axis")] or range(call.rank()):
        value = call.graph.slice(value, axis, -1, -(2**31), -1)
    return value


@operator("Pad", "pad")
def write_pad(call: Call) -> str:
    """Put something around: a number, the edge, or what is mirrored in it."""
    mode, width = call.text("mode", "constant"), call.whole("pad_width")
    pads = np.array([*width[::2], *width[1::2]], np.int64)
    if mode == "constant":
        return call.add("Pad", call.x(), pads, call.constant(call.number("constant_value", 0.0)), mode=mode)
    if mode not in {"edge", "reflect"}:
        raise call.refuse("expected mode as constant, edge or reflect", mode)
    return call.add("Pad", call.x(), pads, mode=mode)


@operator("depth_to_space")
def write_depth(call: Call) -> str:
    """Channels become places."""
    return call.add("DepthToSpace", call.x(), blocksize=call.integer("block_size"), mode="DCR")


@operator("space_to_depth")
def write_space(call: Call) -> str:
    """Places become channels."""
    return call.add("SpaceToDepth", call.x(), blocksize=call.integer("block_size"))
