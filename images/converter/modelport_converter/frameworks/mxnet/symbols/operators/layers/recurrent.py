"""RNN: layers of one kind in one node, with all of their weights in one vector.

The vector has, layer by layer and direction by direction, the weights of the input [gates x units, features] and of the
state [gates x units, units], and behind all of them, in the same order, both offsets (rnn_impl.h). Gates are input,
forget, candidate, output of an LSTM, and reset, update, candidate of a GRU, whose reset meets the state's offset.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator


class Mode(NamedTuple):
    """A kind of layer in ONNX: its operator, its gates in ONNX's order, and what else it is told."""

    operator: str
    gates: tuple[int, ...]
    activation: str = ""


MODES = {
    "lstm": Mode("LSTM", (0, 3, 1, 2)),
    "gru": Mode("GRU", (1, 0, 2)),
    "rnn_tanh": Mode("RNN", (0,), "Tanh"),
    "rnn_relu": Mode("RNN", (0,), "Relu"),
}
REFUSED = ("projection_size", "lstm_state_clip_min", "lstm_state_clip_max")


@operator("RNN", "_npx_rnn", least=3)
def write_recurrent(call: Call) -> str | list[str]:
    """Layers over time, [time, batch, features], and the states that they end with."""
    mode = MODES.get(call.text("mode"))
    given = [key for key in REFUSED if call.has(key)] + ["use_sequence_length"] * call.flag("use_sequence_length")
    if mode is None or given:
        raise call.refuse(
            f"expected mode as {', '.join(MODES)} without {', '.join(REFUSED)}", str(given or call.text("mode"))
        )
    ways, size, layers = 1 + call.flag("bidirectional"), call.integer("state_size"), call.integer("num_layers")
    weights = call.weight(1)
    if weights is None:
        raise call.refuse("expected parameters that are weights", "what follows from the inputs")
    cut = _cut(call, weights, mode, (layers, ways, size))
    value, ends = call.x(), []
    for layer in range(layers):
        states = [_state(call, index, layer, ways) for index in ((2, 3) if mode.operator == "LSTM" else (2,))]
        value, *last = _write_layer(call, mode, value, cut[layer], states)
        ends.append(last)
    return [value, *(call.graph.concat(list(each), 0) for each in zip(*ends, strict=True))][: len(call.outputs)]


def _state(call: Call, index: int, layer: int, ways: int) -> str:
    """Return the first states of a layer, [directions, batch, units]; some are of one example, for all."""
    state = call.x(index)
    part = state if call.shape(index)[0] == ways else call.graph.slice(state, 0, layer * ways, (layer + 1) * ways)
    if call.shape(index)[1] == call.shape()[1]:
        return part
    shape = [call.graph.length(part, 0), call.graph.length(call.x(), 1), call.graph.length(part, 2)]
    return call.add("Expand", part, call.graph.concat(shape, 0))


def _cut(call: Call, weights: Array, mode: Mode, sizes: tuple[int, int, int]) -> list[tuple[Array, Array, Array]]:
    """Return for each layer its weights and offsets as ONNX has them, directions first."""
    layers, ways, size = sizes
    gates, at = len(mode.gates), 0
    order = np.array(mode.gates)
    found, rows = [], gates * size

    def take(*shape: int) -> Array:
        nonlocal at
        at += math.prod(shape)
        part: Array = weights.ravel()[at - math.prod(shape) : at].reshape(gates, size, *shape[1:])
        ordered: Array = part[order].reshape(shape)
        return ordered

    features = call.fixed(2)
    expected = ways * rows * (features + size + 2 + (layers - 1) * (ways * size + size + 2))
    if weights.size != expected:
        raise call.refuse(f"expected {expected} parameters", str(weights.size))
    for layer in range(layers):
        width = features if layer == 0 else ways * size
        pairs = [(take(rows, width), take(rows, size)) for _ in range(ways)]
        found.append([np.stack(each) for each in zip(*pairs, strict=True)])
    offsets = [np.stack([np.concatenate([take(rows), take(rows)]) for _ in range(ways)]) for _ in range(layers)]
    return [(first, second, offset) for (first, second), offset in zip(found, offsets, strict=True)]


def _write_layer(
    call: Call, mode: Mode, value: str, weights: tuple[Array, Array, Array], states: list[str]
) -> list[str]:
    ways = len(weights[0])
    attributes: dict[str, Any] = {"hidden_size": weights[1].shape[-1]}
    if ways > 1:
        attributes["direction"] = "bidirectional"
    if mode.activation:
        attributes["activations"] = [mode.activation] * ways
    if mode.operator == "GRU":
        attributes["linear_before_reset"] = 1
    names = [""] * (1 + len(states))
    result, *ends = call.graph.add_many(mode.operator, names, value, *weights, "", *states, **attributes)
    joined = call.graph.transpose(result, 0, 2, 1, 3)  # time, directions, batch, units
    return [call.graph.reshape(joined, 0, 0, -1), *ends]
