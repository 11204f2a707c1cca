"""Loops and branches: Scan becomes a Loop whose body is a graph of its own, which sees what is around it."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from modelport_converter.frameworks.mxnet.theano.operators.node import Graph, operator, refuse, tensor_type
from modelport_converter.onnx_graphs.writing import GraphWriter

EMPTY = {"AllocEmpty", "Alloc"}


class _State:
    """A value that a step takes from steps before it: how many of them are kept, and which one each inner input is."""

    def __init__(self, buffer: Any, inner: Sequence[Any], taps: Sequence[int], made: Any) -> None:
        self.buffer = buffer
        self.inner = inner
        self.taps = taps
        self.made = made
        self.depth = -min(taps)


@operator("Scan")
def write_scan(graph: Graph, node: Any) -> Sequence[str]:
    """Write a loop over steps. Outputs hold all steps, behind those that were given as the beginning."""
    op = node.op
    if op.n_mit_mot:
        refuse("operator Scan", "it is a gradient (several outputs of one state); pickle the function that predicts")
    states = list(_states(node))
    shared = list(
        zip(
            op.outer_shared(node.inputs),
            op.inner_shared(op.inputs),
            op.inner_shared_outs(op.outputs),
            strict=True,
        )
    )
    for outer, *_ in shared:
        if not hasattr(outer.type, "broadcastable"):
            refuse(
                "operator Scan",
                f"its steps draw numbers, or change {outer.type}; pickle what predicts, without dropout",
            )
    body = _Body(graph, node)
    steps = graph.writer.reshape(graph.cast(graph.value(node.inputs[0]), node.inputs[0].dtype, "int64"), 1)
    beginnings = [_beginning(graph, state) for state in states]
    initial = [
        *(_row(graph, name, row) for state, name in zip(states, beginnings, strict=True) for row in range(state.depth)),
        *(graph.value(outer) for outer, *_ in shared),
    ]
    body_graph = body.write(states, shared)
    made = graph.writer.add_many(
        "Loop",
        [""] * (len(initial) + len(states) + op.n_nit_sot),
        graph.writer.add("Squeeze", steps, graph.writer.lengths(0)),
        "",
        *initial,
        body=body_graph,
    )
    carried, stacked = made[: len(initial)], made[len(initial) :]
    whole = [
        graph.writer.add("Concat", beginning, each, axis=0)
        for beginning, each in zip(beginnings, stacked[: len(states)], strict=True)
    ]
    depth = sum(state.depth for state in states)
    return [*whole, *stacked[len(states) :], *carried[depth:]]


def _states(node: Any) -> Iterator[_State]:
    op = node.op
    given = iter(op.inner_mitsot(op.inputs))  # one after the other, as many as there are taps
    several = zip(op.outer_mitsot(node.inputs), op.mitsot_taps(), op.inner_mitsot_outs(op.outputs), strict=True)
    for buffer, taps, made in several:
        yield _State(buffer, [next(given) for _ in taps], [int(each) for each in taps], made)
    single = zip(
        op.outer_sitsot(node.inputs), op.inner_sitsot(op.inputs), op.inner_sitsot_outs(op.outputs), strict=True
    )
    for buffer, inner, made in single:
        yield _State(buffer, [inner], [-1], made)


def _beginning(graph: Graph, state: _State) -> str:
    """Return the rows that the first step reads: those that were put into room for all steps."""
    node = state.buffer.owner
    is_put = node is not None and type(node.op).__name__ == "IncSubtensor" and node.op.set_instead_of_inc
    if is_put and node.inputs[0].owner is not None and type(node.inputs[0].owner.op).__name__ == "AllocEmpty":
        return graph.valued(node.inputs[1], state.buffer.dtype)
    return graph.writer.slice(graph.value(state.buffer), 0, 0, state.depth)


def _row(graph: Graph, name: str, row: int) -> str:
    return graph.writer.add("Gather", name, np.array(row, np.int64), axis=0)


class _Body:
    """The graph of one step."""

    def __init__(self, graph: Graph, node: Any) -> None:
        self.outer = graph
        self.node = node
        scope = graph.writer.fresh("scan")
        writer = GraphWriter(graph.writer.dtype)
        writer.scope = scope
        self.graph = Graph(writer, graph.equal, graph)
        self.step = f"{scope}/step"
        self.goes_on = f"{scope}/goes_on"

    def write(self, states: Sequence[_State], shared: Sequence[tuple[Any, Any, Any]]) -> onnx.GraphProto:
        """Return the graph: step number, whether to go on, states; whether to go on, states, and what each step adds."""
        op, graph, node = self.node.op, self.graph, self.node
        inputs = [
            helper.make_tensor_value_info(self.step, TensorProto.INT64, []),
            helper.make_tensor_value_info(self.goes_on, TensorProto.BOOL, []),
        ]
        for inner, sequence in zip(op.inner_seqs(op.inputs), op.outer_seqs(node.inputs), strict=True):
            graph.name(inner, graph.writer.add("Gather", self.outer.value(sequence), self.step, axis=0))
        for inner, outer in zip(op.inner_non_seqs(op.inputs), op.outer_non_seqs(node.inputs), strict=True):
            self._share(inner, outer)
        rows: list[list[str]] = []
        for state in states:
            names = [graph.writer.fresh("state") for _ in range(state.depth)]
            rows.append(names)
            inputs += [_declared(name, state.made) for name in names]
            for inner, tap in zip(state.inner, state.taps, strict=True):
                graph.name(inner, names[state.depth + tap])
        for _, inner, made in shared:
            name = graph.writer.fresh("state")
            inputs.append(_declared(name, made))
            graph.name(inner, name)
        graph.write(op.inputs, op.outputs)
        outputs = [helper.make_tensor_value_info(self._goes_on(), TensorProto.BOOL, [])]
        stacked = []
        for state, names in zip(states, rows, strict=True):
            new = self._out(state.made, state.buffer.dtype)
            outputs += [_declared(self._copy(name), state.made) for name in (*names[1:], new)]
            stacked.append(_declared(self._copy(new), state.made))
        outputs += [_declared(self._out(made, made.dtype), made) for *_, made in shared]
        added = [(self._out(each, each.dtype), each) for each in op.inner_nitsot_outs(op.outputs)]
        outputs += [*stacked, *(_declared(name, each) for name, each in added)]
        return helper.make_graph(graph.writer.nodes, graph.writer.scope, inputs, outputs, graph.writer.weights)

    def _share(self, inner: Any, outer: Any) -> None:
        known = self.outer.known(outer)
        if known is not None:
            self.graph.note(inner, known)
        if known is None or outer in self.outer.names or known.size > 1:
            self.graph.name(inner, self.outer.value(outer))

    def _goes_on(self) -> str:
        op, writer = self.node.op, self.graph.writer
        if not op.as_while:
            return writer.add("Identity", self.goes_on)
        condition = op.outputs[-1]
        ended = self.graph.cast(self.graph.value(condition), condition.dtype, "bool")
        return writer.add("Not", writer.reshape(ended) if condition.ndim else ended)

    def _out(self, variable: Any, dtype: str) -> str:
        """Return the name of an output, one that nothing else has."""
        return self._copy(self.graph.cast(self.graph.value(variable), variable.dtype, dtype))

    def _copy(self, name: str) -> str:
        return self.graph.writer.add("Identity", name)


def _declared(name: str, variable: Any) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, tensor_type(variable.dtype), [None] * variable.ndim)


@operator("IfElse")
def write_choice(graph: Graph, node: Any) -> Sequence[str]:
    """Write one of two lists of values."""
    condition, *values = node.inputs
    count = len(node.outputs)
    flag = graph.cast(graph.value(condition), condition.dtype, "bool")
    branches: dict[str, Any] = {}
    for name, chosen in (("then_branch", values[:count]), ("else_branch", values[count:])):
        writer = GraphWriter(graph.writer.dtype)
        writer.scope = graph.writer.fresh("choice")
        made = [
            writer.add("Identity", graph.valued(each, out.dtype))
            for each, out in zip(chosen, node.outputs, strict=True)
        ]
        outputs = [_declared(each, out) for each, out in zip(made, node.outputs, strict=True)]
        branches[name] = helper.make_graph(writer.nodes, writer.scope, [], outputs, writer.weights)
    return graph.writer.add_many("If", [""] * count, flag, **branches)
