"""LSTM, GRU and simple recurrent layers: operator rnn (paddle/phi/kernels/cpu/rnn_kernel.cc).

It takes time first, [time, batch, size]; weights are, for each layer and direction, of inputs and of states, and behind all of
these the two biases. Gates are i, f, c, o (LSTM; in ONNX i, o, f, c) and r, z, c (GRU; in ONNX z, r, h, linear before reset).
"""

from typing import Any

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.paddle.operators.base import Context, Writer

GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN_TANH": (0,), "RNN_RELU": (0,)}
"""Paddle's gates in ONNX's order."""
STATES = {"LSTM": 2}
KINDS = {"RNN_TANH": "RNN", "RNN_RELU": "RNN"}


def write_rnn(context: Context) -> None:
    """Write all layers."""
    mode = str(context.attribute("mode", default=""))
    more: dict[str, Any] = {"linear_before_reset": 1} if mode == "GRU" else {}
    layers, size = int(context.attribute("num_layers", default=1)), int(context.attribute("hidden_size", default=0))
    directions = 2 if context.attribute("is_bidirec", default=False) else 1
    if mode == "RNN_RELU":
        more = {"activations": ["Relu"] * directions}
    count = len(context.operator.inputs["WeightList"])
    if mode not in GATES or count != 4 * layers * directions:
        expected = f"one of {', '.join(GATES)} with {4 * layers * directions} weights"
        raise context.refuse(f"mode {mode} with {count}", expected)
    writer, taken = context.writer, context.operand("Input")
    lengths = writer.cast(context.operand("SequenceLength"), np.int32) if context.has("SequenceLength") else ""
    ends: list[list[str]] = [[] for _ in range(STATES.get(mode, 1))]
    for layer in range(layers):
        first = layer * directions
        of_inputs, of_states = (_gates(context, mode, 2 * first + each, directions) for each in range(2))
        biases = [_gates(context, mode, 2 * (layers * directions + first) + each, directions) for each in range(2)]
        begun = [
            writer.slice(writer.weight(context.operand("PreState", number)), 0, first, first + directions)
            for number in range(len(ends))
        ]
        made = writer.add_many(
            KINDS.get(mode, mode),
            [""] * (1 + len(ends)),
            taken,
            of_inputs,
            of_states,
            np.concatenate(biases, 1),
            lengths,
            *begun,
            hidden_size=size,
            direction="bidirectional" if directions > 1 else "forward",
            **more,
        )
        for kept, state in zip(ends, made[1:], strict=True):
            kept.append(state)
        # [time, direction, batch, hidden] to [time, batch, directions' hidden]
        out = context.out() if layer == layers - 1 else ""
        taken = writer.reshape(writer.transpose(made[0], 0, 2, 1, 3), 0, 0, directions * size, out=out)
    for number, states in enumerate(ends):
        if number < len(context.operator.outputs.get("State", ())) and context.is_used("State"):
            writer.add("Identity", writer.concat(states, 0), out=context.out("State", number))


def _gates(context: Context, mode: str, start: int, directions: int) -> Array:
    """Return weights or biases of a layer's directions, [directions, gates' size, …]; `start` is the place of the first."""
    return np.stack([_ordered(context, start + 2 * number, mode) for number in range(directions)])


def _ordered(context: Context, number: int, mode: str) -> Array:
    array = context.array("WeightList", number)
    parts = np.split(array, len(GATES[mode]))
    return np.concatenate([parts[gate] for gate in GATES[mode]])


WRITERS = {"rnn": Writer(write_rnn)}
