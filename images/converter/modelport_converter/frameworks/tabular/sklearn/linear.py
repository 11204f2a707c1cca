"""Linear models, perceptrons, which are several of them, and what is simpler still: straight lines, constants."""

from typing import Any

import numpy as np
from sklearn import discriminant_analysis, dummy, isotonic, linear_model, neural_network, svm

from modelport.verification.arrays import Array
from modelport_converter.frameworks.tabular.writer import Writer, dense, refuse
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
from modelport_converter.tables.answers import classify as of_classes
from modelport_converter.tables.frames import Frame
from modelport_converter.tables.graph import TableGraph


def _scores(graph: TableGraph, estimator: Any, frame: Frame) -> tuple[str, int]:
    """Return the linear function, [batch, outputs], and the number of its outputs."""
    weights = np.atleast_2d(dense(estimator.coef_))
    value = graph.add("MatMul", frame.numbers(), weights.T.copy())
    return graph.add("Add", value, np.resize(np.asarray(estimator.intercept_, np.float64), (1, len(weights)))), len(
        weights
    )


def regress(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    """Write a linear function, behind the inverse of a link where there is one."""
    value, _ = _scores(frame.graph, estimator, frame)
    loss = getattr(estimator, "_base_loss", None)
    link = type(loss.link).__name__ if loss is not None else "IdentityLink"
    if link not in ("IdentityLink", "LogLink"):
        raise refuse(estimator, f"the link {link} is not converted", "use link='identity' or 'log'")
    return {PREDICTION: frame.graph.add("Exp", value) if link == "LogLink" else value}


def decide(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    """Write a classifier that has scores and no probabilities."""
    graph = frame.graph
    value, count = _scores(graph, estimator, frame)
    return {LABEL: _label(graph, estimator, value, count), SCORES: value}


def _label(graph: TableGraph, estimator: Any, scores: str, count: int) -> str:
    if count == 1:
        return second_where(graph, estimator.classes_, graph.add("Greater", scores, 0.0))
    return most_likely(graph, estimator.classes_, scores)


def classify(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    """Write a classifier with probabilities: a sigmoid of one score, a softmax, or sigmoids of each class, normalised."""
    graph = frame.graph
    value, count = _scores(graph, estimator, frame)
    answers = {LABEL: _label(graph, estimator, value, count), SCORES: value}
    if count == 1:
        return {**answers, PROBABILITIES: both(graph, graph.sigmoid(value))}
    if isinstance(estimator, linear_model.SGDClassifier):
        return {**answers, PROBABILITIES: normalised(graph, graph.sigmoid(value), count)}
    return {**answers, PROBABILITIES: graph.add("Softmax", value, axis=1)}


def _descend(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    if estimator.loss == "log_loss":
        return classify(writer, estimator, frame)
    answers = decide(writer, estimator, frame)
    if estimator.loss == "modified_huber":
        answers[PROBABILITIES] = _huber_shares(frame.graph, answers[SCORES], len(estimator.classes_))
    return answers


def _huber_shares(graph: TableGraph, scores: str, count: int) -> str:
    """Return scores within -1 and 1 as shares; where no class has one, all have the same."""
    bounded = graph.add("Max", graph.add("Min", scores, 1.0), -1.0)
    shares = graph.add("Div", graph.add("Add", bounded, 1.0), 2.0)
    return both(graph, shares) if count == 2 else normalised(graph, shares, count)  # noqa: PLR2004


def normalised(graph: TableGraph, shares: str, count: int) -> str:
    """Return shares whose sum is 1; those of which none is above 0 are all the same."""
    total = graph.sum_of(shares, 1, keepdims=True)
    is_none = graph.add("Equal", total, 0.0)
    return graph.add("Where", is_none, 1.0 / count, graph.add("Div", shares, graph.add("Where", is_none, 1.0, total)))


def _bend(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    return {PREDICTION: bend(frame.graph, estimator, frame.numbers())}


def bend(graph: TableGraph, estimator: Any, value: str) -> str:
    """Return what an isotonic regression makes of numbers [batch, 1]: straight lines from one threshold to the next."""
    places, heights = dense(estimator.X_thresholds_), dense(estimator.y_thresholds_)
    if estimator.out_of_bounds != "clip":
        raise refuse(estimator, f"out_of_bounds={estimator.out_of_bounds!r} is not converted", "use 'clip'")
    if len(places) == 1:
        return graph.add("Add", graph.add("Mul", value, 0.0), float(heights[0]))
    value = graph.add("Max", graph.add("Min", value, float(places[-1])), float(places[0]))
    passed = graph.cast(graph.add("Greater", value, places[1:-1][None]), np.int64)
    part = graph.reshape(graph.sum_of(passed, 1), -1)
    slopes = np.diff(heights) / np.diff(places)

    def of_part(numbers: Array) -> str:
        return graph.add("Gather", numbers[:, None], part, axis=0)

    begun = graph.add("Mul", graph.add("Sub", value, of_part(places[:-1])), of_part(slopes))
    return graph.add("Add", begun, of_part(heights[:-1]))


def _repeat(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    """Write a model that answers the same whatever it is asked."""
    graph = frame.graph
    batch = graph.add("Expand", 0.0, graph.concat([graph.length(frame.blocks[0].value, 0), graph.lengths(1)], 0))
    if not hasattr(estimator, "classes_"):
        return {PREDICTION: graph.add("Add", batch, np.asarray(estimator.constant_, np.float64).reshape(1, -1))}
    if estimator.n_outputs_ > 1 or estimator.strategy in ("stratified", "uniform"):
        raise refuse(estimator, f"strategy={estimator.strategy!r} is not converted", "use strategy='prior'")
    rows = np.zeros((1, frame.width))
    shares = np.asarray(estimator.predict_proba(rows), np.float64)
    place = int(np.flatnonzero(estimator.classes_ == estimator.predict(rows)[0])[0])
    where = graph.add("Add", graph.cast(graph.reshape(batch, -1), np.int64), np.array(place, np.int64))
    return {LABEL: of_classes(graph, estimator.classes_, where), PROBABILITIES: graph.add("Add", batch, shares)}


ACTIVATIONS = {"identity": "", "logistic": "sigmoid", "tanh": "Tanh", "relu": "Relu"}


def _perceive(_writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, value = frame.graph, frame.numbers()
    for number, (weights, offsets) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        if number:
            value = _activate(graph, value, estimator.activation)
        product = graph.add("MatMul", value, weights.astype(np.float64))
        value = graph.add("Add", product, offsets.astype(np.float64)[None])
    if isinstance(estimator, neural_network.MLPRegressor):
        return {PREDICTION: _activate(graph, value, estimator.out_activation_)}
    if estimator._label_binarizer.y_type_.startswith("multilabel"):  # noqa: SLF001  # the only place that tells
        shares = graph.sigmoid(value)
        return {LABEL: graph.cast(graph.add("Greater", shares, 0.5), np.int64), PROBABILITIES: shares}
    if estimator.out_activation_ == "softmax":
        value = graph.add("Softmax", value, axis=1)
        return {LABEL: most_likely(graph, estimator.classes_, value), PROBABILITIES: value}
    second = graph.sigmoid(value)
    label = second_where(graph, estimator.classes_, graph.add("Greater", second, 0.5))
    return {LABEL: label, PROBABILITIES: both(graph, second)}


def _activate(graph: TableGraph, value: str, name: str) -> str:
    operator = ACTIVATIONS[name]
    if operator == "sigmoid":
        return graph.sigmoid(value)
    return graph.add(operator, value) if operator else value


REGRESSORS = (
    linear_model.LinearRegression, linear_model.Ridge, linear_model.RidgeCV, linear_model.Lasso, linear_model.LassoCV,
    linear_model.ElasticNet, linear_model.ElasticNetCV, linear_model.Lars, linear_model.LassoLars, linear_model.LassoLarsIC,
    linear_model.BayesianRidge, linear_model.ARDRegression, linear_model.HuberRegressor, linear_model.TheilSenRegressor,
    linear_model.SGDRegressor, linear_model.PoissonRegressor, linear_model.GammaRegressor, linear_model.TweedieRegressor,
    linear_model.QuantileRegressor, linear_model.OrthogonalMatchingPursuit, linear_model.MultiTaskLasso,
    linear_model.MultiTaskElasticNet, linear_model.LarsCV, linear_model.LassoLarsCV, linear_model.MultiTaskLassoCV,
    linear_model.MultiTaskElasticNetCV, linear_model.OrthogonalMatchingPursuitCV, linear_model.PassiveAggressiveRegressor,
    svm.LinearSVR,
)  # fmt: skip
DECIDERS = (
    linear_model.RidgeClassifier, linear_model.RidgeClassifierCV, linear_model.Perceptron, svm.LinearSVC,
    linear_model.PassiveAggressiveClassifier,
)  # fmt: skip
CLASSIFIERS = (
    linear_model.LogisticRegression,
    linear_model.LogisticRegressionCV,
    discriminant_analysis.LinearDiscriminantAnalysis,
)
PREDICTORS = {
    **dict.fromkeys(REGRESSORS, regress),
    **dict.fromkeys(DECIDERS, decide),
    **dict.fromkeys(CLASSIFIERS, classify),
    linear_model.SGDClassifier: _descend,
    isotonic.IsotonicRegression: _bend,
    dummy.DummyClassifier: _repeat,
    dummy.DummyRegressor: _repeat,
    neural_network.MLPClassifier: _perceive,
    neural_network.MLPRegressor: _perceive,
}
