"""Convolutions of one to three dimensions: plain, depthwise, separable and transposed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from modelport_converter.frameworks.dl4j.reading.layouts import is_last
from modelport_converter.frameworks.dl4j.reading.networks import Layer
from modelport_converter.frameworks.dl4j.writing.activations import activate
from modelport_converter.frameworks.dl4j.writing.dense import Weights
from modelport_converter.frameworks.dl4j.writing.graph import Graph, Value, expect_rank, refused, with_channels_first
from modelport_converter.frameworks.dl4j.writing.windows import Attributes, geometry, pad_own, reach

Writer = Callable[[Graph, Layer, Weights, Value], Value]


def write_convolution(axes: int) -> Writer:
    """Return what writes a convolution of so many dimensions; weights are [out, in, kernel], in time [kernel, in, out]."""

    def write(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
        expect_rank(value, layer.fields.where, axes + 2)
        if axes == 1 and "rnnDataFormat" not in layer.fields:
            message = "a Convolution1DLayer of before 1.0.0-beta7: DL4J has read its weights in another order since"
            raise refused(layer.fields.where, f"{message}, and answers wrongly; train it anew with a newer DL4J")
        attributes = geometry(layer.fields, axes)
        kernel = weights["W"].transpose(2, 1, 0) if axes == 1 else weights["W"]
        tensors = [graph.numbers(kernel), *_bias(graph, weights)]

        def convolve(name: str) -> str:
            padded, how = pad_own(graph, name, attributes)
            return graph.add("Conv", padded, *tensors, **how)

        result = with_channels_first(graph, value, convolve, last=is_last(layer.fields, *_formats(axes)))
        return activate(graph, layer.fields, result)

    return write


def write_depthwise(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Each channel by itself; weights are [height, width, in, multiplier]."""
    expect_rank(value, layer.fields.where, 4)
    kernel = weights["W"].transpose(2, 3, 0, 1)
    tensors = [graph.numbers(_by_channel(kernel)), *_bias(graph, weights)]
    attributes = {**geometry(layer.fields, 2), "group": kernel.shape[0]}

    def convolve(name: str) -> str:
        padded, how = pad_own(graph, name, attributes)
        return graph.add("Conv", padded, *tensors, **how)

    result = with_channels_first(graph, value, convolve, last=is_last(layer.fields, *_formats(2)))
    return activate(graph, layer.fields, result)


def write_separable(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Each channel by itself, then all at each place; weights are [multiplier, in, height, width] and [out, …, 1, 1]."""
    expect_rank(value, layer.fields.where, 4)
    kernel = weights["W"].transpose(1, 0, 2, 3)
    attributes = {**geometry(layer.fields, 2), "group": kernel.shape[0]}
    depthwise, pointwise = graph.numbers(_by_channel(kernel)), graph.numbers(weights["pW"])
    bias = _bias(graph, weights)

    def convolve(name: str) -> str:
        padded, how = pad_own(graph, name, attributes)
        return graph.add("Conv", graph.add("Conv", padded, depthwise, **how), pointwise, *bias)

    result = with_channels_first(graph, value, convolve, last=is_last(layer.fields, *_formats(2)))
    return activate(graph, layer.fields, result)


def write_deconvolution(axes: int) -> Writer:
    """Return what writes a transposed convolution; with borders Same an output is stride times as long as the input."""

    def write(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
        expect_rank(value, layer.fields.where, axes + 2)
        attributes = geometry(layer.fields, axes)
        if attributes.pop("auto_pad", ""):
            attributes |= _same(layer.fields.where, attributes)
        kernel = weights["W"] if axes == 2 else weights["W"].transpose(4, 3, 0, 1, 2)  # noqa: PLR2004
        tensors = [graph.numbers(kernel), *_bias(graph, weights)]

        def convolve(name: str) -> str:
            return graph.add("ConvTranspose", name, *tensors, **attributes)

        result = with_channels_first(graph, value, convolve, last=is_last(layer.fields, *_formats(axes)))
        return activate(graph, layer.fields, result)

    return write


def _same(where: str, attributes: Attributes) -> Attributes:
    over = [length - stride for length, stride in zip(reach(attributes), attributes["strides"], strict=True)]
    if min(over) < -1:
        message = (
            f"stride {attributes['strides']} with windows of {attributes['kernel_shape']} in mode Same is not converted"
        )
        raise refused(where, f"{message}; DL4J moves them by the half of what is between")
    cut = [max(0, each) for each in over]
    pads = [*(each // 2 for each in cut), *(each - each // 2 for each in cut)]
    return {"pads": pads, "output_padding": [max(0, -each) for each in over]}


def _formats(axes: int) -> tuple[str, ...]:
    return {1: ("rnnDataFormat",), 2: ("cnn2dDataFormat", "cnn2DFormat"), 3: ("dataFormat",)}[axes]


def _bias(graph: Graph, weights: Weights) -> list[str]:
    return [graph.numbers(weights["b"])] if "b" in weights else []


def _by_channel(kernel: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return [in, multiplier, height, width] as [in · multiplier, 1, height, width]."""
    return kernel.reshape(-1, 1, *kernel.shape[2:])
