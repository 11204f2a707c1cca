"""Support vector machines as libsvm computes them (sklearn/svm/src/libsvm/svm.cpp), in float64."""

from itertools import combinations
from typing import Any

import numpy as np
from sklearn import svm

from modelport.verification.arrays import Array
from modelport_converter.frameworks.tabular.writer import Writer, dense, refuse
from modelport_converter.tables.answers import (
    LABEL,
    PREDICTION,
    PROBABILITIES,
    SCORES,
    Answers,
    most_likely,
    second_where,
)
from modelport_converter.tables.frames import Frame
from modelport_converter.tables.graph import TableGraph


def _kernel(graph: TableGraph, estimator: Any, table: str) -> str:
    """Return the kernel of each row with each support vector, [batch, vectors]."""
    vectors: Array = dense(estimator.support_vectors_)
    if estimator.kernel == "linear":
        return graph.add("MatMul", table, vectors.T.copy())
    gamma = float(estimator._gamma)  # noqa: SLF001  # what 'scale' and 'auto' came to
    product = graph.add("Mul", graph.add("MatMul", table, vectors.T.copy()), gamma)
    if estimator.kernel == "rbf":
        own = graph.sum_of(graph.add("Mul", table, table), 1, keepdims=True)
        distance = graph.add("Add", graph.add("Mul", own, gamma), gamma * (vectors**2).sum(1)[None])
        return graph.add("Exp", graph.add("Neg", graph.add("Sub", distance, graph.add("Mul", product, 2.0))))
    shifted = graph.add("Add", product, float(estimator.coef0))
    if estimator.kernel == "poly":
        return graph.add("Pow", shifted, float(estimator.degree))
    if estimator.kernel == "sigmoid":
        return graph.add("Tanh", shifted)
    raise refuse(estimator, f"kernel {estimator.kernel!s:.50} is not converted", "use linear, poly, rbf or sigmoid")


def _regress(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    return {PREDICTION: _function(frame.graph, estimator, frame.numbers())}


def _function(graph: TableGraph, estimator: Any, table: str) -> str:
    weights: Array = dense(estimator.dual_coef_).T.copy()
    value = graph.add("MatMul", _kernel(graph, estimator, table), weights)
    return graph.add("Add", value, np.asarray(estimator.intercept_, np.float64)[None])


def _detect(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph = frame.graph
    value = _function(graph, estimator, frame.numbers())
    # libsvm's own label: 1 above 0, else -1
    label = graph.add("Where", graph.add("Greater", value, 0.0), np.array(1, np.int64), np.array(-1, np.int64))
    return {LABEL: label, SCORES: value}


def _classify(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, classes = frame.graph, estimator.classes_
    table = frame.numbers()
    if len(classes) == 2:  # noqa: PLR2004  # one pair
        scores = _function(graph, estimator, table)
        label = second_where(graph, classes, graph.add("Greater", scores, 0.0))
    else:
        pairs = _pairs(graph, estimator, table)
        votes = votes_of(graph, graph.cast(graph.add("Greater", pairs, 0.0), np.float64), len(classes))
        label = most_likely(graph, classes, votes)
        scores = pairs if estimator.decision_function_shape == "ovo" else by_class(graph, pairs, votes, len(classes))
        if estimator.break_ties and estimator.decision_function_shape == "ovr":
            label = most_likely(graph, classes, scores)
    if not hasattr(estimator, "predict_proba"):
        return {LABEL: label, SCORES: scores}
    # libsvm couples pairs by an iteration that ends early, and the operator SVMClassifier by the same one
    return {LABEL: label, PROBABILITIES: writer.otherwise(estimator, frame)[PROBABILITIES], SCORES: scores}


def _pairs(graph: TableGraph, estimator: Any, table: str) -> str:
    """Return the decision of each pair of classes, above 0 for the first one: [batch, pairs]."""
    ends = np.cumsum([0, *estimator.n_support_])
    dual = dense(estimator.dual_coef_)
    count = len(estimator.classes_)
    weights = np.zeros((dual.shape[1], count * (count - 1) // 2))
    for place, (one, other) in enumerate(combinations(range(count), 2)):
        weights[ends[one] : ends[one + 1], place] = dual[other - 1, ends[one] : ends[one + 1]]
        weights[ends[other] : ends[other + 1], place] = dual[one, ends[other] : ends[other + 1]]
    value = graph.add("MatMul", _kernel(graph, estimator, table), weights)
    return graph.add("Add", value, np.asarray(estimator.intercept_, np.float64)[None])


def votes_of(graph: TableGraph, is_first: str, count: int) -> str:
    """Return how many pairs each class wins, of whether its first one does, 1 or 0, float64 [batch, pairs]."""
    first, second = _sides(count)
    return graph.add(
        "Add", graph.add("MatMul", is_first, first), graph.add("MatMul", graph.add("Sub", 1.0, is_first), second)
    )


def by_class(graph: TableGraph, pairs: str, votes: str, count: int) -> str:
    """Return votes and, within a third of one, confidences: `_ovr_decision_function` of sklearn.utils.multiclass."""
    first, second = _sides(count)
    sums = graph.add("MatMul", pairs, first - second)
    bounded = graph.add("Mul", graph.add("Add", graph.add("Abs", sums), 1.0), 3.0)
    return graph.add("Add", votes, graph.add("Div", sums, bounded))


def _sides(count: int) -> tuple[Array, Array]:
    """Return which class is first and which is second, [pairs, classes]."""
    found = np.array([*combinations(range(count), 2)])
    classes = np.arange(count)
    return (found[:, :1] == classes).astype(np.float64), (found[:, 1:] == classes).astype(np.float64)


PREDICTORS = {
    svm.SVC: _classify,
    svm.NuSVC: _classify,
    svm.SVR: _regress,
    svm.NuSVR: _regress,
    svm.OneClassSVM: _detect,
}
