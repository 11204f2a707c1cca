"""Parts of tensors."""

import itertools

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator
from modelport_converter.onnx_graphs.writing import END

START = -(2**31)
"""Before any axis, for steps backwards."""


@operator("slice", "crop", "_npx_slice", "_npi_slice")
def write_slice(call: Call) -> str:
    """Cut the leading axes; None is where the step begins or ends."""
    begins, ends, steps = call.lengths("begin"), call.lengths("end"), call.lengths("step")
    value = call.x()
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        step = (steps[axis] if axis < len(steps) else None) or 1
        if begin is None and end is None and step == 1:
            continue
        first = begin if begin is not None else (0 if step > 0 else END)
        last = end if end is not None else (END if step > 0 else START)
        value = call.graph.slice(value, axis, first, last, step)
    return value


@operator("slice_axis")
def write_slice_axis(call: Call) -> str:
    """Cut one axis."""
    end = call.integer("end") if call.has("end") else END
    return call.graph.slice(call.x(), call.axis("axis", 0), call.integer("begin", 0), end)


@operator("slice_like", least=2)
def write_slice_like(call: Call) -> str:
    """Cut axes to the lengths of another."""
    axes = [call.from_front(axis, call.rank()) for axis in call.whole("axes")] or list(range(call.rank(1)))
    ends = [call.graph.length(call.x(1), axis) for axis in axes]
    starts = call.graph.lengths(*[0] * len(axes))
    return call.add("Slice", call.x(), starts, call.graph.concat(ends, 0), call.graph.lengths(*axes))


@operator("SliceChannel", "split")
def write_split(call: Call) -> list[str]:
    """Cut into equal parts."""
    axis, count = call.axis("axis", 1), call.integer("num_outputs")
    return _split(call, axis, [call.fixed(axis) // count] * count)


@operator("_split_v2", "_npi_split")
def write_split_at(call: Call) -> list[str]:
    """Cut into equal parts, or at places."""
    axis = call.axis("axis", 0)
    count, length = call.integer("sections", 0), call.fixed(axis)
    if count > 0:
        return _split(call, axis, [length // count] * count)
    places = [*call.whole("indices"), length]
    if not places or places[0] != 0:
        places = [0, *places]
    bounds = [min(each + length if each < 0 else each, length) for each in places]
    return _split(call, axis, [end - begin for begin, end in itertools.pairwise(bounds)])


def _split(call: Call, axis: int, lengths: list[int]) -> list[str]:
    parts = [call.x()]
    if len(lengths) > 1:
        parts = call.graph.add_many("Split", [""] * len(lengths), call.x(), call.graph.lengths(*lengths), axis=axis)
    if call.flag("squeeze_axis"):
        parts = [call.add("Squeeze", part, call.graph.lengths(axis)) for part in parts]
    return parts


@operator("Crop")
def write_crop(call: Call) -> str:
    """Cut height and width to those of another, or to two lengths."""
    height, width = call.whole("offset", (0, 0))
    is_like = call.integer("num_args") > 1
    if call.flag("center_crop"):
        shape, wanted = call.shape(), call.shape(1)[2:] if is_like else call.whole("h_w", (0, 0))
        known = [length for length in (*shape[2:], *wanted) if length is not None]
        if len(known) < 4:  # noqa: PLR2004  # heights and widths of both
            raise call.refuse("expected known heights and widths for center_crop", str(list(shape)))
        height, width = ((known[axis] - known[axis + 2]) // 2 for axis in (0, 1))
    starts = call.graph.lengths(height, width)
    if is_like:
        lengths = call.graph.concat([call.graph.length(call.x(1), axis) for axis in (2, 3)], 0)
    else:
        lengths = call.graph.lengths(*call.whole("h_w", (0, 0)))
    return call.add("Slice", call.x(), starts, call.add("Add", starts, lengths), call.graph.lengths(2, 3))
