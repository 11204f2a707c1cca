"""Models of tables answer as their own library does, at thresholds and beside them, for missing and unknown values."""

import ast
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from converters.verdicts import convert_all
from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks import FORMATS
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.tabular.boosters.lightgbm_text import read_lightgbm
from modelport_converter.frameworks.tabular.boosters.xgboost_json import read_xgboost
from modelport_converter.tables.forest import round_down, round_up
from modelport_converter.tables.frames import Column
from modelport_converter.tables.table import Table, find_inputs

HERE = Path(__file__).parent
REFUSED = {
    "sklearn-chosen-words": "TfidfVectorizer",
    "lightgbm-linear-leaves": "linear_tree",
    "sklearn-ordered-texts": "2 columns with categories of pandas, where 1 are categorical_feature",
    "sklearn-near-ones": "weights='uniform'",
    "sklearn-days": "a category of type datetime",
    "sklearn-nameless": "column 5, ''",
}


def names_in(table):
    """Return the cases of a dict in table_models, which is imported in the converter's environment alone."""
    tree = ast.parse((HERE / "table_models.py").read_text())
    found = next(
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == table
    )
    return [key.value for key in found.keys]


CASES = [f"{each.lower()}-{name}" for each in ("XGBOOST", "LIGHTGBM", "CATBOOST", "SKLEARN") for name in names_in(each)]
CASES += [
    "sklearn-keyed",
    "lightgbm-unended",
    "ubj-sets",
    "ubj-texts",
    "ubj-base-by-class",
    "skops-texts",
    "skops-missing-in-trees",
]


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Return the folder with models and answers, and what failed."""
    root = tmp_path_factory.mktemp("tables")
    return root, convert_all("converter-tabular", HERE / "run_tables.py", root)


@pytest.mark.converters
@pytest.mark.timeout(900)  # the first one asks all
@pytest.mark.parametrize("name", CASES)
def test_a_model_of_a_table_answers_as_its_library_does(converted, name):
    root, outcomes = converted
    assert outcomes[name] == ""
    session = onnxruntime.InferenceSession(root / name / "model" / "model.onnx")
    outputs = [value.name for value in session.get_outputs()]
    for number in range(3):
        with (
            np.load(root / name / f"question-{number}.npz") as asked,
            np.load(root / name / f"right-{number}.npz") as right,
        ):
            given = {key: asked[key].astype(object) if asked[key].dtype.kind == "U" else asked[key] for key in asked}
            found = dict(zip(outputs, session.run(None, given), strict=True))
            assert set(found) == set(right)
            for key, array in right.items():
                assert found[key].shape == array.shape
                if array.dtype.kind in "Uib":
                    assert np.array_equal(found[key], array)
                else:
                    assert found[key].dtype == array.dtype
                    scale = max(float(np.abs(array[np.isfinite(array)]).max(initial=0)), 1e-30)
                    np.testing.assert_allclose(found[key], array, rtol=2e-6, atol=2e-6 * scale)


@pytest.mark.converters
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_converted_is_refused_by_name(converted, name):
    told = converted[1][name]
    assert told.startswith("ConversionFailed")
    assert REFUSED[name] in told


@pytest.mark.converters
@pytest.mark.parametrize(
    ("name", "column", "numbers"),
    [
        ("sklearn-fractions", 0, [0.1, 0.2, 0.7]),
        ("sklearn-fractions", 1, [16777217]),
        ("lightgbm-fractions", 0, [0.1, 0.2, 0.7]),
        ("lightgbm-fractions", 1, [16777217]),
        ("sklearn-mark-for-missing", 0, [-999]),
    ],
)
def test_numbers_that_mean_something_of_their_own_are_asked(converted, name, column, numbers):
    with np.load(converted[0] / name / "question-0.npz") as asked:
        assert set(numbers) <= set(asked["features"][:, column].tolist())


@pytest.mark.converters
def test_numbers_are_asked_where_a_scaler_saw_some(converted):
    folder = converted[0] / "sklearn-far-columns"
    with np.load(folder / "question-0.npz") as asked, np.load(folder / "right-0.npz") as right:
        assert np.mean(abs(asked["features"] - 1e5) < 100) > 0.1
        assert len(np.unique(right["probabilities"], axis=0)) > 20


@pytest.mark.converters
@pytest.mark.parametrize(
    ("name", "reason", "told"),
    [
        ("sklearn-unkeyed", "WeightsMismatch", "checkpoint.key"),
        ("sklearn-older", "ConversionFailed", "RandomForestClassifier: scikit-learn 1.3 wrote it"),
        ("sklearn-older-packed", "ConversionFailed", "RandomForestClassifier: scikit-learn 1.3 wrote it"),
        ("sklearn-unfitted", "SourceCorrupt", "expected a fitted estimator"),
        ("skops-foreign", "UntrustedSource", "Foreign"),
        ("catboost-misnamed", "SourceCorrupt", "expected features as CatBoost exports them"),
        ("catboost-endless", "SourceCorrupt", "expected features as CatBoost exports them"),
    ],
)
def test_what_is_not_opened_is_refused_with_what_to_do(converted, name, reason, told):
    assert converted[1][name].startswith(reason)
    assert told in converted[1][name]


@pytest.mark.converters
@pytest.mark.parametrize("name", CASES)
def test_a_file_is_what_its_content_says(converted, name):
    tree = open_tree(converted[0] / name / "source")
    meant = "xgboost" if name.startswith("ubj") else name.partition("-")[0]
    sure = [each.name for each in FORMATS.values() if each.detect and (found := each.detect(tree)) and found.is_sure]
    assert sure == [meant]


def test_thresholds_decide_alike_in_float32():
    random = np.random.default_rng(0)
    thresholds = random.normal(size=1000) * 10.0 ** random.integers(-30, 30, 1000)
    near = thresholds.astype(np.float32)
    for numbers in (near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))):
        assert np.array_equal(numbers <= round_down(thresholds), numbers.astype(np.float64) <= thresholds)
        assert np.array_equal(numbers < round_up(thresholds), numbers.astype(np.float64) < thresholds)


def boosted(trees, categories=(), objective="reg:squarederror", version=(3, 2, 0)):
    """Return a file of XGBoost's with so many trees of one leaf."""
    tree = {"left_children": [-1], "right_children": [-1], "split_indices": [0], "split_conditions": [0.5]}
    tree |= {"default_left": [0], "tree_param": {}}
    model = {"trees": [tree] * trees, "tree_info": [0] * trees, "cats": {"enc": [*categories]}}
    learner = {
        "gradient_booster": {"name": "gbtree", "model": model},
        "learner_model_param": {"num_feature": "1", "base_score": "5E-1"},
        "objective": {"name": objective},
    }
    return json.dumps({"learner": learner, "version": version}).encode()


def test_a_text_of_the_first_lightgbm_with_trees_in_lines_is_read(tmp_path):
    path = tmp_path / "model.txt"
    head = "tree\nversion=v2\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=xentropy\ntree_sizes=9\n\n"
    path.write_text(f"{head}Tree=0\nnum_leaves=1\nleaf_value=0.5\n\n\nfeature importances:\nColumn_0=5\n")
    model = read_lightgbm(path)
    assert model.link == "sigmoid"
    assert [leaf.tolist() for leaf in model.forest.leaves] == [[0.5]]


def of_pandas(places, infos, categories):
    """Return a text of LightGBM with two columns, whose categories pandas numbered."""
    head = f"tree\nversion=v4\nnum_tree_per_iteration=1\nmax_feature_idx=1\nfeature_names=a b\nfeature_infos={infos}\n"
    tree = "tree_sizes=9\n\nTree=0\nnum_leaves=1\nleaf_value=0.5\n\n\nend of trees\n"
    return f"{head}{tree}[categorical_feature: {places}]\n\npandas_categorical:{json.dumps(categories)}\n"


def test_categories_of_all_columns_are_those_of_each_in_order(tmp_path):
    path = tmp_path / "model.txt"
    path.write_text(of_pandas("1", "[0:2] 0:1", [["s", "m", "l"], ["x", "y"]]))
    assert [column.categories for column in read_lightgbm(path).columns] == [("s", "m", "l"), ("x", "y")]


@pytest.mark.parametrize(
    ("places", "infos", "categories"),
    [("", "[0:2] [0:9]", [["s", "m", "l"]]), ("0,1", "0:1:2 0:1", [["x", "y"]]), ("1", "[0:2] 0:1:2:3", [["s", "m"]])],
)
def test_categories_whose_columns_are_not_told_are_refused(tmp_path, places, infos, categories):
    path = tmp_path / "model.txt"
    path.write_text(of_pandas(places, infos, categories))
    with pytest.raises(ModelportError, match="does not tell which ones pandas numbered") as caught:
        read_lightgbm(path)
    assert caught.value.reason is Reason.CONVERSION_FAILED


def table_of(*columns):
    """Return a model of a table that is neither asked nor written."""
    return Table(columns, lambda _: {}, lambda _: {})


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (Column("a", thresholds=(0.1,), is_exact=True), "float64"),
        (Column("a", categories=(1.0, 16777217.0)), "float64"),
        (Column("a", categories=(0.5, 3.0)), "float32"),
        (Column("a", thresholds=(0.1,)), "float32"),
    ],
)
def test_numbers_that_are_others_in_float32_are_asked_in_float64(column, dtype):
    assert [each.dtype for each in find_inputs(table_of(column), [])] == [dtype]
    beside = find_inputs(table_of(column, Column("b", holds_text=True)), [])
    assert [each.dtype for each in beside] == [dtype, "string"]


@pytest.mark.parametrize("names", [("", "b"), ("a" * 129, "b"), ("b", "b")])
def test_a_column_whose_name_no_input_can_have_is_refused(names):
    with pytest.raises(ModelportError, match="expected a name of its own"):
        find_inputs(table_of(*(Column(name, holds_text=True) for name in names)), [])


@pytest.mark.parametrize(
    ("read", "content", "reason", "told"),
    [
        (read_xgboost, b"binf\x00\x01", Reason.CONVERSION_FAILED, "save it as model.json"),
        (read_xgboost, boosted(1, (), "binary:logitraw", (1, 2, 1)), Reason.CONVERSION_FAILED, "XGBoost 1.2.1"),
        (read_xgboost, boosted(0), Reason.CONVERSION_FAILED, "no trees"),
        (read_xgboost, boosted(1, [{"values": [-61], "offsets": [0, 1]}]), Reason.CONVERSION_FAILED, "beyond ASCII"),
        (read_xgboost, b'{"learner": {}}', Reason.SOURCE_CORRUPT, "gradient_booster"),
        (read_xgboost, b"{L\x00\x00\x00\x00\x00\x00\xff\x07learner", Reason.SOURCE_CORRUPT, "bytes at"),
        (read_xgboost, b"{i\x07learner" + b"[" * 100, Reason.SOURCE_CORRUPT, "levels"),
        (read_lightgbm, b"tree\nversion=v4\n", Reason.SOURCE_CORRUPT, "num_tree_per_iteration"),
        (read_lightgbm, b"tree\ntree_sizes=1\n\nTree=0\nnum_leaves=1", Reason.SOURCE_CORRUPT, "no end"),
        (read_lightgbm, b"\xff\xfe", Reason.SOURCE_CORRUPT, "decode"),
    ],
)
def test_damaged_files_are_told(tmp_path, read, content, reason, told):
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(ModelportError, match=told) as caught:
        read(path)
    assert caught.value.reason is reason
