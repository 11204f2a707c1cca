"""Batch-first recurrent operators, rewritten: the same numbers as onnx's own evaluator gives for the original."""

import copy

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from modelport.asking.onnxruntime.sessions import make_run, open_session
from modelport_converter.frameworks.onnx.layouts import put_time_first
from unit.converters.onnx_models import graph, model, node, value

BATCH, TIME, INPUT, HIDDEN = 3, 5, 2, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def random(*shape, seed=0):
    return (0.5 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def recurrent(operator, direction, outputs, states):
    """Return nodes, weights and questions of an operator with layout 1."""
    directions, gates = 2 if direction == "bidirectional" else 1, GATES[operator] * HIDDEN
    weights = {"w": random(directions, gates, INPUT, seed=1), "r": random(directions, gates, HIDDEN, seed=2)}
    weights |= {"b": random(directions, 2 * gates, seed=3)}
    initial = {"h": random(BATCH, directions, HIDDEN, seed=4)} if states else {}
    initial |= {"c": random(BATCH, directions, HIDDEN, seed=5)} if states and operator == "LSTM" else {}
    given = ["x", "w", "r", "b", "", *initial] if states else ["x", "w", "r", "b"]
    options = {"hidden_size": HIDDEN, "layout": 1, "direction": direction}
    return [node(operator, given, outputs, "cell", **options)], weights, {"x": random(BATCH, TIME, INPUT)} | initial


def run(made, tmp_path, questions):
    session = open_session(tmp_path / "model.onnx", level="none", content=made.SerializeToString())
    return dict(zip([each.name for each in session.get_outputs()], make_run(session)(questions), strict=True))


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("states", [False, True], ids=["zeros", "states"])
def test_numbers_are_those_of_the_evaluator(tmp_path, operator, direction, states):
    names = ["y", "y_h", "y_c"] if operator == "LSTM" else ["y", "y_h"]
    nodes, weights, questions = recurrent(operator, direction, names, states)
    inputs = [value(name, each.shape) for name, each in questions.items()]
    made = model(nodes, inputs, [value(name, ["a", "b", "c", "d"][: 4 - (name != "y")]) for name in names], weights)
    evaluator = ReferenceEvaluator(copy.deepcopy(made))
    expected = dict(zip(names, evaluator.run(None, questions), strict=True))
    assert put_time_first(made) == [
        f"layout 1, which ONNX Runtime lacks, is replaced by transposing around cell ({operator})"
    ]
    found = run(made, tmp_path, questions)
    assert found["y"].shape == (BATCH, TIME, len(weights["w"]), HIDDEN)
    assert found["y_h"].shape == (BATCH, len(weights["w"]), HIDDEN)
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6)


def test_outputs_that_are_left_out_stay_out_and_branches_are_rewritten_too(tmp_path):
    nodes, weights, questions = recurrent("GRU", "forward", ["", "y_h"], states=False)
    branches = [graph([helper.make_node("Identity", ["y_h"], [name])], (), [value(name, None)]) for name in "pq"]
    branches[0].node.insert(0, nodes[0])
    branches[0].name = "then"
    branches[1].node[0].input[0] = "zero"
    choice = node("If", ["go"], ["z"], then_branch=branches[0], else_branch=branches[1])
    weights |= {"go": np.array(True), "zero": np.zeros((BATCH, 1, HIDDEN), np.float32)}
    made = model([choice], [value("x", (BATCH, TIME, INPUT))], [value("z", (BATCH, 1, HIDDEN))], weights)
    plain = model(nodes, [value("x", (BATCH, TIME, INPUT))], [value("y_h", (BATCH, 1, HIDDEN))], weights)
    assert len(put_time_first(made)) == len(put_time_first(plain)) == 1
    assert [each.op_type for each in plain.graph.node] == ["Transpose", "GRU", "Transpose"]
    np.testing.assert_array_equal(run(made, tmp_path, questions)["z"], run(plain, tmp_path, questions)["y_h"])


def test_time_first_stays_as_it_is():
    nodes, weights, _ = recurrent("RNN", "forward", ["y"], states=False)
    nodes[0].attribute.remove(next(each for each in nodes[0].attribute if each.name == "layout"))
    made = model(nodes, [value("x", (TIME, BATCH, INPUT))], [value("y", (TIME, 1, BATCH, HIDDEN))], weights)
    before = made.SerializeToString()
    assert put_time_first(made) == []
    assert made.SerializeToString() == before
