"""Recurrent layers: [batch, features, time] in DL4J, [time, batch, features] in ONNX.

The gates of DL4J's LSTM are, in the order of its columns: what enters (the cell's activation), forget, output, and how much
enters (LSTMHelpers.java); ONNX has them as how much enters, output, forget, what enters.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.dl4j.reading.fields import Fields
from modelport_converter.frameworks.dl4j.reading.layouts import is_last
from modelport_converter.frameworks.dl4j.reading.networks import Layer
from modelport_converter.frameworks.dl4j.writing.activations import Activation, activate, read_activation
from modelport_converter.frameworks.dl4j.writing.dense import Weights
from modelport_converter.frameworks.dl4j.writing.graph import Graph, Value, expect_rank, refused

FORMAT = "rnnDataFormat"
ENTERS, FORGET, OUTPUT, GATE = range(4)
"""Columns of DL4J's weights."""
ONNX_ORDER = (GATE, OUTPUT, FORGET, ENTERS)
PEEPHOLES = (2, 1, 0)
"""Columns of peepholes behind the recurrent weights are forget, output, gate; ONNX has gate, output, forget."""
CLOSING = -1e6
"""What any gate is closed by."""
PARAMETERS: dict[str, Callable[[Fields], tuple[str, list[float], list[float]]]] = {
    "ELU": lambda fields: ("Elu", [fields.number("alpha", 1.0)], []),
    "HardSigmoid": lambda _: ("HardSigmoid", [0.2], [0.5]),
    "Identity": lambda _: ("Affine", [1.0], [0.0]),
    "LReLU": lambda fields: ("LeakyRelu", [fields.number("alpha", 0.01)], []),
    "ReLU": lambda fields: ("LeakyRelu", [fields.number("negativeSlope", 0.0)], []),
    "Sigmoid": lambda _: ("Sigmoid", [], []),
    "SoftPlus": lambda _: ("Softplus", [], []),
    "SoftSign": lambda _: ("Softsign", [], []),
    "TanH": lambda _: ("Tanh", [], []),
    "ThresholdedReLU": lambda fields: ("ThresholdedRelu", [fields.number("theta", 1.0)], []),
}
"""Functions that ONNX's recurrent operators know: name, alpha, beta."""


def write_lstm(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Return what an LSTM gives, of Graves with peepholes or without: [batch, hidden, time]."""
    return _with_time_first(graph, layer, value, lambda name: _lstm(graph, layer, weights, name))


def write_without_zeros(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Write an LSTM that begins anew behind each time at which all features are of the value that stands for none.

    What says so becomes one more feature, whose weights close all gates: memory and output are 0 then, as DL4J has them.
    """
    inner = layer.inner("underlying")
    gate = read_activation(inner.fields, "gateActivationFn").kind
    if inner.kind not in {"LSTM", "GravesLSTM"} or gate not in {"Sigmoid", "HardSigmoid"}:
        message = f"a MaskZeroLayer around {inner.kind:.40} with gates {gate:.40} is not converted"
        raise refused(layer.fields.where, f"{message}; use an LSTM with sigmoid gates in it")
    expect_rank(value, layer.fields.where, 3)
    axis = 2 if is_last(inner.fields, FORMAT) else 1
    same = graph.cast(graph.add("Equal", value.name, layer.fields.number("maskingValue", 0.0)), graph.dtype)
    closed = graph.add("ReduceMin", same, axes=[axis], keepdims=1)
    hidden = weights["RW"].shape[0]
    row = np.full(4 * hidden, CLOSING)
    row[ENTERS * hidden : (ENTERS + 1) * hidden] = 0
    widened = {**weights, "W": np.concatenate([weights["W"], row[None]])}
    return write_lstm(graph, inner, widened, Value(graph.add("Concat", value.name, closed, axis=axis), 3))


def write_two_lstms(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Write Graves' LSTMs in both directions, whose outputs are added."""

    def both(name: str) -> str:
        parts = [{each[:-1]: weights[each] for each in weights if each.endswith(side)} for side in "FB"]
        forward = _lstm(graph, layer, parts[0], name)
        return graph.add("Add", forward, _lstm(graph, layer, parts[1], name, direction="reverse"))

    return _with_time_first(graph, layer, value, both)


def write_simple(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Return f(x W + h R + b)."""
    if "g" in weights:
        raise refused(
            layer.fields.where, "hasLayerNorm: layer normalization within a layer is not converted; train without"
        )
    functions = _functions(layer.fields, [read_activation(layer.fields, "activationFn", "activationFunction")])
    hidden = weights["RW"].shape[0]
    bias = np.concatenate([weights["b"], np.zeros(hidden)])
    tensors = [graph.numbers(each[None]) for each in (weights["W"].T, weights["RW"].T, bias)]

    def run(name: str) -> str:
        output = graph.add("RNN", name, *tensors, hidden_size=hidden, **functions)
        return graph.add("Squeeze", output, graph.lengths(1))

    return _with_time_first(graph, layer, value, run)


def _lstm(graph: Graph, layer: Layer, weights: Weights, name: str, **how: Any) -> str:
    gate = read_activation(layer.fields, "gateActivationFn")
    cell = read_activation(layer.fields, "activationFn", "activationFunction")
    functions = _functions(layer.fields, [gate, cell, cell])
    hidden = weights["RW"].shape[0]
    columns = weights["RW"][:, : 4 * hidden]
    bias = _reordered(weights["b"][None])[:, 0]
    tensors = [_reordered(weights["W"]), _reordered(columns), np.concatenate([bias, np.zeros(4 * hidden)])]
    inputs = [graph.numbers(each[None]) for each in tensors]
    peepholes = weights["RW"][:, 4 * hidden :]
    if peepholes.size:
        inputs += ["", "", "", graph.numbers(peepholes[:, PEEPHOLES].T.reshape(1, -1))]
    output = graph.add("LSTM", name, *inputs, hidden_size=hidden, **functions, **how)
    return graph.add("Squeeze", output, graph.lengths(1))


def _reordered(columns: Array) -> Array:
    """Return [in, 4 · hidden] in DL4J's order of gates as [4 · hidden, in] in that of ONNX."""
    gates = np.split(columns, 4, axis=1)
    return np.concatenate([gates[gate] for gate in ONNX_ORDER], axis=1).T


def _functions(fields: Fields, activations: Sequence[Activation]) -> dict[str, Any]:
    found = []
    for kind, parameters in activations:
        plain = kind != "ReLU" or not ("max" in parameters or parameters.number("threshold", 0.0))
        if kind not in PARAMETERS or not plain:
            raise refused(
                fields.where, f"activation {kind:.80} within a recurrent layer is not converted; use another one"
            )
        found.append(PARAMETERS[kind](parameters))
    result: dict[str, Any] = {"activations": [name for name, _, _ in found]}
    alphas, betas = (
        [each for part in parts for each in part] for parts in zip(*(each[1:] for each in found), strict=True)
    )
    return result | ({"activation_alpha": alphas} if alphas else {}) | ({"activation_beta": betas} if betas else {})


def _with_time_first(graph: Graph, layer: Layer, value: Value, run: Callable[[str], str]) -> Value:
    expect_rank(value, layer.fields.where, 3)
    last = is_last(layer.fields, FORMAT)
    output = run(graph.transpose(value.name, *((1, 0, 2) if last else (2, 0, 1))))
    return Value(graph.transpose(output, *((1, 0, 2) if last else (1, 2, 0))), 3)


def write_rnn_output(graph: Graph, layer: Layer, weights: Weights, value: Value) -> Value:
    """Return x W + b at each time, and the activation across features."""
    expect_rank(value, layer.fields.where, 3)
    last = is_last(layer.fields, FORMAT)
    result = value.name if last else graph.transpose(value.name, 0, 2, 1)
    if weights:
        result = graph.add("MatMul", result, graph.numbers(weights["W"]))
        result = graph.add("Add", result, graph.numbers(weights["b"])) if "b" in weights else result
    result = activate(graph, layer.fields, Value(result, 3)).name
    return Value(result if last else graph.transpose(result, 0, 2, 1), 3)


def reverse_time(graph: Graph, name: str, axis: int) -> str:
    """Return a sequence from its end to its beginning."""
    return graph.slice(name, axis, -1, -(2**31), -1)


def take_last(graph: Graph, name: str, axis: int) -> str:
    """Return what a sequence ends with, without the axis."""
    return graph.add("Squeeze", graph.slice(name, axis, -1), graph.lengths(axis))
