"""MOJOs as ONNX answer as genmodel: trained ones by the gate, trees and ties that are written here by what the format says."""

import struct
from contextlib import suppress

import numpy as np
import onnxruntime
import pytest

from converters.h2o.onnx_models import COLUMNS, LEVELS, TOWN, gbm, glm, packed, random_tree, walk
from matrix.sources import MAKERS_BY_FRAMEWORK, make
from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.h2o.inputs import find_inputs
from modelport_converter.frameworks.h2o.to_onnx import open_model
from modelport_converter.frameworks.h2o.writing.rows import make_rows
from modelport_converter.onnx_graphs.writing import value_info
from modelport_converter.tables.graph import TableGraph

CELLS = (
    *("gbm-multinomial", "drf-binomial", "xgboost-multinomial", "glm-binomial", "deeplearning-multinomial"),
    *("gbm-offset", "isolation-forest", "kmeans"),
)
"""The matrix has all of them."""
THRESHOLDS = np.array([-1.5, 0.1, 3.0, 1e6], np.float32)


@pytest.fixture(scope="module")
def trained():
    """Return the folders of the cells, which one server of H2O's makes."""
    return make(MAKERS_BY_FRAMEWORK["h2o"], [f"{cell}/mojo" for cell in CELLS])


@pytest.mark.converters
@pytest.mark.packages
@pytest.mark.timeout(1800)  # the first one trains all
@pytest.mark.parametrize("cell", CELLS)
def test_a_trained_model_is_verified_as_onnx(run, trained, cell):
    (source,) = (trained[f"{cell}/mojo"] / "source").iterdir()
    spec = {"source": {"uri": f"s3://models/{source.name}"}, "target": {"format": "onnx"}}
    manifest = {
        "apiVersion": "modelport.dev/v1alpha1",
        "kind": "ModelConversion",
        "metadata": {"name": "cell"},
        "spec": spec,
    }
    status = run(manifest, source)
    assert status.get("failure") is None
    assert status["artifact"]["format"] == "onnx"


# --- files that are written here --------------------------------------------------------------------------------------


def answers(folder, content, asked):
    """Return what a MOJO answers as ONNX, by the names of answers."""
    path = folder / "model.zip"
    path.write_bytes(content)
    opened = open_model(path)
    inputs = find_inputs([slot.column for slot in opened.slots], [])
    graph = TableGraph([each.name for each in inputs])
    found = opened.write(make_rows(graph, inputs, opened.slots, opened.width))
    outputs = []
    for name, value in found.items():
        is_text = name == "label"
        graph.add("Identity", value, out=f"out.{name}")
        outputs.append(
            value_info(f"out.{name}", "string" if is_text else "float64", ["batch"] if is_text else ["batch", "n"])
        )
    model = graph.finish("m", [value_info(each.name, each.dtype, each.shape) for each in inputs], outputs)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(found, session.run(None, asked), strict=True))


def question(random, rows):
    """Return rows at thresholds, beside them, missing, huge, and with levels that nobody knows."""
    beside = [THRESHOLDS, *(np.nextafter(THRESHOLDS, np.float32(side)) for side in (-np.inf, np.inf))]
    numbers = np.concatenate([*beside, np.array([np.nan, 0, -0.0, 3e38, -3e38], np.float32)])
    texts = np.array([*LEVELS, "", "elsewhere"], object)
    asked = {name: random.choice(numbers, (rows, 1)).astype(np.float32) for name in COLUMNS[:TOWN]}
    asked["town"] = random.choice(texts, (rows, 1))
    codes = [float(LEVELS.index(text)) if text in LEVELS else np.nan for text in asked["town"][:, 0]]
    return asked, np.stack([*(asked[name][:, 0].astype(np.float64) for name in COLUMNS[:TOWN]), codes], axis=1)


@pytest.mark.parametrize("version", ["1.00", "1.10", "1.20", "1.40"])
@pytest.mark.parametrize("seed", range(4))
def test_trees_go_where_genmodel_goes_at_thresholds_and_beside_sets(tmp_path, seed, version):
    random = np.random.default_rng(seed)
    trees = [[random_tree(random, 6, THRESHOLDS)] for _ in range(8)]
    asked, rows = question(random, 400)
    right = [sum(walk(tree, row, float(version)) for (tree,) in trees) + 0.25 for row in rows]
    found = answers(tmp_path, gbm(trees, {"mojo_version": version}), asked)
    np.testing.assert_array_equal(found["prediction"][:, 0], right)


def test_two_classes_of_a_multinomial_model_share_one_tree(tmp_path):
    random = np.random.default_rng(5)
    trees = [[random_tree(random, 4, THRESHOLDS)] for _ in range(4)]
    asked, rows = question(random, 200)
    told = {
        "distribution": "multinomial",
        "category": "Binomial",
        "n_classes": "2",
        "prior_class_distrib": "[0.5, 0.5]",
    }
    found = answers(tmp_path, gbm(trees, told), asked)
    sums = np.array([sum(walk(tree, row) for (tree,) in trees) + 0.25 for row in rows])
    np.testing.assert_allclose(found["probabilities"][:, 0], 1 / (1 + np.exp(-2 * sums)), rtol=1e-12)
    assert found["label"].tolist() == [str(int(each <= 0)) for each in sums]


def test_linear_sums_far_below_0_are_no_probabilities_and_the_first_class_as_the_scorer_says(tmp_path):
    asked = {"town": np.array([["red"], ["red"]], object), "age": np.array([[0], [1e6]], np.float32)}
    asked["income"] = np.zeros((2, 1), np.float32)
    told = {"family": "multinomial", "category": "Multinomial", "n_classes": "2", "prior_class_distrib": "[0.5, 0.5]"}
    told |= {
        "beta": "[0.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0]",
        "default_threshold": "0.5",
        "balance_classes": "false",
    }
    found = answers(tmp_path, glm(told), asked)
    np.testing.assert_allclose(found["probabilities"], [[1 / (1 + np.e), np.e / (1 + np.e)], [np.nan, np.nan]])
    assert found["label"].tolist() == ["1", "0"]


class Java:
    """java.util.Random, as its documentation defines it."""

    def __init__(self, seed):
        self._state = (seed ^ 0x5DEECE66D) & (1 << 48) - 1

    def _next(self, bits):
        self._state = (self._state * 0x5DEECE66D + 0xB) & (1 << 48) - 1
        return self._state >> (48 - bits)

    def next_double(self):
        """Return a number from 0 to 1."""
        return ((self._next(26) << 27) + self._next(27)) * 2.0**-53


def chosen(numbers, row, priors):
    """Return the class that GenModel.getPredictionMultinomial chooses."""
    best, ties, count = 0, [0], 0
    for place in range(1, len(numbers)):
        if numbers[best] < numbers[place]:
            best, count = place, 0
        elif numbers[best] == numbers[place]:
            count += 1
            ties.append(place)
    if not count:
        return best
    state = 0
    for number in row:
        state ^= struct.unpack("<q", struct.pack("<d", number))[0] >> 6
    drawn = Java(state).next_double()
    parts = np.cumsum(np.array([priors[place] for place in ties]) / sum(priors[place] for place in ties))
    return next(place for place, part in zip(ties, parts, strict=True) if drawn <= part)


@pytest.mark.parametrize("seed", range(3))
def test_equal_classes_are_drawn_among_as_java_draws(tmp_path, seed):
    random = np.random.default_rng(seed)
    shared = [random_tree(random, 2, THRESHOLDS) for _ in range(2)]
    trees = [[shared[0], shared[1], 0.5, shared[0], shared[1]]]  # of five classes, with many ties
    priors = [0.1, 0.3, 0.2, 0.15, 0.25]
    asked, rows = question(random, 600)
    found = answers(tmp_path, gbm(trees, {"prior_class_distrib": str(priors)}), asked)
    sums = [[walk(tree, row) for tree in trees[0]] for row in rows]
    right = [f"class {chosen(numbers, row, priors)}" for numbers, row in zip(sums, rows, strict=True)]
    assert sum(numbers.count(max(numbers)) > 1 for numbers in sums) > 100
    assert found["label"].tolist() == right


def test_models_without_trees_answer_with_what_they_begin_with(tmp_path):
    asked, _ = question(np.random.default_rng(1), 5)
    assert answers(tmp_path, gbm([[2.0]], {"n_trees": "0"}), asked)["prediction"].tolist() == [[0.25]] * 5


@pytest.mark.parametrize(("is_filled", "unknown"), [("true", 0.5), ("false", np.nan)])
def test_a_linear_model_of_old_fills_in_what_is_missing_unless_training_skipped_it(tmp_path, is_filled, unknown):
    towns = np.array([["red"], ["blue"], ["green"], [""], ["elsewhere"], ["blue"]], object)
    ages = np.array([[1], [2], [3], [4], [5], [np.nan]], np.float32)
    asked = {"town": towns, "age": ages, "income": np.ones((6, 1), np.float32)}
    found = answers(tmp_path, glm({"mean_imputation": is_filled}), asked)["prediction"]
    levels = np.array([[0], [0.5], [-1.5], [unknown], [unknown], [0.5]])
    filled = np.where(np.isnan(ages), 40.0 if is_filled == "true" else np.nan, ages)
    np.testing.assert_allclose(found, levels + 0.25 * filled + 3.0 + 10.0)


def test_a_level_is_found_by_the_name_of_its_column_too(tmp_path):
    path = tmp_path / "model.zip"
    path.write_bytes(gbm([[0.0]], levels=("town.red", *LEVELS[1:])))
    (slot,) = (slot for slot in open_model(path).slots if slot.column.name == "town")
    assert slot.places["red"] == slot.places["town.red"] == 0


@pytest.mark.parametrize(
    ("changes", "reason", "told"),
    [
        ({"algo": "coxph"}, Reason.CONVERSION_FAILED, "h2o-mojo"),
        ({"distribution": "custom"}, Reason.CONVERSION_FAILED, "distribution custom"),
        ({"link_function": "oprobit"}, Reason.CONVERSION_FAILED, "oprobit"),
        ({"mojo_version": "1.50"}, Reason.CONVERSION_FAILED, "mojo_version"),
        ({"_genmodel_encoding": "Eigen"}, Reason.CONVERSION_FAILED, "Eigen"),
        ({"endianness": "BIG_ENDIAN"}, Reason.CONVERSION_FAILED, "BIG_ENDIAN"),
        ({"init_f": "much"}, Reason.SOURCE_CORRUPT, "init_f"),
        ({"init_f": None}, Reason.SOURCE_CORRUPT, "init_f"),
        ({"n_classes": "3"}, Reason.SOURCE_CORRUPT, "classes"),
    ],
)
def test_what_is_not_written_is_refused_by_name(tmp_path, changes, reason, told):
    path = tmp_path / "model.zip"
    path.write_bytes(gbm([[1.0]], changes))
    with pytest.raises(ModelportError, match=told) as caught:
        open_model(path)
    assert caught.value.reason == reason


@pytest.mark.parametrize("seed", range(40))
def test_damaged_trees_are_read_or_refused(tmp_path, seed):
    random = np.random.default_rng(seed)
    content = bytearray(packed(random_tree(random, 5, THRESHOLDS)))
    for _ in range(3):
        content[random.integers(0, min(len(content), 60))] ^= 1 << int(random.integers(0, 8))
    path = tmp_path / "model.zip"
    path.write_bytes(gbm([[bytes(content)]]))
    with suppress(ModelportError):  # a number may be another one
        open_model(path)


def test_trees_that_end_early_or_late_are_refused(tmp_path):
    content = packed(random_tree(np.random.default_rng(0), 5, THRESHOLDS))
    for damaged in (*(content[:end] for end in range(len(content))), content + b"x"):
        (tmp_path / "model.zip").write_bytes(gbm([[damaged]]))
        with pytest.raises(ModelportError) as caught:
            open_model(tmp_path / "model.zip")
        assert caught.value.reason == Reason.SOURCE_CORRUPT
