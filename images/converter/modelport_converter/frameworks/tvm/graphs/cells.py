"""One step of LSTM, GRU and RNN, written into a graph.

A state is None as long as it is zero, so that a free batch needs no zeros of its length. `given` is what the input adds
to all gates at once, (batch, gates * hidden).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.tvm.graphs.writing import Writer

State = str | None


class Cell(NamedTuple):
    """What the steps of one direction share."""

    writer: Writer
    hidden: int
    activations: list[str]
    recurrence: Array
    """(gates * hidden, hidden)."""
    bias: Array
    """Of the recurrence, (gates * hidden)."""
    resets_late: bool

    def part(self, value: str, index: int, end: int | None = None) -> str:
        """Return the gates from one to another of all."""
        bounds = [index * self.hidden, (end or index + 1) * self.hidden]
        starts, ends = (self.writer.constant(np.array([each], np.int64)) for each in bounds)
        return self.writer.add("Slice", [value, starts, ends, self.writer.constant(np.array([-1], np.int64))])

    def product(self, state: str, start: int, end: int) -> str:
        """Return the recurrence of some gates."""
        rows = self.recurrence[start * self.hidden : end * self.hidden]
        return self.writer.add("MatMul", [state, self.writer.constant(rows.T)])


def _lstm(cell: Cell, given: str, hidden: State, memory: State) -> tuple[str, State]:
    """Gates: input, output, forget, cell."""
    writer, (gate, inner, outer) = cell.writer, cell.activations
    if hidden is not None:
        given = writer.add("Add", [given, cell.product(hidden, 0, 4)])
    enters = writer.add("Mul", [writer.add(gate, [cell.part(given, 0)]), writer.add(inner, [cell.part(given, 3)])])
    if memory is not None:
        kept = writer.add("Mul", [writer.add(gate, [cell.part(given, 2)]), memory])
        enters = writer.add("Add", [kept, enters])
    shown = writer.add("Mul", [writer.add(gate, [cell.part(given, 1)]), writer.add(outer, [enters])])
    return shown, enters


def _gru(cell: Cell, given: str, hidden: State, _memory: State) -> tuple[str, State]:
    """Gates: update, reset, hidden."""
    writer, (gate, inner) = cell.writer, cell.activations
    opened, new = cell.part(given, 0, 2), cell.part(given, 2)
    if hidden is not None:
        opened = writer.add("Add", [opened, cell.product(hidden, 0, 2)])
    opened = writer.add(gate, [opened])
    update, reset = cell.part(opened, 0), cell.part(opened, 1)
    late = writer.constant(cell.bias[2 * cell.hidden :]) if cell.resets_late else None
    if late is not None:
        past = late if hidden is None else writer.add("Add", [cell.product(hidden, 2, 3), late])
        new = writer.add("Add", [new, writer.add("Mul", [reset, past])])
    elif hidden is not None:
        new = writer.add("Add", [new, cell.product(writer.add("Mul", [reset, hidden]), 2, 3)])
    new = writer.add(inner, [new])
    one = writer.constant(np.ones(1, cell.recurrence.dtype))
    fresh = writer.add("Mul", [writer.add("Sub", [one, update]), new])
    if hidden is None:
        return fresh, None
    return writer.add("Add", [fresh, writer.add("Mul", [update, hidden])]), None


def _rnn(cell: Cell, given: str, hidden: State, _memory: State) -> tuple[str, State]:
    if hidden is not None:
        given = cell.writer.add("Add", [given, cell.product(hidden, 0, 1)])
    return cell.writer.add(cell.activations[0], [given]), None


def _whole_bias(cell: Cell) -> Array:
    return cell.bias


def _early_bias(cell: Cell) -> Array:
    """Return the bias without the one that a late reset takes part in."""
    if not cell.resets_late:
        return cell.bias
    gates = 2 * cell.hidden
    return np.concatenate([cell.bias[:gates], np.zeros_like(cell.bias[gates:])])


class Kind(NamedTuple):
    """A recurrent operator."""

    gates: int
    activations: tuple[str, ...]
    """By default, of one direction."""
    step: Callable[[Cell, str, State, State], tuple[str, State]]
    bias_of: Callable[[Cell], Array] = _whole_bias
    """What of the recurrence's bias is added to the input's at once."""


CELLS = {
    "LSTM": Kind(4, ("Sigmoid", "Tanh", "Tanh"), _lstm),
    "GRU": Kind(3, ("Sigmoid", "Tanh"), _gru, _early_bias),
    "RNN": Kind(1, ("Tanh",), _rnn),
}
