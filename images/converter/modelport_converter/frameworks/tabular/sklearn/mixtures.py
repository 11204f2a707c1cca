"""Mixtures of normal distributions: sklearn/mixture/_gaussian_mixture.py."""

from typing import Any

import numpy as np
from sklearn import mixture

from modelport_converter.frameworks.tabular.writer import Writer
from modelport_converter.tables.answers import LABEL, PROBABILITIES, Answers
from modelport_converter.tables.frames import Frame


def _mix(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, value, columns = frame.graph, frame.numbers(), list[str]()
    means = np.asarray(estimator.means_, np.float64)
    # what a component gives at its own mean, where the distance is 0
    constants = np.diag(estimator._estimate_weighted_log_prob(means))  # noqa: SLF001
    for number, mean in enumerate(means):
        factor = _factor(estimator, number)
        moved = graph.add("Sub", graph.add("MatMul", value, factor), (mean @ factor)[None])
        columns.append(graph.sum_of(graph.add("Mul", moved, moved), 1, keepdims=True))
    distances = graph.side_by_side(columns)
    scores = graph.add("Sub", np.asarray(constants, np.float64)[None], graph.add("Mul", distances, 0.5))
    shares = graph.add("Softmax", scores, axis=1)
    return {LABEL: graph.add("ArgMax", scores, axis=1, keepdims=0), PROBABILITIES: shares}


def _factor(estimator: Any, number: int) -> Any:
    """Return the factor of a component's precision, [columns, columns]."""
    found = np.asarray(estimator.precisions_cholesky_, np.float64)
    if estimator.covariance_type == "full":
        return found[number]
    if estimator.covariance_type == "tied":
        return found
    width = estimator.means_.shape[1]
    return np.diag(np.broadcast_to(found[number], width))


PREDICTORS = {mixture.GaussianMixture: _mix, mixture.BayesianGaussianMixture: _mix}
