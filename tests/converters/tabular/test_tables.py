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

HERE = Path(__file__).parent
REFUSED = {"sklearn-chosen-words": "TfidfVectorizer", "lightgbm-linear-leaves": "linear_tree"}


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
    ("name", "reason", "told"),
    [
        ("sklearn-unkeyed", "WeightsMismatch", "checkpoint.key"),
        ("sklearn-older", "ConversionFailed", "RandomForestClassifier: scikit-learn 1.3 wrote it"),
        ("sklearn-older-packed", "ConversionFailed", "RandomForestClassifier: scikit-learn 1.3 wrote it"),
        ("sklearn-unfitted", "SourceCorrupt", "expected a fitted estimator"),
        ("skops-foreign", "UntrustedSource", "Foreign"),
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
