"""Names of values in branches side by side."""

import numpy as np

from modelport_converter.onnx_graphs.graphs import subgraphs_of
from modelport_converter.onnx_graphs.naming import with_own_names
from unit.converters.onnx_models import graph, model, node, value


def branch(*nodes):
    return graph(nodes, outputs=[value("w", None)], weights={"k": np.float32(2)})


def test_each_graph_has_its_own_names_and_sees_those_around_it():
    yes = branch(node("Mul", ["x", "k"], ["q"]), node("Relu", ["q"], ["w"]))
    no = branch(node("Add", ["x", "k"], ["q"]), node("Neg", ["q"], ["w"]))
    nodes = [node("If", ["c"], ["y"], then_branch=yes, else_branch=no)]
    made = model(nodes, [value("x"), value("c", (), dtype=9)], [value("y", None)], check=False)
    found = with_own_names(made)
    one, other = subgraphs_of(found.graph.node)
    assert [list(each.input) for each in one.node] == [["x", "k"], ["q"]]
    assert [list(each.input) for each in other.node] == [["x", "k_2"], ["q_2"]]
    assert [each.name for each in (*one.output, *other.output)] == ["w", "w_2"]
    assert [each.name for each in (*found.graph.input, *found.graph.output)] == ["x", "c", "y"]
    assert next(subgraphs_of(made.graph.node)).output[0].name == "w", "the model itself is as it was"
