"""Layers of vectors: [batch, features], and tables that indices choose from."""

from collections.abc import Mapping

from modelport.verification.arrays import Array
from modelport_converter.frameworks.dl4j.reading.layouts import is_last
from modelport_converter.frameworks.dl4j.reading.networks import Layer
from modelport_converter.frameworks.dl4j.writing.activations import activate
from modelport_converter.frameworks.dl4j.writing.graph import Graph, Value, expect_rank, refused

Weights = Mapping[str, Array]
LAYER_NORM_EPSILON = 1e-5


def write_dense(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Return x W + b, with layer normalization behind x W if it has a gain, and the activation."""
    expect_rank(value, layer.fields.where, 2)
    if "g" in weights:
        raise refused(
            layer.fields.where, "hasLayerNorm: layer normalization within a layer is not converted; train without"
        )
    result = graph.add("MatMul", value.name, graph.numbers(weights["W"]))
    if "b" in weights:
        result = graph.add("Add", result, graph.numbers(weights["b"]))
    return activate(graph, layer.fields, Value(result, 2))


def write_scales(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Return x · w + b, element by element."""
    expect_rank(value, layer.fields.where, 2)
    scaled = graph.add("Mul", value.name, graph.numbers(weights["W"]))
    return activate(graph, layer.fields, Value(graph.add("Add", scaled, graph.numbers(weights["b"])), 2))


def write_slopes(graph: Graph, _layer: Layer, weights: Weights, value: Value) -> Value:
    """Return max(x, 0) + w · min(x, 0), with slopes for the axes behind the batch."""
    return Value(graph.add("PRelu", value.name, graph.numbers(weights["W"])), value.rank)


def write_lookup(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Rows of a table for indices [batch, 1]: [batch, features]."""
    expect_rank(value, layer.fields.where, 2)
    indices = graph.add("Reshape", graph.add("Cast", value.name, to=7), graph.lengths(-1))
    return activate(graph, layer.fields, Value(_rows(graph, weights, indices), 2))


def write_sequence_lookup(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Rows of a table for indices [batch, time] or [batch, 1, time]: [batch, features, time], or with features last."""
    expect_rank(value, layer.fields.where, 2, 3)
    indices = graph.add("Cast", value.name, to=7)
    if value.rank == 3:  # noqa: PLR2004
        indices = graph.add("Squeeze", indices, graph.lengths(1))
    rows = _rows(graph, weights, indices)
    if not is_last(layer.fields, "outputFormat"):
        rows = graph.transpose(rows, 0, 2, 1)
    return activate(graph, layer.fields, Value(rows, 3))


def _rows(graph: Graph, weights: Weights, indices: str) -> str:
    rows = graph.add("Gather", graph.numbers(weights["W"]), indices, axis=0)
    return graph.add("Add", rows, graph.numbers(weights["b"])) if "b" in weights else rows
