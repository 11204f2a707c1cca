"""Random operators are found wherever they are, and a Dropout that drops nothing is none."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from modelport_converter.onnx_graphs.chance import find_random_operations
from unit.converters.onnx_models import constant, graph, model, node, value

NOISE = node("RandomNormalLike", ["x"], ["noise"], "jitter")
JITTERED = node("Add", ["x", "noise"], ["y"])


def test_in_the_graph_in_a_branch_and_in_a_function():
    assert find_random_operations(model([NOISE, JITTERED], [value("x")], [value("y")])) == ["jitter (RandomNormalLike)"]
    branch = graph([NOISE, JITTERED], (), [value("y")])
    other = graph([node("Identity", ["x"], ["z"])], (), [value("z")])
    choice = node("If", ["go"], ["out"], then_branch=branch, else_branch=other)
    made = model([choice], [value("x"), value("go", [], TensorProto.BOOL)], [value("out")])
    assert find_random_operations(made) == ["jitter (RandomNormalLike)"]
    function = helper.make_function("own", "Noisy", ["x"], ["y"], [NOISE, JITTERED], [helper.make_opsetid("", 17)])
    made = model([node("Noisy", ["x"], ["y"], domain="own")], [value("x")], [value("y")], functions=[function])
    assert find_random_operations(made) == ["jitter (RandomNormalLike)"]


@pytest.mark.parametrize(
    ("ratio", "mode", "is_random"),
    [(0.5, True, True), (0.5, False, False), (0.0, True, False), (0.5, None, False), (None, True, True)],
    ids=str,
)
@pytest.mark.parametrize("is_node", [False, True], ids=["initializer", "constant"])
def test_dropout_by_its_mode_and_ratio(ratio, mode, is_random, is_node):
    values = {"ratio": np.float32(ratio)} if ratio is not None else {}
    values |= {"mode": np.array(mode)} if mode is not None else {}
    given = ["x", "ratio" if ratio is not None else "", *(["mode"] if mode is not None else [])]
    constants = [constant(name, array) for name, array in values.items()] if is_node else []
    nodes = [*constants, node("Dropout", given, ["y"], "drop")]
    made = model(nodes, [value("x")], [value("y")], {} if is_node else values)
    assert find_random_operations(made) == (["drop (Dropout)"] if is_random else [])


def test_a_mode_that_callers_choose_may_be_true():
    nodes = [node("Dropout", ["x", "", "mode"], ["y"])]
    made = model(nodes, [value("x"), value("mode", [], TensorProto.BOOL)], [value("y")])
    assert find_random_operations(made) == ["y (Dropout)"]
