"""Thresholds of trees, by the columns of the input that they compare."""

import numpy as np
import pytest
from onnx import TensorProto

from modelport.api.spec import Input
from modelport.verification.source.model import Hint
from modelport_converter.frameworks.onnx.hints.hints import find_hints
from modelport_converter.onnx_graphs.graphs import infer_tensors
from unit.converters.onnx_models import ML, model, node, tensor, value

NODES = {
    "nodes_treeids": [0] * 5,
    "nodes_nodeids": [0, 1, 2, 3, 4],
    "nodes_featureids": [0, 2, 0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 3, 0, 0, 0],
    "nodes_falsenodeids": [2, 4, 0, 0, 0],
    "target_treeids": [0, 0, 0],
    "target_nodeids": [2, 3, 4],
    "target_ids": [0, 0, 0],
    "target_weights": [1.0, 2.0, 3.0],
    "n_targets": 1,
}
SPLITS = [0.25, -1.5, 0.0, 0.0, 0.0]


def tree(given="x", splits=None):
    return node("TreeEnsembleRegressor", [given], ["y"], domain=ML, **NODES, **(splits or {"nodes_values": SPLITS}))


def hints(nodes, *inputs):
    made = model(nodes, inputs, [value("y", ("batch", 1))], check=False)
    named = [Input(name=each.name, shape=["batch", each.type.tensor_type.shape.dim[1].dim_value]) for each in inputs]
    return find_hints(made, named, infer_tensors(made))


@pytest.mark.parametrize(
    "nodes",
    [
        [tree()],
        [node("Identity", ["x"], ["same"]), node("Cast", ["same"], ["f"], to=TensorProto.FLOAT), tree("f")],
        [tree(splits={"nodes_values_as_tensor": tensor("", np.array(SPLITS))})],
    ],
    ids=["direct", "carried", "doubles"],
)
def test_each_column_has_its_thresholds_and_leaves_have_none(nodes):
    assert hints(nodes, value("x", ("batch", 4))) == {"x": Hint(thresholds=((0.25,), (), (-1.5,)))}


def test_tables_side_by_side_are_told_apart():
    nodes = [node("Concat", ["a", "b"], ["x"], axis=1), tree()]
    assert hints(nodes, value("a", ("batch", 1)), value("b", ("batch", 2))) == {
        "a": Hint(thresholds=((0.25,),)),
        "b": Hint(thresholds=((), (-1.5,))),
    }


def test_columns_that_no_table_has_are_passed_over():
    features = {"nodes_featureids": [1 << 40, 2, 0, 0, 0]}
    given = Input(name="x", shape=["batch", "columns"])
    made = model(
        [node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, **NODES | features, nodes_values=SPLITS)],
        [value("x", ("batch", "columns"))],
        [value("y", ("batch", 1))],
        check=False,
    )
    assert find_hints(made, [given], infer_tensors(made)) == {"x": Hint(thresholds=((), (), (-1.5,)))}


def test_what_is_changed_on_its_way_has_none():
    assert hints([node("Neg", ["x"], ["n"]), tree("n")], value("x", ("batch", 3))) == {}


NAN = float("nan")
TRACKS = {"nodes_missing_value_tracks_true": [1, 0, 0, 0, 0]}


def imputer(given, replaced, result):
    return node("Imputer", [given], [result], domain=ML, imputed_value_floats=[0.5], replaced_value_float=replaced)


IMPUTER = imputer("x", NAN, "full")


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([tree()], "()"),
        # the first column alone has a way of its own for what is missing
        ([tree(splits={"nodes_values": SPLITS} | TRACKS)], "((nan,),)"),
        ([IMPUTER, tree("full")], "((nan,), (nan,), (nan,), (nan,))"),
        (
            [imputer("x", -1.0, "full"), tree("full")],
            "((-1.0,), (-1.0,), (-1.0,), (-1.0,))",
        ),
        # always in the same order, which follows from no address in memory
        (
            [imputer("x", -1.0, "a"), imputer("a", -999.0, "full"), tree("full", {"nodes_values": SPLITS} | TRACKS)],
            "((-999.0, -1.0, nan), (-999.0, -1.0), (-999.0, -1.0), (-999.0, -1.0))",
        ),
        ([node("IsNaN", ["x"], ["n"]), node("Where", ["n", "zeros", "x"], ["y"])], "((nan,), (nan,), (nan,), (nan,))"),
    ],
    ids=["no", "trees", "imputer", "imputer of a number", "several", "condition"],
)  # fmt: skip
def test_what_stands_for_missing_numbers(nodes, expected):
    assert str(hints(nodes, value("x", ("batch", 4))).get("x", Hint()).missing) == expected


def test_thresholds_are_known_behind_an_imputer():
    assert hints([IMPUTER, tree("full")], value("x", ("batch", 4)))["x"].thresholds == ((0.25,), (), (-1.5,))
