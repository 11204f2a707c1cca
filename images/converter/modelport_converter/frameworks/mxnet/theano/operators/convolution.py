"""Convolutions of images [n, channels, height, width] and volumes.

Theano's convolution flips its filters (`filter_flip`), ONNX's does not.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelport_converter.frameworks.mxnet.theano.operators.node import Graph, operator, refuse
from modelport_converter.frameworks.mxnet.theano.operators.pooling import places_of

Pads = Sequence[tuple[int, int]]


@operator("AbstractConv2d", "AbstractConv3d")
def write_convolution(graph: Graph, node: Any) -> str:
    """Write a convolution, or a correlation where filters are not flipped."""
    op, (image, kernel), out = node.op, node.inputs, node.outputs[0].dtype
    pads = _pads(graph, node, kernel)
    return graph.compute(
        "Conv",
        [graph.valued(image, out), _filters(graph, op, kernel, out)],
        out,
        pads=[before for before, _ in pads] + [after for _, after in pads],
        strides=[int(each) for each in op.subsample],
        dilations=[int(each) for each in op.filter_dilation],
        group=int(op.num_groups),
    )


@operator("AbstractConv2d_gradInputs", "AbstractConv3d_gradInputs")
def write_transposed(graph: Graph, node: Any) -> str:
    """Write what an image must have been whose convolution is this: a transposed convolution, of a shape that is told."""
    op, (kernel, value, shape), out = node.op, node.inputs, node.outputs[0].dtype
    pads, steps = _pads(graph, node, kernel), [int(each) for each in op.subsample]
    made = graph.compute(
        "ConvTranspose",
        [graph.valued(value, out), _filters(graph, op, kernel, out)],
        out,
        strides=steps,
        dilations=[int(each) for each in op.filter_dilation],
        group=int(op.num_groups),
        # lengths are what a stride leaves open: the longest one is cut to what is wanted, and padding with it
        output_padding=[step - 1 for step in steps],
    )
    starts = [before for before, _ in pads]
    space = len(steps)
    wanted = graph.cast(graph.value(shape), shape.dtype, "int64")
    ends = graph.writer.add("Add", wanted, graph.writer.lengths(*starts))
    return graph.writer.add(
        "Slice", made, graph.writer.lengths(*starts), ends, graph.writer.lengths(*range(2, 2 + space))
    )


def _filters(graph: Graph, op: Any, kernel: Any, dtype: str) -> str:
    if getattr(op, "unshared", False):
        refuse(
            f"operator {type(op).__name__}", "unshared: each place has filters of its own, which ONNX has no word for"
        )
    space = len(op.subsample)
    axes = range(kernel.ndim - space, kernel.ndim)
    known = graph.known(kernel)
    if not op.filter_flip:
        return graph.valued(kernel, dtype)
    if known is not None:
        return graph.writer.weight(np.flip(known, tuple(axes)).astype(dtype))
    lengths = graph.writer.lengths
    ends = [lengths(*[each] * space) for each in (-1, -(2**62))]
    return graph.writer.add("Slice", graph.valued(kernel, dtype), *ends, lengths(*axes), lengths(*[-1] * space))


def _pads(graph: Graph, node: Any, kernel: Any) -> Pads:
    """Return the padding before and behind each axis."""
    op, mode = node.op, node.op.border_mode
    space = len(op.subsample)
    if mode == "valid":
        return [(0, 0)] * space
    if isinstance(mode, str):
        lengths = [graph.equal.length((kernel, axis)) for axis in range(kernel.ndim - space, kernel.ndim)]
        if any(length is None for length in lengths):
            refuse(f"operator {type(op).__name__}", f"border_mode {mode} with filters whose size follows from an input")
        reach = [
            (int(length or 0) - 1) * int(step) + 1 for length, step in zip(lengths, op.filter_dilation, strict=True)
        ]
        sizes = [each // 2 if mode == "half" else each - 1 for each in reach]
        return [(each, each) for each in sizes]
    given = [mode] * space if isinstance(mode, (int, np.integer)) else list(mode)
    return [
        (int(each[0]), int(each[1])) if isinstance(each, (tuple, list)) else (int(each), int(each)) for each in given
    ]


@operator("Images2Neibs")
def write_patches(graph: Graph, node: Any) -> str:
    """Write patches of images, one a row."""
    op, (image, size, step) = node.op, node.inputs
    mode = getattr(op, "mode", "valid")
    if mode not in {"valid", "ignore_borders"}:
        refuse("operator Images2Neibs", f"mode {mode}; only valid and ignore_borders are converted")
    window = [int(each) for each in graph.constant(size, "the size of patches of Images2Neibs")]
    stride = [int(each) for each in graph.constant(step, "the step of patches of Images2Neibs")]
    rows = places_of(graph, graph.value(image), 2, window[0], stride[0])
    seen = [each for row in rows for each in places_of(graph, row, 3, window[1], stride[1])]
    last = graph.writer.lengths(4)
    patches = graph.writer.concat([graph.writer.add("Unsqueeze", each, last) for each in seen], 4)
    return graph.writer.reshape(patches, -1, len(seen))
