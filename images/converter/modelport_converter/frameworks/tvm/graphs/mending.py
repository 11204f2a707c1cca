"""Rewrites of what TVM's frontend would misread, into what means the same and it reads rightly."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.helper import get_attribute_value, make_attribute

from modelport_converter.frameworks.tvm.graphs.lengths import lengths_of
from modelport_converter.onnx_graphs.graphs import Constants, fresh_name, names_of

END = 10**8
"""From here on, an end of Slice means the end of the axis: exporters write 10**9, or the largest integer of a type."""
Mend = Callable[[onnx.NodeProto, onnx.ModelProto, Constants], bool]


def mend(model: onnx.ModelProto) -> bool:
    """Rewrite what is misread; tell whether anything was."""
    constants = Constants(model)
    changed = [MENDS[node.op_type](node, model, constants) for node in model.graph.node if node.op_type in MENDS]
    return any(changed)


def _whole_slices(node: onnx.NodeProto, model: onnx.ModelProto, constants: Constants) -> bool:
    """Leave out of a Slice the axes that it takes as a whole, and keep its bounds within those of known lengths.

    A free axis would become min(10**9, n) long, an empty one shorter than nothing.
    """
    given = [constants.read(name) if name else None for name in (*node.input[1:], "", "")[:4]]
    starts, ends, axes, steps = given
    if (
        starts is None
        or ends is None
        or any(given[i] is None and node.input[i + 1 : i + 2] not in ([], [""]) for i in (2, 3))
    ):
        return False
    axes = np.arange(len(starts)) if axes is None else axes
    steps = np.ones(len(starts), np.int64) if steps is None else steps
    shape = lengths_of(model).get(node.input[0])
    bounds = [
        _within(shape[axis] if shape else 0, *each)
        for axis, *each in zip(*(each.tolist() for each in (axes, starts, ends, steps)), strict=True)
    ]
    starts, ends = np.array(bounds, np.int64).reshape(-1, 2).T
    kept = [i for i in range(len(starts)) if not (starts[i] == 0 and ends[i] >= END and steps[i] == 1)]
    if len(kept) == len(starts) and (starts == given[0]).all() and (ends == given[1]).all():
        return False
    if not kept:
        node.op_type = "Identity"
        del node.input[1:]
        return True
    names, taken = [], names_of(model)
    for part, values in zip(("starts", "ends", "axes", "steps"), (starts, ends, axes, steps), strict=True):
        names.append(fresh_name(f"{node.output[0]}_{part}", taken))
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(values)[kept].astype(np.int64), names[-1]))
    node.input[1:] = names
    return True


def _within(length: int, start: int, end: int, step: int) -> tuple[int, int]:
    """Return the bounds of a Slice within an axis of this length, or as they are if it is free (0)."""
    if not length:
        return start, end
    chosen = range(length)[start:end:step]
    if not chosen:
        return 0, 0
    last = chosen[-1] + (1 if step > 0 else -1)
    return chosen[0], last if last >= 0 else -END


def _told_pads(node: onnx.NodeProto, model: onnx.ModelProto, constants: Constants) -> bool:
    """State the pads that `auto_pad` makes as long as ceil(length / stride): it makes fewer where strides are long."""
    told = {each.name: get_attribute_value(each) for each in node.attribute}
    lengths = lengths_of(model).get(node.input[0], [])[2:]
    kernel = told.get("kernel_shape") or (constants.shape([*node.input, ""][1]) or ())[2:]
    if told.get("auto_pad") not in (b"SAME_UPPER", b"SAME_LOWER") or not kernel or not lengths or 0 in lengths:
        return False
    ones = [1] * len(lengths)
    strides, dilations = told.get("strides", ones), told.get("dilations", ones)
    pads = [
        max((-(-length // stride) - 1) * stride + (size - 1) * dilation + 1 - length, 0)
        for length, stride, size, dilation in zip(lengths, strides, kernel, dilations, strict=True)
    ]
    small = [pad // 2 for pad in pads]
    large = [pad - half for pad, half in zip(pads, small, strict=True)]
    kept = [each for each in node.attribute if each.name not in ("auto_pad", "pads")]
    del node.attribute[:]
    first, last = (small, large) if told["auto_pad"] == b"SAME_UPPER" else (large, small)
    node.attribute.extend([*kept, make_attribute("pads", [*first, *last])])
    return True


MENDS: dict[str, Mend] = {
    "Slice": _whole_slices,
    **dict.fromkeys(("AveragePool", "Conv", "LpPool", "MaxPool"), _told_pads),
}
