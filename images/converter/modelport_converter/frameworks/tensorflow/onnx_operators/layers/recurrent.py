"""LSTM, GRU and RNN as ONNX defines them: a loop over time of any length, or its steps one after the other.

Shapes: the input (time, batch, features); weights W (directions, gates * hidden, features) and R (directions, gates *
hidden, hidden); biases (directions, 2 * gates * hidden), those of W first; states (directions, batch, hidden); the result
(time, directions, batch, hidden). With `layout` 1 the batch comes first.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import Known, Length, Node, Results, operator, stack

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
"""Activations of one direction, where none are named."""
MOST_STEPS = {False: 1, True: 128}
"""Up to so many steps are written one after the other; in TensorFlow Lite more, whose loops are slow and have no free batch."""
Activation = Callable[[tf.Tensor], tf.Tensor]
States = tuple[tf.Tensor, ...]
Step = Callable[[tf.Tensor, States], States]
"""From the input's share of the gates, and the states, to new states, of which the first is the output."""

ACTIVATIONS: dict[str, tuple[float, float, Callable[[tf.Tensor, float, float], tf.Tensor]]] = {
    "affine": (1.0, 0.0, lambda x, alpha, beta: alpha * x + beta),
    "elu": (1.0, 0.0, lambda x, alpha, _: tf.where(x < 0, alpha * tf.math.expm1(tf.minimum(x, 0)), x)),
    "hardsigmoid": (0.2, 0.5, lambda x, alpha, beta: tf.clip_by_value(alpha * x + beta, 0, 1)),
    "leakyrelu": (0.01, 0.0, lambda x, alpha, _: tf.where(x < 0, alpha * x, x)),
    "relu": (0.0, 0.0, lambda x, *_: tf.nn.relu(x)),
    "scaledtanh": (1.0, 1.0, lambda x, alpha, beta: alpha * tf.tanh(beta * x)),
    "sigmoid": (0.0, 0.0, lambda x, *_: tf.sigmoid(x)),
    "softplus": (0.0, 0.0, lambda x, *_: tf.math.softplus(x)),
    "softsign": (0.0, 0.0, lambda x, *_: tf.math.softsign(x)),
    "tanh": (0.0, 0.0, lambda x, *_: tf.tanh(x)),
    "thresholdedrelu": (1.0, 0.0, lambda x, alpha, _: tf.where(x > alpha, x, tf.zeros_like(x))),
}
"""Their usual alpha and beta, and what they are."""
WITH_ALPHA = {"affine", "elu", "hardsigmoid", "leakyrelu", "scaledtanh", "thresholdedrelu"}
WITH_BETA = {"affine", "hardsigmoid", "scaledtanh"}


class _Weights(NamedTuple):
    """Of one direction, as they are multiplied with rows: features or hidden first."""

    input: tf.Tensor
    hidden: tf.Tensor
    input_bias: tf.Tensor | None
    hidden_bias: tf.Tensor | None
    peepholes: Sequence[tf.Tensor] | None
    """Those of the gates i, o, f of an LSTM."""


@operator("LSTM", "GRU", "RNN")
def _recurrent(node: Node) -> Results:
    is_batch_first = bool(node.attributes.get("layout"))
    x = tf.transpose(node.tensor(0), [1, 0, 2]) if is_batch_first else node.tensor(0)
    lengths = node.optional(4)
    lengths = None if lengths is None else tf.cast(lengths, tf.int32)
    directions = {"bidirectional": (False, True), "reverse": (True,)}.get(node.attributes["direction"], (False,))
    functions = _activations(node, len(directions))
    results = [
        _run_direction(node, number, x, lengths, functions[number], is_reverse=is_reverse)
        for number, is_reverse in enumerate(directions)
    ]
    outputs = tf.stack([each[0] for each in results], 1)
    finals = [tf.stack(states, 0) for states in zip(*(each[1] for each in results), strict=True)]
    if is_batch_first:
        outputs = tf.transpose(outputs, [2, 0, 1, 3])
        finals = [tf.transpose(each, [1, 0, 2]) for each in finals]
    return [outputs, *finals][: node.results]


def _run_direction(
    node: Node,
    number: int,
    x: tf.Tensor,
    lengths: tf.Tensor | None,
    functions: Sequence[Activation],
    *,
    is_reverse: bool,
) -> tuple[tf.Tensor, States]:
    hidden = node.attributes.get("hidden_size") or node.tensor(2).shape[-1]
    weights = _weights(node, number, hidden)
    if is_reverse:
        x = _reversed(x, lengths)
    gates = tf.matmul(x, weights.input)
    gates = gates if weights.input_bias is None else gates + weights.input_bias
    batch = node.scope.length(x, 1)
    states = tuple(
        _initial(node, index, number, stack([batch, hidden]), x.dtype)
        for index in ((5, 6) if node.kind == "LSTM" else (5,))
    )
    outputs, finals = _unfold(node, gates, states, _step(node, weights, functions), lengths)
    return (_reversed(outputs, lengths) if is_reverse else outputs), finals


def _reversed(x: tf.Tensor, lengths: tf.Tensor | None) -> tf.Tensor:
    return tf.reverse(x, [0]) if lengths is None else tf.reverse_sequence(x, lengths, seq_axis=0, batch_axis=1)


def _initial(node: Node, index: int, number: int, shape: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    given = node.optional(index)
    if given is None:
        return tf.zeros(shape, dtype)
    return given[:, number] if node.attributes.get("layout") else given[number]


def _unfold(
    node: Node, gates: tf.Tensor, states: States, step: Step, lengths: tf.Tensor | None
) -> tuple[tf.Tensor, States]:
    """Return the outputs of all steps, and the last states; rows that have ended keep theirs, and put out zeros."""

    def advance(time: Length, before: States, given: tf.Tensor) -> tuple[tf.Tensor, States]:
        after = step(given, before)
        if lengths is None:
            return after[0], after
        goes_on = (time < lengths)[:, tf.newaxis]
        kept = tuple(tf.where(goes_on, new, old) for new, old in zip(after, before, strict=True))
        return tf.where(goes_on, after[0], tf.zeros_like(after[0])), kept

    steps = gates.shape[0]
    if steps is not None and 0 < steps <= MOST_STEPS[node.scope.lite]:
        outputs = []
        for time in range(steps):
            output, states = advance(time, states, gates[time])
            outputs.append(output)
        return tf.stack(outputs), states
    return _loop(node.scope.length(gates, 0), gates, states, advance, lite=node.scope.lite)


def _grow(
    steps: Length,
    gates: tf.Tensor,
    states: States,
    advance: Callable[[Length, States, tf.Tensor], tuple[tf.Tensor, States]],
) -> tuple[tf.Tensor, States]:
    """Go through time with outputs that grow by each step: TensorFlow Lite has no arrays of a free batch."""
    size = states[0].shape[-1]
    held = tf.TensorShape([None, size])
    batch = tf.shape(gates)[1]

    def body(time: tf.Tensor, before: States, kept: tf.Tensor) -> tuple[tf.Tensor, States, tf.Tensor]:
        output, after = advance(time, before, gates[time])
        return time + 1, after, tf.concat([kept, output[tf.newaxis]], 0)

    _, finals, kept = tf.while_loop(
        lambda time, *_: time < steps,
        body,
        (tf.constant(0), states, tf.zeros(stack([0, batch, size]), gates.dtype)),
        shape_invariants=(tf.TensorShape([]), tuple(held for _ in states), tf.TensorShape([None, None, size])),
    )
    return kept, finals


def _loop(
    steps: Length,
    gates: tf.Tensor,
    states: States,
    advance: Callable[[Length, States, tf.Tensor], tuple[tf.Tensor, States]],
    *,
    lite: bool,
) -> tuple[tf.Tensor, States]:
    shape = tf.TensorShape([gates.shape[1], states[0].shape[-1]])
    if lite:
        return _grow(steps, gates, states, advance)
    states = tuple(tf.ensure_shape(each, tf.TensorShape([None, shape[1]])) for each in states)
    kept = tf.TensorArray(gates.dtype, size=steps, element_shape=shape)

    def body(time: tf.Tensor, before: States, kept: tf.TensorArray) -> tuple[tf.Tensor, States, tf.TensorArray]:
        output, after = advance(time, before, gates[time])
        return time + 1, after, kept.write(time, output)

    held = tuple(tf.TensorShape([None, shape[1]]) for _ in states)
    _, finals, kept = tf.while_loop(
        lambda time, *_: time < steps,
        body,
        (tf.constant(0), states, kept),
        shape_invariants=(tf.TensorShape([]), held, tf.TensorShape(None)),
        maximum_iterations=None,
    )
    return kept.stack(), finals


def _step(node: Node, weights: _Weights, functions: Sequence[Activation]) -> Step:
    clip = node.attributes.get("clip")
    bounded = [_bounded(each, clip) for each in functions] if clip else functions
    if node.kind == "LSTM":
        bounded = [*bounded[:2], functions[2]]  # ONNX Runtime bounds what is computed, and not the cell
        return _lstm_step(weights, bounded, is_coupled=bool(node.attributes["input_forget"]))
    if node.kind == "GRU":
        return _gru_step(weights, bounded, is_after=bool(node.attributes["linear_before_reset"]))

    def step(given: tf.Tensor, before: States) -> States:
        return (bounded[0](given + _project(before[0], weights.hidden, weights.hidden_bias)),)

    return step


def _bounded(function: Activation, limit: float) -> Activation:
    return lambda x: function(tf.clip_by_value(x, -limit, limit))


def _project(hidden: tf.Tensor, weights: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    result = tf.matmul(hidden, weights)
    return result if bias is None else result + bias


def _lstm_step(weights: _Weights, functions: Sequence[Activation], *, is_coupled: bool) -> Step:
    """With peepholes the gates see the cell: i and f the one before the step, o the one after it."""
    to_gate, to_cell, to_output = functions
    peepholes = weights.peepholes

    def step(given: tf.Tensor, before: States) -> States:
        hidden, cell = before
        i, o, f, c = tf.split(given + _project(hidden, weights.hidden, weights.hidden_bias), 4, -1)
        if peepholes:
            i, f = i + peepholes[0] * cell, f + peepholes[2] * cell
        i = to_gate(i)
        f = 1 - i if is_coupled else to_gate(f)
        cell = f * cell + i * to_cell(c)
        o = o + peepholes[1] * cell if peepholes else o
        return to_gate(o) * to_output(cell), cell

    return step


def _gru_step(weights: _Weights, functions: Sequence[Activation], *, is_after: bool) -> Step:
    """Return a step: the reset gate acts on the hidden state before it is multiplied with the weights, or on what comes out of that."""
    to_gate, to_hidden = functions
    size = weights.hidden.shape[0]
    sides = [2 * size, size]
    split, candidate = tf.split(weights.hidden, sides, -1)
    first, second = (None, None) if weights.hidden_bias is None else tf.split(weights.hidden_bias, sides, -1)

    def step(given: tf.Tensor, before: States) -> States:
        (hidden,) = before
        of_gates, of_candidate = tf.split(given, sides, -1)
        if is_after:
            both = _project(hidden, weights.hidden, weights.hidden_bias)
            projected, after = tf.split(both, sides, -1)
        else:
            projected, after = _project(hidden, split, first), None
        z, r = tf.split(to_gate(of_gates + projected), 2, -1)
        inner = _project(r * hidden, candidate, second) if after is None else r * after
        new = to_hidden(of_candidate + inner)
        return ((1 - z) * new + z * hidden,)

    return step


# --- what a node says -------------------------------------------------------------------------------------------------


def _weights(node: Node, number: int, hidden: int) -> _Weights:
    """Return the weights of a direction. Biases that are added at one place are one."""
    gates = GATES[node.kind] * hidden
    matrices = [_part(node, index, number, is_turned=True) for index in (1, 2)]
    assert matrices[0] is not None
    assert matrices[1] is not None
    bias = _part(node, 3, number)
    peepholes = _part(node, 7, number)
    first = None if bias is None else bias[:gates]
    second = None if bias is None else bias[gates:]
    if first is not None and not (node.kind == "GRU" and node.attributes["linear_before_reset"]):
        first, second = first + second, None
    return _Weights(matrices[0], matrices[1], first, second, None if peepholes is None else tf.split(peepholes, 3))


def _part(node: Node, index: int, number: int, *, is_turned: bool = False) -> tf.Tensor | None:
    known = node.known(index)
    if known is not None:

        def make() -> Known:
            return np.ascontiguousarray(known[number].T if is_turned else known[number])

        return node.scope.keep(node.scope.derive(known, f"direction {number} {is_turned}", make))
    given = node.optional(index)
    if given is None:
        return None
    return tf.transpose(given[number]) if is_turned else given[number]


def _activations(node: Node, directions: int) -> list[list[Activation]]:
    """Return the functions of each direction; alphas and betas are listed for those that have some."""
    usual = USUAL[node.kind]
    names = [str(each).lower() for each in node.attributes.get("activations") or usual * directions]
    names = names[: len(usual) * directions]  # ONNX's own default has more than one direction needs
    unknown = [each for each in names if each not in ACTIVATIONS]
    if unknown or len(names) != len(usual) * directions:
        message = (
            f"expected {len(usual) * directions} activations of {', '.join(ACTIVATIONS)}; found {', '.join(names)}"
        )
        raise ValueError(message)
    alphas, betas = (iter(node.attributes.get(name) or ()) for name in ("activation_alpha", "activation_beta"))
    functions = [_activation(name, alphas, betas) for name in names]
    return [functions[start : start + len(usual)] for start in range(0, len(functions), len(usual))]


def _activation(name: str, alphas: Iterator[float], betas: Iterator[float]) -> Activation:
    alpha, beta, function = ACTIVATIONS[name]
    alpha = next(alphas, alpha) if name in WITH_ALPHA else alpha
    beta = next(betas, beta) if name in WITH_BETA else beta
    return lambda x: function(x, alpha, beta)
