"""What consumers tell about integers and strings."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from modelport.api.spec import Input
from modelport.verification.source.model import Hint
from modelport_converter.frameworks.onnx.hints.hints import find_hints
from modelport_converter.onnx_graphs.graphs import infer_tensors
from unit.converters.onnx_models import ML, constant, graph, model, node, value

INT, STRING = TensorProto.INT64, TensorProto.STRING
TABLE = {"table": np.zeros((50, 4), np.float32)}
ROWS = Hint(-50, 49)


def hints(nodes, weights=None, dtype="int64", functions=(), more=()):
    kind = STRING if dtype == "string" else INT
    inputs = [value("x", ("batch", 3), kind), *more]
    outputs = [value(nodes[-1].output[0], None)]
    made = model(nodes, inputs, outputs, weights, functions=functions, check=False)
    return find_hints(made, [Input(name="x", dtype=dtype, shape=["batch", 3])], infer_tensors(made))


GATHER = node("Gather", ["table", "x"], ["y"])


@pytest.mark.parametrize(
    ("nodes", "weights", "expected"),
    [
        ([GATHER], TABLE, ROWS),
        ([constant("table", TABLE["table"]), GATHER], {}, ROWS),
        ([node("Gather", ["table", "x"], ["y"], axis=1)], TABLE, Hint(-4, 3)),
        # ids with a meaning of their own are not all that a table has
        ([constant("special", np.array([1, 2])), node("Equal", ["x", "special"], ["is"]), GATHER], TABLE, ROWS),
        ([constant("depth", np.zeros(0, np.int64)), node("OneHot", ["x", "depth", "table"], ["y"])], TABLE, None),
        # ids are no mask where their zeros are hidden, too
        ([node("Cast", ["x"], ["shown"], to=TensorProto.BOOL), GATHER], TABLE, ROWS),
        ([node("Gather", ["table", "x"], ["y"], axis=-1)], TABLE, Hint(-4, 3)),
        # a table that is computed: its shape is inferred
        (
            [node("Cast", ["half"], ["table"], to=TensorProto.FLOAT), GATHER],
            {"half": np.zeros((50, 4), np.float16)},
            ROWS,
        ),
        # on its way to the table
        (
            [
                node("Cast", ["x"], ["a"], to=TensorProto.INT32),
                node("Unsqueeze", ["a", "axis"], ["b"]),
                node("Transpose", ["b"], ["c"], perm=[0, 2, 1]),
                node("Slice", ["c", "axis", "two"], ["d"]),
                node("Identity", ["d"], ["e"]),
                node("Gather", ["table", "e"], ["y"]),
            ],
            TABLE | {"axis": np.array([1]), "two": np.array([2])},
            ROWS,
        ),
        (
            [node("OneHot", ["x", "depth", "onoff"], ["y"])],
            {"depth": np.array(7), "onoff": np.array([0, 1])},
            Hint(-7, 6),
        ),
        # a one-hot encoding, as JAX and TensorFlow write it; a comparison with one number is a condition
        (
            [node("Unsqueeze", ["x", "last"], ["u"]), node("Equal", ["u", "all"], ["y"])],
            {"all": np.arange(257), "last": np.array([-1])},
            Hint(0, 257),
        ),
        ([node("Equal", ["x", "pad"], ["y"])], {"pad": np.array(0)}, None),
        # two tables: what both have
        (
            [
                node("Gather", ["small", "x"], ["s"]),
                node("Gather", ["table", "x"], ["t"]),
                node("Add", ["s", "t"], ["y"]),
            ],
            TABLE | {"small": np.zeros((20, 4), np.float32)},
            Hint(-20, 19),
        ),
        # a mask, as BERT's is made
        (
            [node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), node("Sub", ["one", "f"], ["y"])],
            {"one": np.float32(1)},
            Hint(0, 1, is_mask=True),
        ),
        ([node("Cast", ["x"], ["y"], to=TensorProto.BOOL)], {}, Hint(0, 1, is_mask=True)),
        # integers that are taken from 1 are no mask
        ([node("Sub", ["one", "x"], ["y"])], {"one": np.array(1)}, None),
        ([node("Mul", ["x", "x"], ["y"])], {}, None),
        # data of a Gather are no indices, unless they are gathered from further on
        ([node("Gather", ["x", "first"], ["y"])], {"first": np.array([0])}, None),
        (
            [node("LabelEncoder", ["x"], ["y"], domain=ML, keys_int64s=[3, 9, 5], values_int64s=[0, 1, 2])],
            {},
            Hint(3, 10, categories=(3, 5, 9, 10)),
        ),
        ([node("OneHotEncoder", ["x"], ["y"], domain=ML, cats_int64s=[2, 4])], {}, Hint(2, 5, categories=(2, 4, 5))),
        (
            [node("OneHotEncoder", ["x"], ["y"], domain=ML, cats_int64s=[2, 4], zeros=0)],
            {},
            Hint(2, 4, categories=(2, 4)),
        ),
    ],
)
def test_integers(nodes, weights, expected):
    assert hints(nodes, weights) == ({} if expected is None else {"x": expected})


@pytest.mark.parametrize(
    "nodes",
    [
        [node("LabelEncoder", ["x"], ["y"], domain=ML, keys_strings=["a", "ü"], values_int64s=[1, 2])],
        [node("CategoryMapper", ["x"], ["y"], domain=ML, cats_strings=["a", "ü"], cats_int64s=[1, 2])],
        [node("OneHotEncoder", ["x"], ["y"], domain=ML, cats_strings=["a", "ü"])],
        [
            node("StringNormalizer", ["x"], ["lower"], case_change_action="LOWER"),
            node("LabelEncoder", ["lower"], ["y"], domain=ML, keys_strings=["a", "ü"], values_int64s=[1, 2]),
        ],
        [
            node(
                "TfIdfVectorizer", ["x"], ["y"], mode="TF", min_gram_length=1, max_gram_length=1, max_skip_count=0,
                ngram_counts=[0], ngram_indexes=[0, 1], pool_strings=["a", "ü"],
            )
        ],
        [constant("known", np.array(["a", "ü"], object)), node("Equal", ["x", "known"], ["y"])],
    ],
    ids=lambda nodes: nodes[0].op_type,
)  # fmt: skip
def test_strings(nodes):
    assert hints(nodes, dtype="string") == {"x": Hint(strings=("a", "ü", "unseen"))}


def test_an_encoder_that_refuses_what_it_does_not_know_is_not_asked_it():
    nodes = [node("OneHotEncoder", ["x"], ["y"], domain=ML, cats_strings=["a", "ü"], zeros=0)]
    assert hints(nodes, dtype="string") == {"x": Hint(strings=("a", "ü"))}


def test_in_a_branch_and_in_a_function():
    other = graph([node("Identity", ["table"], ["z"])], (), [value("z", None)])
    choice = node("If", ["go"], ["out"], then_branch=graph([GATHER], (), [value("y", None)]), else_branch=other)
    assert hints([choice], TABLE, more=[value("go", [], TensorProto.BOOL)]) == {"x": ROWS}
    inner = [constant("table", TABLE["table"]), node("Gather", ["table", "i"], ["r"])]
    function = helper.make_function("own", "Embed", ["i"], ["r"], inner, [helper.make_opsetid("", 17)])
    call = [node("Identity", ["x"], ["same"]), node("Embed", ["same"], ["y"], domain="own")]
    assert hints(call, functions=[function]) == {"x": ROWS}


def test_floats_get_no_hint():
    nodes = [node("Sub", ["one", "x"], ["y"])]
    made = model(nodes, [value("x")], [value("y")], {"one": np.float32(1)})
    assert find_hints(made, [Input(name="x", dtype="float32", shape=["batch", 3])], infer_tensors(made)) == {}


def test_thresholds_of_trees_by_column():
    split, leaf = {"nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"]}, [0.0, 0.0]
    tree = helper.make_node(
        "TreeEnsembleRegressor",
        ["same"],
        ["y"],
        domain=ML,
        nodes_featureids=[2, 0, 0],
        nodes_values=[0.5, *leaf],
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 0],
        target_weights=[1.0, 2.0],
        **split,
    )
    x = value("x", ("batch", 3), TensorProto.FLOAT)
    made = model([node("Identity", ["x"], ["same"]), tree], [x], [value("y", None)], check=False)
    described = [Input(name="x", dtype="float32", shape=["batch", 3])]
    assert find_hints(made, described, infer_tensors(made)) == {"x": Hint(thresholds=((), (), (0.5,)))}
