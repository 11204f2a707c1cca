"""Trees of scikit-learn and what adds them up. Trees compare numbers rounded to float32 with thresholds of float64."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import dummy, ensemble, tree

from modelport.verification.arrays import Array
from modelport_converter.frameworks.tabular.writer import Writer, refuse
from modelport_converter.tables.answers import (
    LABEL,
    PREDICTION,
    PROBABILITIES,
    SCORES,
    Answers,
    both,
    most_likely,
    second_where,
)
from modelport_converter.tables.forest import Forest, Reading
from modelport_converter.tables.frames import Frame
from modelport_converter.tables.trees import exact_in_float32, write_sums

LEAF = -1


def add_tree(forest: Forest, grown: Any, values: Array, columns: Sequence[int] | None = None) -> None:
    """Add a `tree_`, whose nodes have these values; `columns` are its own among the table's."""
    lefts, rights = grown.children_left.tolist(), grown.children_right.tolist()
    features, thresholds = grown.feature.tolist(), grown.threshold.tolist()
    missing = getattr(grown, "missing_go_to_left", np.zeros(len(lefts), bool)).tolist()
    if lefts[0] == LEAF:
        forest.add_stump(values[0])
        return
    own: list[tuple[int, bool]] = []
    for node, left in enumerate(lefts):
        if left == LEAF:
            own.append((forest.add_leaf(values[node]), True))
        else:
            column = features[node] if columns is None else int(columns[features[node]])
            own.append((forest.add_split(column, thresholds[node], missing_true=bool(missing[node])), False))
    for node, left in enumerate(lefts):
        if left != LEAF:
            for side, child in enumerate((left, rights[node])):
                forest.connect(own[node][0], side, own[child][0], is_leaf=own[child][1])


def forest_of(estimators: Sequence[Any], width: int) -> Forest:
    """Return trees whose values are added: of classes, shares; of several answers, one after the other."""
    forest = Forest(width=width)
    for estimator in estimators:
        forest.begin()
        grown = estimator.tree_
        values = grown.value[:, 0, :] if hasattr(estimator, "classes_") else grown.value[:, :, 0]
        add_tree(forest, grown, values.astype(np.float64))
    exact_in_float32(forest)
    return forest


def trees_of(estimator: Any) -> Forest | None:
    """Return the trees that an estimator compares its table's numbers by, for their thresholds; none: None."""
    kind = type(estimator)
    if kind in TREES:
        return forest_of([estimator], estimator.n_features_in_)
    if kind in FORESTS:
        return forest_of(estimator.estimators_, estimator.n_features_in_)
    if kind in BOOSTED:
        return forest_of(list(estimator.estimators_.flat), estimator.n_features_in_)
    if kind in HISTOGRAMS and getattr(estimator, "_preprocessor", None) is None:
        return histogram_forest(estimator, estimator.n_features_in_)
    return None


def _rounded(frame: Frame) -> str:
    graph = frame.graph
    return graph.cast(graph.cast(frame.numbers(), np.float32), np.float64)


def _grow(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    grown = getattr(estimator, "estimators_", [estimator])
    if estimator.n_outputs_ > 1 and hasattr(estimator, "classes_"):
        raise refuse(estimator, "several labels a row are not converted", "train a classifier for each")
    graph = frame.graph
    sums = write_sums(graph, _rounded(frame), forest_of(grown, frame.width), estimator.n_outputs_)
    sums = graph.add("Div", sums, float(len(grown)))  # as there, behind the sum: so many votes are equal to so many
    if not hasattr(estimator, "classes_"):
        return {PREDICTION: sums}
    return {LABEL: most_likely(graph, estimator.classes_, sums), PROBABILITIES: sums}


def _boost(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, grown = frame.graph, estimator.estimators_
    count = grown.shape[1]
    if not (isinstance(estimator.init_, str) or type(estimator.init_) in (dummy.DummyClassifier, dummy.DummyRegressor)):
        raise refuse(
            estimator, f"init={type(estimator.init_).__name__} is not converted", "use the default init, or 'zero'"
        )
    begin = estimator._raw_predict_init(np.zeros((1, frame.width), np.float32))  # noqa: SLF001  # constants alone
    forest = Forest(width=frame.width)
    for number, each in enumerate(grown.flat):
        forest.begin(number % count)
        add_tree(forest, each.tree_, each.tree_.value[:, 0, 0] * estimator.learning_rate)
    exact_in_float32(forest)
    raw = graph.add(
        "Add", write_sums(graph, _rounded(frame), forest, count), np.asarray(begin, np.float64).reshape(1, count)
    )
    if not hasattr(estimator, "classes_"):
        return {PREDICTION: raw}
    if count > 1:
        shares = graph.add("Softmax", raw, axis=1)
        return {LABEL: most_likely(graph, estimator.classes_, raw), PROBABILITIES: shares, SCORES: raw}
    second = graph.sigmoid(graph.add("Mul", raw, 2.0 if estimator.loss == "exponential" else 1.0))
    label = second_where(graph, estimator.classes_, graph.add("GreaterOrEqual", raw, 0.0))
    return {LABEL: label, PROBABILITIES: both(graph, second), SCORES: raw}


def histogram_forest(estimator: Any, width: int) -> Forest:
    """Return the trees of a histogram gradient booster (_predictor.pyx), which compare float64."""
    forest = Forest(width=width)
    for stage in estimator._predictors:  # noqa: SLF001  # the only place of its trees
        for target, predictor in enumerate(stage):
            forest.begin(target)
            _add_histogram_tree(forest, predictor)
    return forest


def _add_histogram_tree(forest: Forest, predictor: Any) -> None:
    nodes, sets = predictor.nodes, predictor.raw_left_cat_bitsets
    if nodes["is_leaf"][0]:
        forest.add_stump(float(nodes["value"][0]))
        return
    own = []
    for node in nodes:
        if node["is_leaf"]:
            own.append(forest.add_leaf(float(node["value"])))
            continue
        column, threshold = int(node["feature_idx"]), float(node["num_threshold"])
        if node["is_categorical"]:
            bits = np.unpackbits(sets[node["bitset_idx"]].astype("<u4").view(np.uint8), bitorder="little")
            members = frozenset(np.flatnonzero(bits).tolist())
            column, threshold = (forest.column_of(Reading(column, members)), 0.5) if members else (column, -np.inf)
        own.append(forest.add_split(column, threshold, missing_true=bool(node["missing_go_to_left"])))
    for place, node in enumerate(nodes):
        if not node["is_leaf"]:
            for side, child in enumerate((int(node["left"]), int(node["right"]))):
                forest.connect(own[place], side, own[child], is_leaf=bool(nodes["is_leaf"][child]))


def _boost_histograms(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph = frame.graph
    if getattr(estimator, "_preprocessor", None) is not None:
        frame = writer.transform(estimator._preprocessor, frame)  # noqa: SLF001  # numbers the categories
    forest = histogram_forest(estimator, frame.width)
    begin = np.atleast_2d(np.asarray(estimator._baseline_prediction, np.float64))  # noqa: SLF001
    raw = graph.add("Add", write_sums(graph, frame.numbers(), forest, begin.size), begin.reshape(1, -1))
    if not hasattr(estimator, "classes_"):
        link = type(estimator._loss.link).__name__  # noqa: SLF001
        if link not in ("IdentityLink", "LogLink"):
            raise refuse(estimator, f"the link {link} is not converted", "use another loss")
        return {PREDICTION: graph.add("Exp", raw) if link == "LogLink" else raw}
    if begin.size > 1:
        shares = graph.add("Softmax", raw, axis=1)
        return {LABEL: most_likely(graph, estimator.classes_, raw), PROBABILITIES: shares, SCORES: raw}
    label = second_where(graph, estimator.classes_, graph.add("Greater", raw, 0.0))
    return {LABEL: label, PROBABILITIES: both(graph, graph.sigmoid(raw)), SCORES: raw}


def _isolate(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    """Write depths of leaves: sklearn/ensemble/_iforest.py."""
    graph, forest = frame.graph, Forest(width=frame.width)
    for number, each in enumerate(estimator.estimators_):
        forest.begin()
        depths = (
            estimator._decision_path_lengths[number]  # noqa: SLF001
            + estimator._average_path_length_per_tree[number]  # noqa: SLF001
            - 1.0
        )
        add_tree(forest, each.tree_, depths, estimator.estimators_features_[number])
    exact_in_float32(forest)
    depth = write_sums(graph, _rounded(frame), forest, 1)
    size = len(estimator.estimators_) * _average_path(int(estimator.max_samples_))
    share = graph.add("Div", depth, size) if size else graph.add("Add", graph.add("Mul", depth, 0.0), 1.0)
    scores = graph.add(
        "Sub", graph.add("Neg", graph.add("Pow", 2.0, graph.add("Neg", share))), float(estimator.offset_)
    )
    label = graph.add("Where", graph.add("Less", scores, 0.0), np.array(-1, np.int64), np.array(1, np.int64))
    return {LABEL: label, SCORES: scores}


def _average_path(count: int) -> float:
    """Return the mean depth of a search that fails in a tree of so many leaves: `_average_path_length`."""
    if count <= 2:  # noqa: PLR2004
        return float(max(0, count - 1))
    return float(2.0 * (np.log(count - 1.0) + np.euler_gamma) - 2.0 * (count - 1.0) / count)


def _adapt(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    """Write AdaBoost's SAMME: the weights of the estimators that say a class, minus those of the others."""
    graph, count = frame.graph, len(estimator.classes_)
    total: str | None = None
    for weight, each in zip(estimator.estimator_weights_, estimator.estimators_, strict=False):
        place = graph.add("ArgMax", writer.predict(each, frame)[PROBABILITIES], axis=1, keepdims=0)
        told = np.full((count, count), -weight / (count - 1))
        np.fill_diagonal(told, weight)
        own = graph.add("Gather", told, place, axis=0)
        total = own if total is None else graph.add("Add", total, own)
    assert total is not None
    decision = graph.add("Div", total, float(estimator.estimator_weights_.sum()))
    if count > 2:  # noqa: PLR2004
        shares = graph.add("Softmax", graph.add("Div", decision, float(count - 1)), axis=1)
        return {LABEL: most_likely(graph, estimator.classes_, decision), PROBABILITIES: shares}
    score = graph.sum_of(graph.add("Mul", decision, np.array([[-1.0, 1.0]])), 1, keepdims=True)
    label = second_where(graph, estimator.classes_, graph.add("Greater", score, 0.0))
    return {LABEL: label, PROBABILITIES: both(graph, graph.sigmoid(score))}


TREES = (tree.DecisionTreeClassifier, tree.DecisionTreeRegressor, tree.ExtraTreeClassifier, tree.ExtraTreeRegressor)
FORESTS = (
    ensemble.RandomForestClassifier, ensemble.RandomForestRegressor, ensemble.ExtraTreesClassifier,
    ensemble.ExtraTreesRegressor,
)  # fmt: skip
BOOSTED = (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)
HISTOGRAMS = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
PREDICTORS = {
    **dict.fromkeys((*TREES, *FORESTS), _grow),
    **dict.fromkeys(BOOSTED, _boost),
    **dict.fromkeys(HISTOGRAMS, _boost_histograms),
    ensemble.IsolationForest: _isolate,
    ensemble.AdaBoostClassifier: _adapt,
}
