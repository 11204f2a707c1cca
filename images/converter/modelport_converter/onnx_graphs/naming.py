"""Names of values in graphs within nodes, such as the branches of If, which may have the same ones side by side."""

from collections.abc import Iterable, Mapping
from typing import Any

import onnx

from modelport_converter.onnx_graphs.graphs import fresh_name, subgraphs_of


def with_own_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model, which has no functions, with each name in one graph alone; the main graph's stay as they are."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _own(copy.graph, {}, set())
    return copy


def _own(graph: onnx.GraphProto, outer: Mapping[str, str], taken: set[str]) -> None:
    defined: list[Any] = [*graph.input, *graph.initializer, *(each.values for each in graph.sparse_initializer)]
    made = [name for node in graph.node for name in node.output if name]
    own = {name: fresh_name(name, taken) for name in dict.fromkeys([*(each.name for each in defined), *made])}
    names = {**outer, **own}
    for each in (*defined, *graph.output, *graph.value_info):
        each.name = names.get(each.name, each.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for inner in subgraphs_of([node]):
            _own(inner, names, taken)


def rename(graphs: Iterable[onnx.GraphProto], names: Mapping[str, str]) -> None:
    """Rename values in nodes, and in the graphs within them, which see the values around them."""
    for graph in graphs:
        for node in graph.node:
            node.input[:] = [names.get(each, each) for each in node.input]
            node.output[:] = [names.get(each, each) for each in node.output]
        for inner in subgraphs_of(graph.node):
            for value in inner.output:  # a branch may give a value from outside as it is
                value.name = names.get(value.name, value.name)
            rename([inner], names)
