"""Pooling of images [n, channels, height, width] and volumes.

Runtimes pool float32, and maxima of float64. All other types are put together of slices, one for each place in a window, which
is exact: whole numbers are added as whole numbers, and their averages are cut towards zero.
"""

from collections.abc import Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.mxnet.theano.operators.node import Graph, operator, refuse

NATIVE = {"float16": "float32", "float32": "float32"}
"""Types that runtimes pool in, by type of the image."""


class Windows(NamedTuple):
    """How an image is pooled, by axis of the window."""

    lengths: Sequence[int]
    strides: Sequence[int]
    pads: Sequence[int]
    """Before and behind each axis."""
    leads_beyond: bool
    """Whether windows that lead beyond the image count, too: without `ignore_border`."""

    @property
    def attributes(self) -> dict[str, Any]:
        """ONNX's words for it."""
        return {
            "kernel_shape": list(self.lengths),
            "strides": list(self.strides),
            "pads": [*self.pads, *self.pads],
            "ceil_mode": int(self.leads_beyond),
        }


@operator("Pool")
def write_pool(graph: Graph, node: Any) -> str:
    """Write pooling: without `ignore_border` windows that lead beyond the image count, too."""
    op, value, out = node.op, node.inputs[0], node.outputs[0].dtype
    lengths, strides, pads = (
        [int(each) for each in graph.constant(each, f"{what} of Pool")]
        for each, what in zip(node.inputs[1:], ("the window", "the stride", "the padding"), strict=True)
    )
    windows = Windows(lengths, strides, pads, not op.ignore_border)
    if out == "float64" and op.mode == "max":
        inner, pooled = out, _native
    elif out in NATIVE:
        inner, pooled = NATIVE[out], _native
    else:
        inner, pooled = _exact_type(out, op.mode), _exact
    name = graph.valued(value, inner)
    rank, space = value.ndim, len(windows.lengths)
    made, made_in = pooled(graph, _flat(graph, name, rank, space), windows, op.mode, inner)
    return graph.cast(_as_before(graph, made, name, rank, space), made_in, out)


def _native(graph: Graph, name: str, windows: Windows, mode: str, dtype: str) -> tuple[str, str]:
    """Return what ONNX's own pooling makes, and its type."""
    how = windows.attributes
    if mode == "max":
        return graph.writer.add("MaxPool", name, **how), dtype
    if mode == "sum":
        return _summed(graph, name, how, dtype), dtype
    return _average(graph, name, how, dtype, counts_pads=mode == "average_inc_pad"), dtype


def _exact_type(dtype: str, mode: str) -> str:
    """Return the type that windows are put together in: sums of whole numbers count over its end as over that of their own."""
    if dtype == "uint64" and mode.startswith("average"):
        refuse("operator Pool", "averages of uint64; cast the image to float64 or int64 before")
    return dtype if dtype == "float64" or (dtype == "uint64" and mode == "max") else "int64"


def _exact(graph: Graph, name: str, windows: Windows, mode: str, dtype: str) -> tuple[str, str]:
    """Return what slices of the image make, and its type."""
    if mode == "max":
        least = -np.inf if dtype == "float64" else np.iinfo(dtype).min
        return _put_together(graph, name, windows, "Max", np.array(least, dtype)), dtype
    total = _put_together(graph, name, windows, "Add", np.array(0, dtype))
    if mode == "sum":
        return total, dtype
    return graph.writer.add("Div", graph.cast(total, dtype, "float64"), _counted(graph, name, windows, mode)), "float64"


def _counted(graph: Graph, name: str, windows: Windows, mode: str) -> str:
    """Return how many elements each window has, float64; padding counts for `average_inc_pad` alone."""
    if not windows.leads_beyond and (mode == "average_inc_pad" or not any(windows.pads)):
        return graph.number(int(np.prod(windows.lengths)), "float64")
    space = len(windows.lengths)
    lengths = graph.writer.concat(
        [graph.writer.lengths(1, 1), graph.writer.slice(graph.writer.add("Shape", name), 0, 2, 2 + space)], 0
    )
    ones = graph.writer.add("Expand", graph.number(1, "float64"), lengths)
    return _put_together(graph, ones, windows, "Add", np.array(0, np.float64))


def _put_together(graph: Graph, name: str, windows: Windows, word: str, neutral: Array) -> str:
    """Return the largest of each window, or the sum: along one axis after the other, so that windows cost their circumference."""
    # the last window that counts ends with the image, or begins within it
    more = [
        min(stride, length) - 1 if windows.leads_beyond else 0
        for length, stride in zip(windows.lengths, windows.strides, strict=True)
    ]
    behind = [pad + each for pad, each in zip(windows.pads, more, strict=True)]
    if any(behind):
        pads = graph.writer.lengths(0, 0, *windows.pads, 0, 0, *behind)
        name = graph.writer.add("Pad", name, pads, graph.writer.weight(neutral))
    for axis, (length, stride) in enumerate(zip(windows.lengths, windows.strides, strict=True), 2):
        first, *rest = places_of(graph, name, axis, length, stride)
        name = reduce(partial(graph.writer.add, word), rest, first)
    return name


def places_of(graph: Graph, name: str, axis: int, length: int, step: int) -> list[str]:
    """Return for each place in a window along an axis what stands there, window by window."""
    ends = [place - length + 1 for place in range(length - 1)]
    parts = [graph.writer.slice(name, axis, place, end, step) for place, end in enumerate(ends)]
    return [*parts, graph.writer.slice(name, axis, length - 1, step=step)]


def _average(graph: Graph, name: str, how: dict[str, Any], dtype: str, *, counts_pads: bool) -> str:
    """Return averages: of what is in the window, padding alone where it is counted."""
    if not any(how["pads"]) or not counts_pads:
        return graph.writer.add("AveragePool", name, count_include_pad=0, **how)
    if not how["ceil_mode"]:
        return graph.writer.add("AveragePool", name, count_include_pad=1, **how)
    pads = [0, 0, *how["pads"][: len(how["strides"])]]
    padded = graph.writer.add("Pad", name, graph.writer.lengths(*pads, *pads), graph.number(0, dtype))
    return graph.writer.add("AveragePool", padded, count_include_pad=0, **(how | {"pads": [0] * len(how["pads"])}))


def _summed(graph: Graph, name: str, how: dict[str, Any], dtype: str) -> str:
    """Return sums of windows: averages that count zeros beyond the image, times the size of a window."""
    space = len(how["strides"])
    before = [0, 0, *how["pads"][:space]]
    behind = [0, 0, *how["pads"][space:]]
    if how["ceil_mode"]:  # as far as any window leads, and only windows that begin within the image
        behind = [0, 0, *(length - 1 for length in how["kernel_shape"])]
    padded = graph.writer.add("Pad", name, graph.writer.lengths(*before, *behind), graph.number(0, dtype))
    plain = how | {"pads": [0] * (2 * space), "ceil_mode": 0}
    made = graph.writer.add("AveragePool", padded, count_include_pad=1, **plain)
    made = graph.writer.add("Mul", made, graph.number(int(np.prod(how["kernel_shape"])), dtype))
    if not how["ceil_mode"]:
        return made
    model = graph.writer.add("MaxPool", name, **how)  # whose shape is the right one
    ends = graph.writer.add("Shape", model)
    return graph.writer.add("Slice", made, graph.writer.lengths(*[0] * (space + 2)), ends)


def _flat(graph: Graph, name: str, rank: int, space: int) -> str:
    """Return a value with two axes before those that are pooled."""
    if rank == space + 2:
        return name
    if rank < space + 2:
        return graph.writer.add("Unsqueeze", name, graph.writer.lengths(*range(space + 2 - rank)))
    lengths = graph.writer.add("Shape", name)
    behind = graph.writer.slice(lengths, 0, rank - space)
    return graph.writer.add("Reshape", name, graph.writer.concat([graph.writer.lengths(1, -1), behind], 0))


def _as_before(graph: Graph, made: str, name: str, rank: int, space: int) -> str:
    if rank == space + 2:
        return made
    if rank < space + 2:
        return graph.writer.add("Squeeze", made, graph.writer.lengths(*range(space + 2 - rank)))
    before = graph.writer.slice(graph.writer.add("Shape", name), 0, 0, rank - space)
    behind = graph.writer.slice(graph.writer.add("Shape", made), 0, 2)
    return graph.writer.add("Reshape", made, graph.writer.concat([before, behind], 0))
