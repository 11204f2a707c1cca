"""A program as an ONNX model."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import onnx

from modelport_converter.frameworks.mxnet.theano.lengths.equal import Equal
from modelport_converter.frameworks.mxnet.theano.lengths.rules import find_equal
from modelport_converter.frameworks.mxnet.theano.operators import Graph
from modelport_converter.frameworks.mxnet.theano.reading.programs import Program
from modelport_converter.onnx_graphs.graphs import subgraphs_of
from modelport_converter.onnx_graphs.writing import GraphWriter, value_info

Shapes = Mapping[str, Sequence[int | str]]
ROUNDED = "{} in float32, for which ONNX Runtime has no float64; all else is float64, as in Theano"


class Written(NamedTuple):
    """A model, and what a user should know of it."""

    model: onnx.ModelProto
    caveats: list[str]


def write_program(program: Program, inputs: Shapes, outputs: Shapes) -> Written:
    """Return the model; shapes are those of the signature, by name. Raises ModelportError."""
    given, made = program.inputs, program.outputs
    writer = GraphWriter(taken=(*given, *made))
    equal = find_equal(list(given.values()), list(made.values()), Equal())
    graph = Graph(writer, equal)
    for name, variable in given.items():
        graph.name(variable, name)
    graph.write(list(given.values()), list(made.values()))
    for name, variable in made.items():
        writer.add("Identity", graph.value(variable), out=name)
    model = writer.finish(
        "theano",
        [value_info(name, each.dtype, inputs[name]) for name, each in given.items()],
        [value_info(name, each.dtype, outputs[name]) for name, each in made.items()],
    )
    _drop_unread(model.graph)
    return Written(model, [ROUNDED.format(", ".join(sorted(graph.rounded)))] if graph.rounded else [])


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Leave out nodes and weights that nothing reads, in graphs within nodes, too."""
    read = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if read.isdisjoint(node.output):
            continue
        kept.append(node)
        read |= set(node.input)
        for inner in subgraphs_of([node]):
            _drop_unread(inner)
            read |= _names_read(inner)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [each for each in graph.initializer if each.name in read]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def _names_read(graph: onnx.GraphProto) -> set[str]:
    found = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for inner in subgraphs_of(graph.node):
        found |= _names_read(inner)
    return found
