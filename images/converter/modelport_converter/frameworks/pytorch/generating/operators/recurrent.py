"""LSTM, GRU and RNN: PyTorch's layers where they mean the same, else steps.

PyTorch's GRU resets after the product with the hidden state (linear_before_reset=1 of ONNX). Gates: ONNX has i, o, f, c
of LSTM and z, r, h of GRU, PyTorch i, f, g, o and r, z, n.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from modelport_converter.frameworks.pytorch.generating.nodes import Node, UnsupportedError
from modelport_converter.frameworks.pytorch.generating.operators.layers import layer_name
from modelport_converter.frameworks.pytorch.generating.support import recurrent
from modelport_converter.frameworks.pytorch.generating.values import show_list

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Gates of ONNX in PyTorch's order."""
_USUAL = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
_UNSURE = ("ThresholdedRelu", "ScaledTanh", "Affine")
_ALPHAS = {"HardSigmoid": 0.2, "LeakyRelu": 0.01, "Elu": 1.0, **dict.fromkeys(_UNSURE)}
_BETAS = {"HardSigmoid": 0.5, **dict.fromkeys(_UNSURE[1:])}
"""Of activations that take a number; None where ONNX and ONNX Runtime are of two minds about the usual one."""


class _Layer(NamedTuple):
    """A node's own."""

    kind: str
    size: int
    directions: int
    names: list[str]
    """Of activations, for each direction."""


def _write(node: Node) -> list[str]:
    kind = node.proto.op_type
    direction = node.get("direction", "forward")
    directions = 2 if direction == "bidirectional" else 1
    names = [_named(each) for each in node.get("activations") or _USUAL[kind] * directions]
    size = node.get("hidden_size") or node.array(2).shape[-1]
    layer = _Layer(kind, size, directions, names)
    weights = [node.constant(index) for index in (1, 2)]
    # a layer of PyTorch's needs constant weights, usual gates, and sequences of one length
    is_usual = names in (_USUAL[kind] * directions, ["Relu"] * directions if kind == "RNN" else [])
    is_usual = is_usual and (kind != "GRU" or bool(node.get("linear_before_reset", 0)))
    is_usual = is_usual and not node.get("clip") and not node.get("input_forget", 0) and not node.has(7)
    is_usual = is_usual and not node.has(4) and None not in [each is not None or None for each in weights]
    is_usual = is_usual and (not node.has(3) or node.constant(3) is not None)
    given = node.tensor(0)
    if node.get("layout", 0):
        given = f"{given}.transpose(0, 1)"
    given = node.code.assign("steps", given)
    found = _whole(node, layer, given, direction) if is_usual else _steps(node, layer, given, direction)
    if node.get("layout", 0):
        found = [f"{found[0]}.permute([2, 0, 1, 3])", *(f"{each}.transpose(0, 1)" for each in found[1:])]
    return found[: max(len(node.proto.output), 1)]


def _named(activation: str) -> str:
    """Return an activation as ONNX writes it; other writers differ in capitals."""
    for name in recurrent.ACTIVATIONS:
        if name.lower() == activation.lower():
            return name
    raise UnsupportedError(f"with activation {activation:.40}")


def _state(node: Node, index: int, layer: _Layer, given: str) -> str:
    if not node.has(index):
        zeros = f"torch.zeros([{layer.directions}, {given}.shape[1], {layer.size}], dtype={given}.dtype)"
        return node.code.assign("state", zeros)
    text = node.tensor(index)
    return f"{text}.transpose(0, 1)" if node.get("layout", 0) else text


def _whole(node: Node, layer: _Layer, given: str, direction: str) -> list[str]:
    """Call a layer of PyTorch's."""
    inputs, recurrence, bias = node.array(1), node.array(2), node.constant(3)
    parts: dict[str, Any] = {}
    for place in range(layer.directions):
        suffix = "_l0_reverse" if place else "_l0"
        parts[f"weight_ih{suffix}"] = _ordered(inputs[place], layer)
        parts[f"weight_hh{suffix}"] = _ordered(recurrence[place], layer)
        if bias is not None:
            half = layer.size * _GATES[layer.kind]
            parts[f"bias_ih{suffix}"] = _ordered(bias[place][:half], layer)
            parts[f"bias_hh{suffix}"] = _ordered(bias[place][half:], layer)
    settings = [str(inputs.shape[-1]), str(layer.size)]
    settings += ['nonlinearity="relu"'] if layer.names[0] == "Relu" else []
    settings += ["bias=False"] if bias is None else []
    settings += ["bidirectional=True"] if layer.directions > 1 else []
    made = f"nn.{layer.kind}({', '.join(settings)})"
    name = node.code.module.layer(
        layer_name(node, 1), made, parts, (made, *(each.tobytes() for each in parts.values()))
    )
    states = [_state(node, index, layer, given) for index in ((5, 6) if layer.kind == "LSTM" else (5,))]
    turned = node.code.assign("steps", f"torch.flip({given}, [0])") if direction == "reverse" else given
    answer, *held = (node.code.fresh(each) for each in ("answer", "hidden", "cell")[: len(states) + 1])
    if layer.kind == "LSTM":
        node.code.line(f"{answer}, ({held[0]}, {held[1]}) = {name}({turned}, ({', '.join(states)}))")
    else:
        node.code.line(f"{answer}, {held[0]} = {name}({turned}, {states[0]})")
    if direction == "reverse":
        answer = f"torch.flip({answer}, [0])"
    if layer.directions == 1:
        return [f"{answer}.unsqueeze(1)", *held]
    return [f"{answer}.unflatten(2, [2, {layer.size}]).permute([0, 2, 1, 3])", *held]


def _ordered(rows: Any, layer: _Layer) -> Any:
    gates = rows.reshape(_GATES[layer.kind], layer.size, *rows.shape[1:])
    return np.ascontiguousarray(gates[list(_ORDER[layer.kind])].reshape(rows.shape))


def _steps(node: Node, layer: _Layer, given: str, direction: str) -> list[str]:
    """Call the steps of each direction."""
    gates = _GATES[layer.kind]
    states = [_state(node, index, layer, given) for index in ((5, 6) if layer.kind == "LSTM" else (5,))]
    lengths = node.tensor(4) if node.has(4) else f"torch.full([{given}.shape[1]], {given}.shape[0])"
    lengths = node.code.assign("lengths", lengths)
    weights, recurrence = node.tensor(1), node.tensor(2)
    found: list[list[str]] = []
    per_direction = len(layer.names) // layer.directions
    alphas, betas = _numbers(node, layer, "activation_alpha", _ALPHAS), _numbers(node, layer, "activation_beta", _BETAS)
    for place in range(layer.directions):
        bias = (
            f"{node.tensor(3)}[{place}]"
            if node.has(3)
            else f"torch.zeros([{2 * gates * layer.size}], dtype={given}.dtype)"
        )
        if layer.kind == "LSTM":
            half = gates * layer.size
            bias = node.code.assign("bias", bias)
            bias = f"{bias}[:{half}] + {bias}[{half}:]"
        span = slice(place * per_direction, (place + 1) * per_direction)
        backward = str(direction == "reverse" or place == 1)
        functions = [f'"{each}"' for each in layer.names[span]]
        shared = [lengths, backward, str(float(node.get("clip") or 0.0))]
        tail = [f"[{', '.join(functions)}]", show_list(tuple(alphas[span])), show_list(tuple(betas[span]))]
        own = [given, f"{weights}[{place}]", f"{recurrence}[{place}]", bias]
        held = [f"{each}[{place}]" for each in states]
        if layer.kind == "LSTM":
            peepholes = (
                f"{node.tensor(7)}[{place}]" if node.has(7) else f"torch.zeros([{3 * layer.size}], dtype={given}.dtype)"
            )
            coupled = str(bool(node.get("input_forget", 0)))
            call = node.code.call(recurrent.lstm_steps, *own, peepholes, *held, *shared, coupled, *tail)
        elif layer.kind == "GRU":
            after = str(bool(node.get("linear_before_reset", 0)))
            call = node.code.call(recurrent.gru_steps, *own, *held, *shared, after, *tail)
        else:
            call = node.code.call(recurrent.rnn_steps, *own, *held, *shared, *tail)
        names = [node.code.fresh(each) for each in ("answer", "hidden", "cell")[: len(states) + 1]]
        node.code.line(f"{', '.join(names)} = {call}")
        found.append(names)
    joined = [[each[part] for each in found] for part in range(len(states) + 1)]
    return [
        f"torch.stack([{', '.join(joined[0])}], 1)",
        *(f"torch.stack([{', '.join(each)}])" for each in joined[1:]),
    ]


def _numbers(node: Node, layer: _Layer, attribute: str, usual: dict[str, float | None]) -> list[float]:
    """Return a number for each activation: those stated go in order to the ones that take any."""
    left = [float(each) for each in node.get(attribute) or []]
    found: list[float] = []
    for name in layer.names:
        number = (left.pop(0) if left else usual[name]) if name in usual else 0.0
        if number is None:
            raise UnsupportedError(f"with {name} without its {attribute}")
        found.append(number)
    return found


OPERATORS: dict[str, Callable[[Node], object]] = {"LSTM": _write, "GRU": _write, "RNN": _write}
