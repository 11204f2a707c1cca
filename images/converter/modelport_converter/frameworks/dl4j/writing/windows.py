"""Where windows stand: kernels, strides, dilations and borders, of convolutions and of pooling."""

from typing import Any

import numpy as np

from modelport_converter.frameworks.dl4j.reading.fields import Fields
from modelport_converter.frameworks.dl4j.writing.graph import Graph, refused

MODES = ("Strict", "Truncate", "Same", "Causal")
Attributes = dict[str, Any]


def mode_of(fields: Fields) -> str:
    """Return how borders are treated; a file that says nothing means Truncate (ConvolutionMode)."""
    mode = fields.text("convolutionMode", "Truncate")
    if mode not in MODES:
        raise refused(fields.where, f"convolutionMode: expected {', '.join(MODES)}, found {mode:.40}")
    return mode


def geometry(fields: Fields, axes: int) -> Attributes:
    """Return kernel, strides, dilations and borders as attributes of ONNX.

    Strict and Truncate round down alike: what Strict refuses is never asked.
    """
    kernel, dilations = fields.lengths("kernelSize", axes), fields.lengths("dilation", axes, 1)
    found: Attributes = {
        "kernel_shape": kernel,
        "strides": fields.lengths("stride", axes, 1),
        "dilations": dilations,
    }
    mode = mode_of(fields)
    if mode == "Same":
        return {**found, "auto_pad": "SAME_UPPER"}
    if mode == "Causal":
        before = [(length - 1) * step for length, step in zip(kernel, dilations, strict=True)]
        return {**found, "pads": [*before, *[0] * axes]}
    return {**found, "pads": fields.integers("padding", axes, 0) * 2}


def reach(attributes: Attributes) -> list[int]:
    """Return how many places a window covers along each axis, those between its own included."""
    pairs = zip(attributes["kernel_shape"], attributes["dilations"], strict=True)
    return [(length - 1) * dilation + 1 for length, dilation in pairs]


def has_own_borders(attributes: Attributes) -> bool:
    """Whether mode Same is not what ONNX Runtime makes of it: it takes no dilations, and no gaps between windows."""
    apart = any(step > length for step, length in zip(attributes["strides"], reach(attributes), strict=True))
    return "auto_pad" in attributes and (apart or max(attributes["dilations"]) > 1)


def pad_own(graph: Graph, name: str, attributes: Attributes, fill: float = 0.0) -> tuple[str, Attributes]:
    """Return input and attributes with the borders of mode Same written out, where that must be.

    (⌈length / stride⌉ - 1) · stride + reach - length places are added, or left out, half of them before, rounded to 0
    (ConvolutionUtils::calcPadding2D of libnd4j).
    """
    if not has_own_borders(attributes):
        return name, attributes
    axes = len(attributes["kernel_shape"])
    stride, one = graph.lengths(*attributes["strides"]), graph.lengths(1)
    length = graph.add("Slice", graph.add("Shape", name), *map(graph.lengths, (2, axes + 2)))
    steps = graph.add("Div", graph.add("Sub", length, one), stride)
    over = graph.add(
        "Sub", graph.add("Add", graph.add("Mul", steps, stride), graph.lengths(*reach(attributes))), length
    )
    before = graph.add("Div", over, graph.lengths(2))
    none = graph.lengths(0, 0)
    pads = graph.concat([none, before, none, graph.add("Sub", over, before)], 0)
    rest = {key: value for key, value in attributes.items() if key != "auto_pad"}
    return graph.add("Pad", name, pads, np.array(fill, graph.dtype)), rest
