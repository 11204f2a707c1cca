"""LSTM, GRU and RNN as the operators that they are made of, one step after the other: TVM's frontend has none of them.

The length of the sequence must be fixed; the batch may be free. Formulas, and the order of gates, are those of the
operators' definitions in ONNX.
"""

from typing import NamedTuple

import numpy as np
import onnx
from onnx.helper import get_attribute_value

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.tvm.graphs.cells import CELLS, Cell
from modelport_converter.frameworks.tvm.graphs.lengths import lengths_of
from modelport_converter.frameworks.tvm.graphs.writing import Writer
from modelport_converter.onnx_graphs.graphs import Constants

MOST_STEPS = 512
"""That are unrolled: each is a dozen operators to compile."""
UNSUPPORTED = {"clip": None, "input_forget": 0}
"""Attributes that no exporter sets, and what they are then."""
SEQUENCE_LENGTHS, INITIAL_H, INITIAL_C, PEEPHOLES = 4, 5, 6, 7
"""Inputs behind the sequence, the two weights and the bias."""


class _Layer(NamedTuple):
    """One node, read."""

    node: onnx.NodeProto
    kind: str
    steps: int
    hidden: int
    weights: Array
    """Of the input, (directions, gates * hidden, input)."""
    recurrence: Array
    """Of the state, (directions, gates * hidden, hidden)."""
    biases: Array
    """Of both, (directions, 2 * gates * hidden)."""
    directions: list[bool]
    """Whether each goes backwards."""
    activations: list[str]
    is_batch_first: bool
    resets_late: bool
    """Whether a GRU resets behind the matrix product (linear_before_reset)."""


def unroll(model: onnx.ModelProto) -> bool:
    """Put steps in the place of each recurrent node; tell whether there was one.

    Raises ModelportError: ShapesNeeded for a free length, ConversionFailed for what is not unrolled.
    """
    if not any(node.op_type in CELLS for node in model.graph.node):
        return False
    lengths, constants, nodes = lengths_of(model), Constants(model), list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type in CELLS:
            _write(_read(node, lengths, constants), Writer(model.graph, next(filter(None, node.output))))
        else:
            model.graph.node.append(node)
    return True


def _read(node: onnx.NodeProto, lengths: dict[str, list[int]], constants: Constants) -> _Layer:
    told = {each.name: get_attribute_value(each) for each in node.attribute}
    gates, is_batch_first = CELLS[node.op_type].gates, bool(told.get("layout", 0))
    steps = (lengths.get(node.input[0]) or [0, 0, 0])[1 if is_batch_first else 0]
    if not steps:
        message = (
            f"spec.target.shapes: expected a fixed length of the sequence of {_name(node)}, because TVM has no loops and its "
            "steps are unrolled; found a free one; state the shapes of the inputs"
        )
        raise ModelportError(Reason.SHAPES_NEEDED, message)
    arrays = [constants.read(name) for name in node.input[1:3]]
    if arrays[0] is None or arrays[1] is None:
        raise _refusal(node, "weights that are constants", "computed ones")
    weights, recurrence = arrays[0], arrays[1]
    hidden, count = recurrence.shape[2], len(recurrence)
    given = constants.read(node.input[3]) if _has(node, 3) else np.zeros((count, 2 * gates * hidden), weights.dtype)
    if given is None:
        raise _refusal(node, "a bias that is a constant", "a computed one")
    for name, default in UNSUPPORTED.items():
        if told.get(name, default) != default:
            raise _refusal(node, f"no {name}", f"{told[name]}")
    if _has(node, PEEPHOLES):
        raise _refusal(node, "no peepholes", "some")
    if _has(node, SEQUENCE_LENGTHS) and not _is_all(constants.read(node.input[SEQUENCE_LENGTHS]), steps):
        raise _refusal(node, "sequences of one length", "lengths of their own (sequence_lens)")
    if steps > MOST_STEPS:
        raise _refusal(node, f"at most {MOST_STEPS} steps, which are unrolled", f"{steps}")
    activations = [each.decode() for each in told.get("activations", [])] or list(
        CELLS[node.op_type].activations
    ) * count
    if unknown := set(activations) - {"Sigmoid", "Tanh", "Relu"}:
        raise _refusal(node, "activations Sigmoid, Tanh or Relu", ", ".join(sorted(unknown)))
    direction = told.get("direction", b"forward")
    return _Layer(
        node=node,
        kind=node.op_type,
        steps=steps,
        hidden=hidden,
        weights=weights,
        recurrence=recurrence,
        biases=given,
        directions=[False, True] if direction == b"bidirectional" else [direction == b"reverse"],
        activations=activations,
        is_batch_first=is_batch_first,
        resets_late=bool(told.get("linear_before_reset", 0)),
    )


def _write(layer: _Layer, writer: Writer) -> None:
    node = layer.node
    sequence = node.input[0]
    if layer.is_batch_first:
        sequence = writer.add("Transpose", [sequence], perm=[1, 0, 2])
    found = [_write_direction(layer, number, sequence, writer) for number in range(len(layer.directions))]
    last, axis = (
        [steps[0] if is_back else steps[-1] for (steps, _), is_back in zip(found, layer.directions, strict=True)],
        0,
    )
    if layer.is_batch_first:
        axis = 1
    hidden = [writer.stacked([steps[step] for steps, _ in found], axis) for step in range(layer.steps)]
    # Y is [steps, directions, batch, hidden], or [batch, steps, directions, hidden]
    for index, values, where in ((0, hidden, axis), (1, last, axis), (2, [cell for _, cell in found], axis)):
        if index < len(node.output) and node.output[index]:
            writer.stacked(values, where, node.output[index])


def _write_direction(layer: _Layer, number: int, sequence: str, writer: Writer) -> tuple[list[str], str]:
    """Write the steps of one direction; return its hidden states in the order of the sequence, and the last cell state."""
    kind, count = CELLS[layer.kind], len(CELLS[layer.kind].activations)
    width = kind.gates * layer.hidden
    ours, theirs = layer.biases[number][:width], layer.biases[number][width:]
    cell = Cell(
        writer=writer,
        hidden=layer.hidden,
        activations=layer.activations[number * count : (number + 1) * count],
        recurrence=layer.recurrence[number],
        bias=theirs,
        resets_late=layer.resets_late,
    )
    added = ours + kind.bias_of(cell)
    all_steps = writer.add("MatMul", [sequence, writer.constant(layer.weights[number].T)])
    all_steps = writer.add("Add", [all_steps, writer.constant(added)])
    states = [_initial(layer, index, number, writer) for index in (INITIAL_H, INITIAL_C)]
    hidden, memory = states
    found = [""] * layer.steps
    order = range(layer.steps)
    for step in reversed(order) if layer.directions[number] else order:
        given = writer.add("Gather", [all_steps, writer.constant(np.array(step, np.int64))], axis=0)
        hidden, memory = kind.step(cell, given, hidden, memory)
        found[step] = hidden
    return found, memory or ""


def _initial(layer: _Layer, index: int, number: int, writer: Writer) -> str | None:
    if not _has(layer.node, index):
        return None
    chosen = writer.constant(np.array(number, np.int64))
    return writer.add("Gather", [layer.node.input[index], chosen], axis=1 if layer.is_batch_first else 0)


def _has(node: onnx.NodeProto, index: int) -> bool:
    return index < len(node.input) and bool(node.input[index])


def _is_all(lengths: Array | None, steps: int) -> bool:
    return lengths is not None and bool((lengths == steps).all())


def _name(node: onnx.NodeProto) -> str:
    return f"node {(node.name or next(filter(None, node.output))):.100} ({node.op_type})"


def _refusal(node: onnx.NodeProto, expected: str, found: str) -> ModelportError:
    message = (
        f"{_name(node)}: expected {expected}, found {found}; TVM has no {node.op_type}, and this one is not unrolled"
    )
    return ModelportError(Reason.CONVERSION_FAILED, message)
