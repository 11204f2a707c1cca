"""Pooling in windows and over all places, upsampling, borders added and cut, and normalization across channels."""

import numpy as np
from onnx import numpy_helper

from modelport_converter.frameworks.dl4j.reading.fields import Fields
from modelport_converter.frameworks.dl4j.reading.layouts import is_last
from modelport_converter.frameworks.dl4j.reading.networks import Layer
from modelport_converter.frameworks.dl4j.writing.convolution import Writer
from modelport_converter.frameworks.dl4j.writing.dense import Weights
from modelport_converter.frameworks.dl4j.writing.graph import Graph, Value, expect_rank, refused, with_channels_first
from modelport_converter.frameworks.dl4j.writing.windows import Attributes, geometry, has_own_borders, pad_own
from modelport_converter.onnx_graphs.writing import END

KINDS = ("MAX", "AVG", "PNORM")
REDUCTIONS = {"MAX": "ReduceMax", "AVG": "ReduceMean", "SUM": "ReduceSum", "PNORM": ""}


def write_pooling(axes: int) -> Writer:
    """Return what writes pooling in windows of so many dimensions."""

    def write(graph: Graph, layer: Layer, _weights: Weights, value: Value) -> Value:
        expect_rank(value, layer.fields.where, axes + 2)
        attributes = _geometry(layer.fields, axes)

        def pool(name: str) -> str:
            return _pool(graph, layer.fields, attributes, name)

        return with_channels_first(graph, value, pool, last=is_last(layer.fields, "cnn2dDataFormat", "dataFormat"))

    return write


def _geometry(fields: Fields, axes: int) -> Attributes:
    attributes, kind = geometry(fields, axes), fields.text("poolingType", "MAX")
    borders = attributes.get("pads", ())[:axes]
    if kind not in KINDS or (axes == 3 and kind == "PNORM"):  # noqa: PLR2004
        raise refused(fields.where, f"poolingType: expected {', '.join(KINDS)}, found {kind:.40}; use another kind")
    if any(border >= length for border, length in zip(borders, attributes["kernel_shape"], strict=False)):
        message = f"padding {borders}: expected less than the windows have, {attributes['kernel_shape']}"
        raise refused(fields.where, f"{message}; some of them would hold nothing")
    if axes == 1 and any(borders):
        message = f"padding {borders}: DL4J pads what it takes for the width of a sequence, too"
        raise refused(fields.where, f"{message}; use convolutionMode Same, or a ZeroPadding1DLayer before")
    if kind != "MAX" and max(attributes["dilations"]) > 1:
        raise refused(fields.where, f"dilation {attributes['dilations']} of {kind} pooling is not converted; use 1")
    return attributes


def _pool(graph: Graph, fields: Fields, attributes: Attributes, name: str) -> str:
    kind = fields.text("poolingType", "MAX")
    if kind == "MAX":
        padded, how = pad_own(graph, name, attributes, -np.inf)
        return graph.add("MaxPool", padded, **how)
    padded, how = pad_own(graph, name, attributes)
    how = {key: value for key, value in how.items() if key != "dilations"}
    if kind == "PNORM":
        return graph.add("LpPool", padded, p=fields.length("pnorm"), **how)
    # files of before 1.0.0-beta5 say nothing, and divide by the size of the window
    is_whole = len(attributes["kernel_shape"]) < 3 and fields.flag("avgPoolIncludePadInDivisor", default=True)  # noqa: PLR2004
    if is_whole or not has_own_borders(attributes):
        return graph.add("AveragePool", padded, count_include_pad=int(is_whole), **how)
    ones = graph.add(
        "ConstantOfShape", graph.add("Shape", name), value=numpy_helper.from_array(np.ones(1, graph.dtype))
    )
    counted, _ = pad_own(graph, ones, attributes)
    shares = (graph.add("AveragePool", each, count_include_pad=1, **how) for each in (padded, counted))
    return graph.add("Div", *shares)


def write_global_pooling(graph: Graph, layer: Layer, _weights: Weights, value: Value) -> Value:
    """Reduce all places, or time, or the axes that the layer names."""
    fields, where = layer.fields, layer.fields.where
    expect_rank(value, where, 3, 4, 5)
    given = fields.items("poolingDimensions") if "poolingDimensions" in fields else None
    axes = fields.integers("poolingDimensions", len(given)) if given else tuple(range(2, value.rank))
    kind = fields.text("poolingType", "MAX")
    if kind not in REDUCTIONS or max(axes) >= value.rank:
        raise refused(where, f"poolingType {kind:.40} over axes {axes} is not converted")
    keep = not fields.flag("collapseDimensions", default=True)
    if keep and axes != tuple(range(2, value.rank)):
        raise refused(where, f"collapseDimensions false with axes {axes} is not converted; DL4J gives other channels")
    rank = value.rank if keep else value.rank - len(axes)
    if kind == "PNORM":
        power = fields.length("pnorm")
        powered = graph.add("Pow", graph.add("Abs", value.name), graph.numbers(power))
        total = graph.add("ReduceSum", powered, graph.lengths(*axes), keepdims=int(keep))
        return Value(graph.add("Pow", total, graph.numbers(1 / power)), rank)
    if kind == "SUM":
        return Value(graph.add("ReduceSum", value.name, graph.lengths(*axes), keepdims=int(keep)), rank)
    return Value(graph.add(REDUCTIONS[kind], value.name, axes=axes, keepdims=int(keep)), rank)


def write_upsampling(axes: int) -> Writer:
    """Return what repeats each place."""

    def write(graph: Graph, layer: Layer, _weights: Weights, value: Value) -> Value:
        expect_rank(value, layer.fields.where, axes + 2)
        factors = layer.fields.lengths("size", axes)

        def repeat(name: str) -> str:
            scales = np.array([1, 1, *factors], np.float32)
            how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            return graph.add("Resize", name, "", scales, **how)

        return with_channels_first(graph, value, repeat, last=is_last(layer.fields, "format", "dataFormat"))

    return write


def write_padding(axes: int) -> Writer:
    """Return what adds zeros: [before, after] of each dimension."""

    def write(graph: Graph, layer: Layer, _weights: Weights, value: Value) -> Value:
        expect_rank(value, layer.fields.where, axes + 2)
        before, after = _borders(layer.fields, "padding", axes)

        def pad(name: str) -> str:
            return graph.add("Pad", name, graph.lengths(0, 0, *before, 0, 0, *after))

        return with_channels_first(graph, value, pad, last=is_last(layer.fields, "dataFormat", "cnn2DFormat"))

    return write


def write_cropping(axes: int) -> Writer:
    """Return what cuts: [before, after] of each dimension."""

    def write(graph: Graph, layer: Layer, _weights: Weights, value: Value) -> Value:
        expect_rank(value, layer.fields.where, axes + 2)
        before, after = _borders(layer.fields, "cropping", axes)
        ends = [-each if each else END for each in after]

        def crop(name: str) -> str:
            places = graph.lengths(*before), graph.lengths(*ends), graph.lengths(*range(2, axes + 2))
            return graph.add("Slice", name, *places)

        return with_channels_first(graph, value, crop, last=is_last(layer.fields, "dataFormat", "cnn2DFormat"))

    return write


def _borders(fields: Fields, name: str, axes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    given = fields.items(name)
    if len(given) == axes:  # the same before and after
        both = fields.integers(name, axes)
        return both, both
    found = fields.integers(name, 2 * axes)
    return found[::2], found[1::2]


def write_depth_from_space(graph: Graph, layer: Layer, _weights: Weights, value: Value) -> Value:
    """Blocks of places become channels."""
    expect_rank(value, layer.fields.where, 4)
    size = layer.fields.length("blockSize")

    def move(name: str) -> str:
        return graph.add("SpaceToDepth", name, blocksize=size)

    return with_channels_first(graph, value, move, last=is_last(layer.fields, "dataFormat"))


def write_batch_norm(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Return (x - mean) / √(variance + eps) · gamma + beta; the activation that the file names is not applied by DL4J either."""
    fields = layer.fields
    expect_rank(value, fields.where, 2, 4)
    mean = weights["mean"].astype(np.float64)
    deviation = weights.get("log10stdev")
    variance = weights["var"] if deviation is None else np.power(10.0, 2 * deviation.astype(np.float64))
    gamma = weights.get("gamma", np.full(mean.shape, fields.number("gamma", 1.0)))
    beta = weights.get("beta", np.full(mean.shape, fields.number("beta", 0.0)))
    tensors = [graph.numbers(each) for each in (gamma, beta, mean, variance)]
    epsilon = fields.number("eps", 1e-5)

    def normalize(name: str) -> str:
        return graph.add("BatchNormalization", name, *tensors, epsilon=epsilon)

    last = value.rank == 4 and is_last(fields, "cnn2DFormat", "cnn2dDataFormat", "dataFormat")  # noqa: PLR2004
    return with_channels_first(graph, value, normalize, last=last)


def write_local_response(graph: Graph, layer: Layer, _weights: Weights, value: Value) -> Value:
    """Return x / (k + alpha · sum of squares of n channels around) ^ beta; of an even n one more, as its half goes both ways."""
    fields = layer.fields
    expect_rank(value, fields.where, 4)
    size = 2 * (int(fields.number("n", 5.0)) // 2) + 1
    alpha, beta = fields.number("alpha", 1e-4) * size, fields.number("beta", 0.75)

    def normalize(name: str) -> str:
        return graph.add("LRN", name, size=size, alpha=alpha, beta=beta, bias=fields.number("k", 2.0))

    return with_channels_first(graph, value, normalize, last=is_last(fields, "dataFormat"))
