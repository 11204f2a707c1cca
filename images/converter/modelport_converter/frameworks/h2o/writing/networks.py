"""Deep learning (hex.genmodel.algos.deeplearning): layers of weights that are float32, computed in float64."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.h2o.learned.model import Learned
from modelport_converter.frameworks.h2o.writing.answers import classify_all, read_classes, regress
from modelport_converter.frameworks.h2o.writing.links import cut_exp
from modelport_converter.frameworks.h2o.writing.rows import Rows
from modelport_converter.frameworks.h2o.writing.writer import Write
from modelport_converter.tables.answers import Answers
from modelport_converter.tables.graph import TableGraph

NEWEST = 1.1
DROPOUT = "WithDropout"
PLAIN, MAXOUT = ("Rectifier", "ExpRectifier", "Tanh"), "Maxout"
EXPONENTIAL = ("multinomial", "poisson", "gamma", "tweedie")
NUMBERS = ("gaussian", "laplace", "huber", "quantile")
RECONSTRUCTED, ERROR = "reconstructed", "error"
MAX_LAYERS, MAX_UNITS, PIECES = 1000, 10_000_000, 2


class Layer(NamedTuple):
    """Weights of a layer."""

    weights: Array
    """float64 [inputs, units * pieces]; the pieces of a unit are beside each other."""
    bias: Array
    pieces: int
    """How many sums a unit takes the largest one of."""
    kept: float
    """What its answers are multiplied with."""


class Inputs(NamedTuple):
    """How a row becomes what the first layer takes."""

    categories: int
    offsets: list[int]
    places: list[Array]
    """By column with levels, where each of them has its 1 (the missing one last); -1: nowhere."""
    numbers: int
    means: Array
    scales: Array


def open_deep_learning(model: Learned) -> Write:
    """Read a network."""
    model.check_version(NEWEST)
    if model.mojo.offset:
        model.refuse("offset_column, which H2O's own scorer leaves out")
    activation, family = model.text("activation"), model.text("distribution")
    if activation.removesuffix(DROPOUT) not in (*PLAIN, MAXOUT):
        model.refuse(f"activation {activation:.40}")
    inputs = _read_inputs(model)
    layers = _read_layers(model, activation)
    if len(layers[0].weights) != inputs.offsets[-1] + inputs.numbers:
        raise ValueError(
            f"{len(layers[0].weights)} inputs for {inputs.offsets[-1]} levels and {inputs.numbers} numbers"
        )
    if model.mojo.category == "AutoEncoder":
        return _write_autoencoder(model, inputs, layers, activation)
    _check_end(model, layers[-1], family)
    scale, mean = (model.numbers(key) for key in ("norm_resp_mul", "norm_resp_sub"))
    if len(scale) != len(mean) or len(scale) > 1:
        raise ValueError(f"norm_resp_mul of {len(scale)} numbers")

    classes = read_classes(model) if model.classes > 1 else None

    def write(rows: Rows) -> Answers:
        graph = rows.graph
        sums = _run(rows, inputs, layers, activation)
        if classes:
            return classify_all(rows, classes, graph.add("Softmax", sums, axis=1))
        if len(scale):
            sums = graph.add("Add", graph.add("Div", sums, float(scale[0])), float(mean[0]))
        return regress(cut_exp(graph, sums) if family in EXPONENTIAL else sums)

    return write


def _check_end(model: Learned, last: Layer, family: str) -> None:
    if len(last.bias) != model.classes:
        raise ValueError(f"{len(last.bias)} units at the end where n_classes = {model.classes}")
    if family == "modified_huber" or (model.classes == 1 and family not in (*EXPONENTIAL, *NUMBERS)):
        model.refuse(f"distribution {family:.40}")


def _read_inputs(model: Learned) -> Inputs:
    categories = model.count("cats", most=model.width)
    numbers = model.count("nums", most=model.width)
    if categories + numbers != model.width:
        raise ValueError(
            f"{categories} columns with levels and {numbers} with numbers where n_features = {model.width}"
        )
    offsets = model.offsets("cat_offsets", categories)
    is_whole = model.flag("use_all_factor_levels")
    places = []
    for feature in range(categories):
        domain = model.domain(feature)
        if domain is None:
            raise ValueError(f"no levels of column {feature}")
        places.append(find_places(len(domain), offsets[feature], offsets[feature + 1], is_whole=is_whole))
    scales, means = model.numbers("norm_mul"), model.numbers("norm_sub")
    if len(scales) not in (0, numbers) or len(means) != len(scales):
        raise ValueError(f"norm_mul of {len(scales)} numbers where {numbers} are due")
    return Inputs(categories, offsets, places, numbers, means, scales)


def find_places(levels: int, start: int, end: int, *, is_whole: bool) -> Array:
    """Return where each level has its 1 (GenModel.setCats), the missing one last; -1: nowhere."""
    codes = np.arange(levels) + start if is_whole else np.arange(levels) + start - 1
    found = np.append(np.minimum(codes, end - 1), end - 1)
    if not is_whole and levels:
        found[0] = -1
    return found


def _read_layers(model: Learned, activation: str) -> list[Layer]:
    sizes = model.whole_numbers("neural_network_sizes")
    if not 1 < len(sizes) <= MAX_LAYERS or not all(0 < size <= MAX_UNITS for size in sizes):
        raise ValueError(f"neural_network_sizes = {sizes[:4]}")
    ratios = model.numbers("hidden_dropout_ratios")
    if len(ratios) < len(sizes) - 1:
        raise ValueError(f"hidden_dropout_ratios of {len(ratios)} numbers")
    is_auto = model.mojo.category == "AutoEncoder"
    layers = []
    for number, (inputs, units) in enumerate(pairwise(sizes)):
        is_last = number == len(sizes) - 2
        has_pieces = activation.startswith(MAXOUT) and (not is_last or is_auto)
        bias = model.numbers(f"bias_layer{number}")
        pieces = len(bias) // units if has_pieces else 1
        if len(bias) != units * pieces or not pieces:
            raise ValueError(f"bias_layer{number} of {len(bias)} numbers for {units} units")
        if pieces > PIECES:
            model.refuse(f"activation {activation:.40} of {pieces} pieces")
        weights = model.numbers(f"weight_layer{number}", inputs * units * pieces).astype(np.float32).astype(np.float64)
        weights = weights.reshape(units, inputs, pieces).transpose(1, 0, 2).reshape(inputs, units * pieces)
        has_dropout = activation.endswith(DROPOUT) and (not is_last or is_auto) and ratios[number] > 0
        layers.append(Layer(weights, bias, pieces, 1.0 - float(ratios[number]) if has_dropout else 1.0))
    return layers


def _run(rows: Rows, inputs: Inputs, layers: list[Layer], activation: str, *, is_auto: bool = False) -> str:
    """Return what the last layer has, activated only of an autoencoder."""
    graph, first = rows.graph, layers[0]
    parts = []
    for feature, places in enumerate(inputs.places):
        table = np.where(places[:, None] < 0, 0.0, first.weights[np.maximum(places, 0)])
        parts.append(rows.look_up(feature, table))
    if inputs.numbers:
        values = rows.numbers(range(inputs.categories, inputs.categories + inputs.numbers))
        if len(inputs.scales):
            values = graph.add("Mul", graph.add("Sub", values, inputs.means[None]), inputs.scales[None])
        values = graph.add("Where", graph.add("IsNaN", values), 0.0, values)
        parts.append(graph.add("MatMul", values, first.weights[inputs.offsets[-1] :]))
    sums = parts[0]
    for part in parts[1:]:
        sums = graph.add("Add", sums, part)
    sums = graph.add("Add", sums, first.bias[None])
    for layer, after in pairwise(layers):
        sums = graph.add("MatMul", _activate(graph, sums, layer, activation), after.weights)
        sums = graph.add("Add", sums, after.bias[None])
    return _activate(graph, sums, layers[-1], activation) if is_auto else sums


def _activate(graph: TableGraph, sums: str, layer: Layer, activation: str) -> str:
    kind = activation.removesuffix(DROPOUT)
    if kind == MAXOUT:
        units = range(0, len(layer.bias), layer.pieces)
        pieces = [graph.columns(sums, [unit + piece for unit in units]) for piece in range(layer.pieces)]
        found = graph.add("Max", *pieces) if layer.pieces > 1 else sums
    elif kind == "Rectifier":
        found = graph.add("Relu", sums)
    elif kind == "Tanh":
        raised = graph.add("Exp", graph.add("Mul", sums, 2.0))
        found = graph.add("Sub", 1.0, graph.add("Div", 2.0, graph.add("Add", 1.0, raised)))
    else:
        is_above = graph.add("GreaterOrEqual", sums, 0.0)
        found = graph.add("Where", is_above, sums, graph.add("Sub", graph.add("Exp", sums), 1.0))
    return found if layer.kept == 1 else graph.add("Mul", found, layer.kept)


def _write_autoencoder(model: Learned, inputs: Inputs, layers: list[Layer], activation: str) -> Write:
    levels = [len(model.domain(feature) or ()) + 1 for feature in range(inputs.categories)]
    size = len(layers[0].weights)
    if len(layers[-1].bias) // layers[-1].pieces != size:
        raise ValueError("an autoencoder with another width at its end")
    if sum(levels) != inputs.offsets[-1]:
        model.refuse("an autoencoder of which levels are left out")

    def write(rows: Rows) -> Answers:
        graph = rows.graph
        found = _run(rows, inputs, layers, activation, is_auto=True)
        parts = [rows.look_up(feature, np.eye(count)) for feature, count in enumerate(levels)]
        if inputs.numbers:
            parts.append(rows.numbers(range(inputs.categories, inputs.categories + inputs.numbers)))
        scales = np.ones(size)
        if len(inputs.scales):
            scales[inputs.offsets[-1] :] = inputs.scales
            shifts = np.append(np.zeros(inputs.offsets[-1]), inputs.means)
            found = graph.add("Add", graph.add("Div", found, scales[None]), shifts[None])
        apart = graph.add("Mul", graph.add("Sub", found, graph.side_by_side(parts)), scales[None])
        error = graph.add("Div", graph.sum_of(graph.add("Mul", apart, apart), 1, keepdims=True), float(size))
        return {RECONSTRUCTED: found, ERROR: error}

    return write
