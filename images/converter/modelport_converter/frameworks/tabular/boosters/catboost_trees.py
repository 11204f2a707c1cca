"""CatBoost's models: loaded by the library, which writes them as JSON, and read from there.

What trees compare: libs/model/model_export/json_model_helpers.cpp and libs/model/cpu/evaluator_impl.cpp of CatBoost 1.2.
"""

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from catboost import CatBoost, CatBoostClassifier, CatBoostError, CatBoostRegressor, Pool

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.arrays import Array, Tensors
from modelport_converter.frameworks.tabular.boosters.model import check, reading, refuse
from modelport_converter.tables.answers import (
    LABEL,
    PREDICTION,
    PROBABILITIES,
    Answers,
    both,
    most_likely,
    second_where,
)
from modelport_converter.tables.forest import Forest, Reading
from modelport_converter.tables.frames import Block, Column, Frame, find_in
from modelport_converter.tables.table import Rows, Table
from modelport_converter.tables.trees import write_sums
from modelport_converter.tasks import last_line

FLOAT, ONE_HOT = "FloatFeature", "OneHotFeature"
EXPONENT = ("Poisson", "Tweedie")
UNCERTAIN = "RMSEWithUncertainty"
APART = "MultiClassOneVsAll"
MULTILABEL = ("MultiLogloss", "MultiCrossEntropy")
MAX_DEPTH = 16
Vocabulary = Mapping[str, Sequence[str]]
"""Texts that were seen, by column."""


def open_catboost(path: Path, seen: Vocabulary) -> Table:
    """Return the model of a .cbm file; `seen` are the texts of the samples. Raises ModelportError."""
    try:
        model: Any = CatBoost().load_model(str(path))
        kind = CatBoostClassifier if len(model.classes_) else CatBoostRegressor
        model = kind().load_model(str(path))
    except Exception as error:  # whatever the library raises
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a model of CatBoost (.cbm), found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    return open_model(model, seen)


def open_model(model: Any, seen: Vocabulary) -> Table:
    """Return the model of an object of CatBoost's. Raises ModelportError."""
    columns = describe(model)

    def ask(rows: Rows) -> Tensors:
        table = pd.DataFrame({column.name: values for column, values in zip(columns, rows.columns, strict=True)})
        if not isinstance(model, CatBoostClassifier):
            return {PREDICTION: np.asarray(model.predict(table))}
        labels = np.asarray(model.predict(table))
        labels = labels.reshape(len(labels)) if labels.size == len(labels) else labels
        return {LABEL: labels, PROBABILITIES: model.predict_proba(table)}

    return Table(columns, ask, lambda frame: write(model, frame, seen))


def describe(model: Any) -> list[Column]:
    """Return the columns: categories are texts, of which the file has nothing but hashes."""
    with reading(type(model).__name__, "features as CatBoost exports them"):
        texts = set(model.get_cat_feature_indices())
        if model.get_text_feature_indices() or model.get_embedding_feature_indices():
            raise refuse("text_features and embedding_features are not converted", "train without them")
        thresholds: dict[int, tuple[float, ...]] = {}
        for each in _exported(model, None)["features_info"].get("float_features", []):
            thresholds[each["flat_feature_index"]] = tuple(map(float, each.get("borders") or ()))
        return [
            Column(
                str(name),
                holds_text=number in texts,
                thresholds=thresholds.get(number, ()),
                is_missing_known=number not in texts,
            )
            for number, name in enumerate(model.feature_names_)
        ]


def _exported(model: Any, pool: Any) -> dict[str, Any]:
    """Return the model as CatBoost writes it in JSON. Raises ValueError, msgspec.MsgspecError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        try:
            model.save_model(str(path), format="json", pool=pool)
        except CatBoostError as error:  # such as numbers that JSON has no word for
            raise ValueError(last_line(error)) from error
        found: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict)
        return found


def write(model: Any, frame: Frame, seen: Vocabulary) -> Answers:
    """Write the trees and what is done with their sums. Raises ModelportError (ConversionFailed)."""
    with reading(type(model).__name__, "trees as CatBoost exports them"):
        names = [str(name) for name in model.feature_names_]
        places = sorted(model.get_cat_feature_indices())
        exported = _exported(model, _pool(names, places, seen) if places else None)
        vocabulary = [sorted(set(seen.get(names[place], ()))) for place in places]
        scale, bias = exported["scale_and_bias"]
        raw = _write_trees(exported, frame, places, vocabulary, np.asarray(bias, np.float64), float(scale))
    graph, loss = frame.graph, _loss(exported)
    if isinstance(model, CatBoostRegressor) and loss in EXPONENT:
        return {PREDICTION: graph.add("Exp", raw)}
    if isinstance(model, CatBoostRegressor) and loss == UNCERTAIN:  # the logarithm of a deviation becomes a variance
        variance = graph.add("Exp", graph.add("Mul", graph.columns(raw, [1]), 2.0))
        return {PREDICTION: graph.side_by_side([graph.columns(raw, [0]), variance])}
    if not isinstance(model, CatBoostClassifier):
        return {PREDICTION: raw}
    if loss in MULTILABEL:
        return {LABEL: graph.cast(graph.add("Greater", raw, 0.0), np.int64), PROBABILITIES: graph.sigmoid(raw)}
    classes = np.asarray(model.classes_)
    if len(bias) == 1:
        label = second_where(graph, classes, graph.add("Greater", raw, _limit(model)))
        return {LABEL: label, PROBABILITIES: both(graph, graph.sigmoid(raw))}
    shares = graph.sigmoid(raw) if loss == APART else graph.add("Softmax", raw, axis=1)
    return {LABEL: most_likely(graph, classes, raw), PROBABILITIES: shares}


def _limit(model: Any) -> float:
    """Return the margin from which on it is the second of two classes; `set_probability_threshold` moves it from 0."""
    share = float(model.get_probability_threshold())
    return math.log(share / (1 - share)) if 0 < share < 1 else math.copysign(math.inf, share - 0.5)


def _loss(exported: Mapping[str, Any]) -> str:
    return str(exported["model_info"].get("params", {}).get("loss_function", {}).get("type", ""))


def _pool(names: Sequence[str], places: Sequence[int], seen: Vocabulary) -> Pool:
    """Return a table with all texts that were seen, whose hashes the export then has."""
    length = max([1, *(len(seen.get(names[place], ())) for place in places)])
    table = {name: np.zeros(length) for name in names}
    for place in places:
        table[names[place]] = np.resize(np.array(sorted(set(seen.get(names[place], ("",)))), object), length)
    return Pool(pd.DataFrame(table), cat_features=[names[place] for place in places])


def _write_trees(  # noqa: PLR0917  # all that a tree is read by
    exported: Mapping[str, Any],
    frame: Frame,
    places: Sequence[int],
    vocabulary: Sequence[Sequence[str]],
    bias: Array,
    scale: float,
) -> str:
    graph, hashes = frame.graph, dict[str, int]()
    info = exported["features_info"]
    for each in info.get("cat_features_hash", ()):
        hashes[str(each["value"])] = _signed(int(each["hash"]))
    columns = [each["flat_feature_index"] for each in info.get("float_features", ())]
    as_true = [each.get("nan_value_treatment") == "AsTrue" for each in info.get("float_features", ())]
    reader = _Reader(frame.width, columns, as_true, places, vocabulary, hashes)
    for each in exported.get("oblivious_trees", ()):
        reader.add_oblivious(each, len(bias))
    for each in exported.get("trees", ()):
        reader.forest.begin()
        reader.add_node(each, len(bias), None, 0)
    if not reader.forest.roots:
        raise ValueError("no trees")
    blocks = []
    for number in range(frame.width):
        block = frame.column(number)
        if number in places:
            known = vocabulary[places.index(number)]
            blocks.append(Block(graph.cast(find_in(graph, block, known or [""]), np.float64), 1))
        else:
            blocks.append(Block(graph.cast(graph.cast(block.value, np.float32), np.float64), 1))
    sums = write_sums(graph, graph.side_by_side([block.value for block in blocks]), reader.forest, len(bias))
    return graph.add("Add", graph.add("Mul", sums, scale), bias[None])


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


class _Reader:
    """Reads trees into a forest: true is what a split does not pass."""

    def __init__(  # noqa: PLR0917  # all that a tree is read by
        self,
        width: int,
        columns: Sequence[int],
        as_true: Sequence[bool],
        places: Sequence[int],
        vocabulary: Sequence[Sequence[str]],
        hashes: Mapping[str, int],
    ) -> None:
        self.forest = Forest(width=width)
        self._columns, self._as_true, self._places = columns, as_true, places
        self._vocabulary, self._hashes = vocabulary, hashes

    def add_oblivious(self, tree: Mapping[str, Any], dimension: int) -> None:
        """Add a tree whose level i asks one question, the bit i of a leaf's number."""
        splits, values = tree.get("splits") or [], np.asarray(tree["leaf_values"], np.float64)
        check(
            len(splits) <= MAX_DEPTH and values.size == dimension << len(splits),
            f"{values.size} values of {len(splits)} levels",
        )
        rows = values.reshape(-1, dimension)
        self.forest.begin()

        def grow(level: int, number: int) -> tuple[int, bool]:
            if level < 0:
                return self.forest.add_leaf(rows[number]), True
            own, true_bit = self._split(splits[level])
            for side in (0, 1):
                bit = true_bit if side == 0 else 1 - true_bit
                child, is_leaf = grow(level - 1, number | bit << level)
                self.forest.connect(own, side, child, is_leaf=is_leaf)
            return own, False

        if splits:
            grow(len(splits) - 1, 0)
        else:
            self.forest.add_stump(rows[0])

    def add_node(self, node: Mapping[str, Any], dimension: int, parent: int | None, side: int) -> None:
        """Add a tree of nodes with sides of their own."""
        pending: list[tuple[Mapping[str, Any], int | None, int]] = [(node, parent, side)]
        while pending:
            node, parent, side = pending.pop()
            is_leaf = "value" in node
            if is_leaf:
                values = np.atleast_1d(np.asarray(node["value"], np.float64))
                check(values.size == dimension, f"{values.size} values of a leaf")
                if parent is None:
                    self.forest.add_stump(values)
                    return
                own = self.forest.add_leaf(values)
            else:
                own, true_bit = self._split(node["split"])
                sides = (node["left"], node["right"])
                pending += [(sides[1 - true_bit], own, 1), (sides[true_bit], own, 0)]
            if parent is not None:
                self.forest.connect(parent, side, own, is_leaf=is_leaf)

    def _split(self, split: Mapping[str, Any]) -> tuple[int, int]:
        """Return a node, and the bit of its true side."""
        kind = split["split_type"]
        if kind == FLOAT:
            index = int(split["float_feature_index"])
            return self.forest.add_split(
                self._columns[index], float(split["border"]), missing_true=not self._as_true[index]
            ), 0
        if kind != ONE_HOT:
            raise refuse(
                f"splits by {kind!s:.50}: statistics of categories are not converted",
                "train with a one_hot_max_size above the number of categories",
            )
        place = int(split["cat_feature_index"])
        known = self._vocabulary[place]
        members = frozenset(code for code, text in enumerate(known) if self._hashes.get(text) == int(split["value"]))
        if not members:
            raise refuse(
                f"column {self._places[place]}: a category that trees ask for is not among the samples' {len(known)}; the file has its hash alone",
                "give samples with all categories under spec.verification.data",
            )
        column = self.forest.column_of(Reading(self._places[place], members))
        return self.forest.add_split(column, 0.5, missing_true=False), 1
