"""XGBoost as genmodel computes it: in float32, tree after tree (biz.k11i.xgboost.Predictor), of levels that are columns."""

from collections.abc import Sequence

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.h2o.learned.boosters import Booster, make_forest, read_booster, used_features
from modelport_converter.frameworks.h2o.learned.model import Learned
from modelport_converter.frameworks.h2o.writing.answers import classify_all, read_classes, regress
from modelport_converter.frameworks.h2o.writing.networks import find_places
from modelport_converter.frameworks.h2o.writing.rows import Rows
from modelport_converter.frameworks.h2o.writing.writer import Write
from modelport_converter.tables.answers import Answers
from modelport_converter.tables.graph import TableGraph
from modelport_converter.tables.trees import write_leaves

NEWEST = 1.1
LOGISTIC, SOFTMAX, EXPONENTIAL = (
    ("binary:logistic", "reg:logistic"),
    ("multi:softprob",),
    (
        "reg:gamma",
        "reg:tweedie",
        "count:poisson",
    ),
)
PLAIN = ("rank:pairwise", "rank:ndcg", "binary:logitraw", "reg:linear", "reg:squarederror")
BASE_LAST = (1, 2)
"""The newest version whose base is added last."""
MAX_CELLS = 1 << 27


class _Features:
    """The columns of XGBoost: one for each level, and the numbers."""

    def __init__(self, model: Learned) -> None:
        categories = model.count("cats", most=model.width)
        numbers = model.count("nums", most=model.width)
        if categories + numbers != model.width:
            raise ValueError(
                f"{categories} columns with levels and {numbers} with numbers where n_features = {model.width}"
            )
        self._offsets = model.offsets("cat_offsets", categories)
        self._is_sparse = model.flag("sparse")
        is_whole = model.flag("use_all_factor_levels")
        self._places = []
        for feature in range(categories):
            domain = model.domain(feature)
            if domain is None:
                raise ValueError(f"no levels of column {feature}")
            bounds = self._offsets[feature], self._offsets[feature + 1]
            self._places.append(find_places(len(domain), *bounds, is_whole=is_whole))
        self.count = self._offsets[-1] + numbers

    def write(self, rows: Rows, features: Sequence[int]) -> str:
        """Return some of the columns, in order, as numbers of float32 in float64 [batch, features]; 0 is missing where it is sparse."""
        graph, parts = rows.graph, list[str]()
        for column, places in enumerate(self._places):
            own = [each for each in features if self._offsets[column] <= each < self._offsets[column + 1]]
            if own and len(own) * len(places) > MAX_CELLS:
                raise ValueError(f"{len(own)} levels of column {column}")
            if own:
                is_hot = places[:, None] == np.array(own)[None]
                parts.append(rows.look_up(column, np.where(is_hot, 1.0, np.nan if self._is_sparse else 0.0)))
        numbers = [each - self._offsets[-1] + len(self._places) for each in features if each >= self._offsets[-1]]
        if numbers:
            values = graph.cast(graph.cast(rows.numbers(numbers), np.float32), np.float64)
            if self._is_sparse:
                values = graph.add("Where", graph.add("Equal", values, 0.0), float("nan"), values)
            parts.append(values)
        return graph.side_by_side(parts)


def open_xgboost(model: Learned) -> Write:
    """Read XGBoost's trees or weights."""
    model.check_version(NEWEST)
    booster, features = read_booster(model), _Features(model)
    _check_objective(model, booster)
    used = used_features(booster) if booster.weights is None else [*range(booster.features)]
    if used and used[-1] >= features.count:
        raise ValueError(f"feature {used[-1]} of {features.count}")
    forest = make_forest(booster, used)
    has_offset = model.flag("has_offset", otherwise=False)
    if has_offset != (model.mojo.offset is not None):
        model.refuse("offset_column, of which its own scorer knows nothing")

    classes, is_of_two = read_classes(model) if model.classes > 1 else None, model.is_of_two

    def write(rows: Rows) -> Answers:
        graph = rows.graph
        start = rows.constant(np.array([_start(booster)], np.float64))
        start = graph.cast(rows.offset() or start if has_offset else start, np.float32)
        if booster.weights is not None:
            margins = _weigh(rows, booster, start, features.write(rows, used) if used else None)
        else:
            leaves = np.array([leaf[0] for leaf in forest.leaves], np.float32)
            found = (
                graph.add("Gather", leaves, write_leaves(graph, _table(rows, features, used), forest))
                if leaves.size
                else None
            )
            margins = graph.side_by_side([_add(graph, booster, start, found, group) for group in range(booster.groups)])
        answer = graph.cast(_link(graph, booster, margins), np.float64)
        if classes is None:
            return regress(answer)
        if is_of_two:
            first = graph.cast(graph.add("Sub", np.ones((), np.float32), graph.cast(answer, np.float32)), np.float64)
            answer = graph.side_by_side([first, answer])
        return classify_all(rows, classes._replace(ratios=None), answer)

    return write


def _check_objective(model: Learned, booster: Booster) -> None:
    if booster.objective not in (*LOGISTIC, *SOFTMAX, *EXPONENTIAL, *PLAIN):
        model.refuse(f"objective {booster.objective:.40}")
    groups = 1 if model.is_of_two else model.classes
    if booster.groups != groups or (booster.objective in SOFTMAX) != (groups > 1):
        raise ValueError(f"{booster.objective:.40} with {booster.groups} sums where n_classes = {model.classes}")


def _table(rows: Rows, features: _Features, used: list[int]) -> str:
    """Return the columns that trees compare; of trees that are leaves alone any one."""
    return features.write(rows, used) if used else rows.constant(np.zeros(1))


def _start(booster: Booster) -> np.float32:
    """Return what sums begin with (ObjFunction.probToMargin)."""
    if booster.version[0] < 1 or booster.objective not in (*LOGISTIC, *EXPONENTIAL):
        return booster.base
    with np.errstate(all="ignore"):
        if booster.objective in EXPONENTIAL:
            return np.float32(np.log(np.float64(booster.base)))
        return np.float32(-np.log(np.float64(np.float32(1) / booster.base - np.float32(1))))


def _add(graph: TableGraph, booster: Booster, start: str, leaves: str | None, group: int) -> str:
    """Return the sum of a group, float32 [batch, 1], rounded after each tree."""
    own = [number for number, each in enumerate(booster.tree_groups) if each == group]
    if leaves is None or not own:
        return start
    values = graph.columns(leaves, own)
    if booster.version <= BASE_LAST:
        return graph.add("Add", _last_sum(graph, values, len(own)), start)
    return _last_sum(graph, graph.side_by_side([start, values]), len(own) + 1)


def _last_sum(graph: TableGraph, values: str, count: int) -> str:
    return graph.columns(graph.add("CumSum", values, np.array(1)), [count - 1])


def _weigh(rows: Rows, booster: Booster, start: str, table: str | None) -> str:
    graph, groups = rows.graph, list[str]()
    assert booster.weights is not None
    for group in range(booster.groups):
        bias: Array = booster.weights[-1:, group]
        is_last = booster.version <= BASE_LAST
        parts = [graph.cast(rows.constant(bias.astype(np.float64)), np.float32)]
        if not is_last:
            parts = [graph.add("Add", parts[0], start)]
        if table is not None:
            products = graph.add("Mul", graph.cast(table, np.float32), booster.weights[None, :-1, group])
            parts.append(graph.add("Where", graph.add("IsNaN", table), np.zeros((), np.float32), products))
        total = _last_sum(graph, graph.side_by_side(parts), len(booster.weights))
        groups.append(graph.add("Add", total, start) if is_last else total)
    return graph.side_by_side(groups)


def _link(graph: TableGraph, booster: Booster, margins: str) -> str:
    """Return the answers, float32 [batch, groups], with exp in float64."""
    one = np.ones((), np.float32)
    if booster.objective in LOGISTIC:
        return graph.add("Div", one, graph.add("Add", one, _exp(graph, graph.add("Neg", margins))))
    if booster.objective in EXPONENTIAL:
        return _exp(graph, margins)
    if booster.objective in PLAIN:
        return margins
    parts = [graph.columns(margins, [group]) for group in range(booster.groups)]
    raised = _exp(graph, graph.add("Sub", margins, graph.add("Max", *parts)))
    total = graph.cast(graph.sum_of(graph.cast(raised, np.float64), 1, keepdims=True), np.float32)
    return graph.add("Div", raised, total)


def _exp(graph: TableGraph, value: str) -> str:
    return graph.cast(graph.add("Exp", graph.cast(value, np.float64)), np.float32)
