"""Estimators that ask several others, and what they make of the answers: votes, means, stacks, calibrations, thresholds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import calibration, ensemble, model_selection, multiclass

from modelport_converter.frameworks.tabular.sklearn.kernels import by_class, votes_of
from modelport_converter.frameworks.tabular.sklearn.linear import bend, normalised
from modelport_converter.frameworks.tabular.writer import Writer, refuse
from modelport_converter.tables.answers import (
    LABEL,
    PREDICTION,
    PROBABILITIES,
    SCORES,
    Answers,
    both,
    classify,
    most_likely,
    second_where,
)
from modelport_converter.tables.frames import Block, Frame, join
from modelport_converter.tables.graph import TableGraph

TWO = 2
"""Classes with one score."""


def _vote(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, answers = frame.graph, [writer.predict(each, frame) for each in estimator.estimators_]
    weights = estimator._weights_not_none  # noqa: SLF001  # those of the parts that were not dropped
    shares = np.ones(len(answers)) if weights is None else np.asarray(weights, np.float64)
    shares = shares / shares.sum()
    if not hasattr(estimator, "classes_"):
        columns = [graph.reshape(each[PREDICTION], -1, 1) for each in answers]
        return {PREDICTION: graph.add("MatMul", graph.side_by_side(columns), shares[:, None])}
    if estimator.voting == "soft":
        total = _total(
            graph,
            [graph.add("Mul", each[PROBABILITIES], float(share)) for each, share in zip(answers, shares, strict=True)],
        )
        return {LABEL: most_likely(graph, estimator.classes_, total), PROBABILITIES: total}
    ones = np.eye(len(estimator.classes_))
    votes = [  # whose labels are the places of classes
        graph.add("Gather", ones * share, graph.cast(each[LABEL], np.int64), axis=0)
        for each, share in zip(answers, weights if weights is not None else np.ones(len(answers)), strict=True)
    ]
    return {LABEL: most_likely(graph, estimator.classes_, _total(graph, votes))}


def _total(graph: TableGraph, parts: Sequence[str]) -> str:
    total = parts[0]
    for part in parts[1:]:
        total = graph.add("Add", total, part)
    return total


def _bag(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, count = frame.graph, len(estimator.estimators_)
    parts = [
        writer.predict(each, frame.select([int(column) for column in columns]))
        for each, columns in zip(estimator.estimators_, estimator.estimators_features_, strict=True)
    ]
    if not hasattr(estimator, "classes_"):
        total = _total(graph, [graph.reshape(each[PREDICTION], -1, 1) for each in parts])
        return {PREDICTION: graph.add("Div", total, float(count))}
    if any(
        PROBABILITIES not in each or len(one.classes_) != len(estimator.classes_)
        for each, one in zip(parts, estimator.estimators_, strict=True)
    ):
        raise refuse(
            estimator,
            "estimators without probabilities, or of fewer classes, are not converted",
            "use ones with predict_proba",
        )
    mean = graph.add("Div", _total(graph, [each[PROBABILITIES] for each in parts]), float(count))
    return {LABEL: most_likely(graph, estimator.classes_, mean), PROBABILITIES: mean}


def _stack(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, columns = frame.graph, list[Block]()
    for each, method in zip(estimator.estimators_, estimator.stack_method_, strict=True):
        answers = writer.predict(each, frame)
        if method == "predict_proba":
            count = len(each.classes_)
            chosen = graph.columns(answers[PROBABILITIES], [1]) if count == TWO else answers[PROBABILITIES]
            columns.append(Block(chosen, 1 if count == TWO else count))
        elif method == "decision_function" and SCORES in answers:
            count = len(each.classes_)
            columns.append(
                Block(
                    graph.reshape(answers[SCORES], -1, 1) if count == TWO else answers[SCORES],
                    1 if count == TWO else count,
                )
            )
        elif PREDICTION in answers:
            columns.append(Block(graph.reshape(answers[PREDICTION], -1, 1), 1))
        else:
            raise refuse(
                estimator, f"stack_method {method} of {type(each).__name__} is not converted", "use predict_proba"
            )
    table = Frame(graph, tuple(columns))
    answers = writer.predict(
        estimator.final_estimator_, join(graph, [table, frame]) if estimator.passthrough else table
    )
    if not hasattr(estimator, "_label_encoder"):
        return answers
    numbers = next(name for name in (PROBABILITIES, SCORES) if name in answers)
    place = graph.cast(answers[LABEL], np.int64)
    return {LABEL: classify(graph, estimator.classes_, place), numbers: answers[numbers]}


def _calibrate(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, parts, count = frame.graph, list[str](), len(estimator.classes_)
    for each in estimator.calibrated_classifiers_:
        if len(each.estimator.classes_) != count:
            raise refuse(estimator, "a part that knows fewer classes is not converted", "use fewer folds, or more rows")
        answers = writer.predict(each.estimator, frame)
        is_scored = hasattr(each.estimator, "decision_function")
        if is_scored and SCORES not in answers:
            raise refuse(
                estimator,
                f"the decision_function of {type(each.estimator).__name__} is not converted",
                "calibrate another estimator",
            )
        value = answers[SCORES if is_scored else PROBABILITIES]
        if each.method == "temperature":
            parts.append(_heat(graph, value, float(each.calibrators[0].beta_), count, is_scored=is_scored))
            continue
        if count == TWO:
            value = graph.reshape(value, -1, 1) if is_scored else graph.columns(value, [1])
        columns = [graph.columns(value, [number]) for number in range(len(each.calibrators))]
        shares = graph.side_by_side([_bent(graph, *both_) for both_ in zip(each.calibrators, columns, strict=True)])
        parts.append(both(graph, shares) if count == TWO else normalised(graph, shares, count))
    mean = graph.add("Div", _total(graph, parts), float(len(parts)))
    return {LABEL: most_likely(graph, estimator.classes_, mean), PROBABILITIES: mean}


def _bent(graph: TableGraph, calibrator: Any, value: str) -> str:
    if hasattr(calibrator, "a_"):  # of method='sigmoid'
        slope = graph.add("Mul", value, -float(calibrator.a_))
        return graph.sigmoid(graph.add("Sub", slope, float(calibrator.b_)))
    return bend(graph, calibrator, value)


def _heat(graph: TableGraph, value: str, beta: float, count: int, *, is_scored: bool) -> str:
    """Write `_TemperatureScaling`: a softmax of scores, or of logarithms of shares."""
    if not is_scored:
        value = graph.add("Log", graph.add("Add", value, 1e-12))
    elif count == TWO:
        column = graph.reshape(value, -1, 1)
        value = graph.side_by_side([graph.add("Neg", column), column])
    return graph.add("Softmax", graph.add("Mul", value, beta), axis=1)


def _one_versus_rest(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, classes = frame.graph, estimator.classes_
    answers = [writer.predict(each, frame) for each in estimator.estimators_]
    is_scored = all(hasattr(each, "decision_function") for each in estimator.estimators_)
    if not all((SCORES if is_scored else PROBABILITIES) in each for each in answers):
        raise refuse(estimator, "estimators without scores are not converted", "use ones with predict_proba")
    told = graph.side_by_side(
        [
            graph.reshape(each[SCORES], -1, 1) if is_scored else graph.columns(each[PROBABILITIES], [1])
            for each in answers
        ]
    )
    limit = graph.add("Greater", told, 0.0 if is_scored else 0.5)
    if estimator.multilabel_:
        label = graph.cast(limit, np.int64)
    elif len(answers) == 1:
        label = second_where(graph, classes, limit)
    else:
        label = most_likely(graph, classes, told)
    if not hasattr(estimator, "predict_proba"):
        return {LABEL: label, SCORES: told}
    shares = graph.side_by_side([graph.columns(each[PROBABILITIES], [1]) for each in answers])
    if len(answers) == 1:
        shares = both(graph, shares)
    elif not estimator.multilabel_:
        shares = normalised(graph, shares, len(classes))
    return {LABEL: label, PROBABILITIES: shares, SCORES: told}


def _one_versus_one(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph, count = frame.graph, len(estimator.classes_)
    if estimator.pairwise_indices_ is not None:
        raise refuse(estimator, "kernels that are computed before are not converted", "use another kernel")
    answers = [writer.predict(each, frame) for each in estimator.estimators_]
    is_scored = [hasattr(each, "decision_function") for each in estimator.estimators_]
    if not all((SCORES if scored else PROBABILITIES) in each for each, scored in zip(answers, is_scored, strict=True)):
        raise refuse(estimator, "estimators without scores are not converted", "use ones with predict_proba")
    told = graph.side_by_side(
        [
            graph.reshape(each[SCORES], -1, 1) if scored else graph.columns(each[PROBABILITIES], [1])
            for each, scored in zip(answers, is_scored, strict=True)
        ]
    )
    second = graph.side_by_side([graph.cast(graph.reshape(each[LABEL], -1, 1), np.float64) for each in answers])
    scores = by_class(graph, graph.add("Neg", told), votes_of(graph, graph.add("Sub", 1.0, second), count), count)
    if count == TWO:
        scores = graph.columns(scores, [1])
        limit = 0.0 if is_scored[0] else 0.5
        return {LABEL: second_where(graph, estimator.classes_, graph.add("Greater", scores, limit)), SCORES: scores}
    return {LABEL: most_likely(graph, estimator.classes_, scores), SCORES: scores}


def _limit(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    """Write a classifier of two classes whose label is the one asked for from a threshold on."""
    graph, classes = frame.graph, estimator.classes_
    inner = estimator.estimator_
    answers = writer.predict(inner, frame)
    method = estimator._get_response_method()  # noqa: SLF001  # what 'auto' came to
    methods = [method] if isinstance(method, str) else list(method)
    is_shared = next(each for each in methods if hasattr(inner, each)) == "predict_proba"
    threshold = getattr(estimator, "best_threshold_", None)
    if threshold is None:
        threshold = (0.5 if is_shared else 0.0) if estimator.threshold == "auto" else estimator.threshold
    positive = getattr(estimator, "pos_label", None)
    if positive is None:
        positive = getattr(getattr(estimator, "_curve_scorer", None), "_get_pos_label", lambda: None)()
    first = positive is not None and bool(classes[0] == positive)
    if (PROBABILITIES if is_shared else SCORES) not in answers:
        raise refuse(estimator, f"{type(inner).__name__} without scores is not converted", "use predict_proba")
    if is_shared:
        value = graph.columns(answers[PROBABILITIES], [0 if first else 1])
    else:
        value = graph.reshape(answers[SCORES], -1, 1)
        value = graph.add("Neg", value) if first else value
    is_above = graph.add("GreaterOrEqual", value, float(threshold))
    label = second_where(graph, classes[::-1] if first else classes, is_above)
    return {**answers, LABEL: label}


def _weigh(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    """Write AdaBoost's weighted median: the first of the sorted answers that half of the weight reaches."""
    graph = frame.graph
    columns = [graph.reshape(writer.predict(each, frame)[PREDICTION], -1, 1) for each in estimator.estimators_]
    count = len(columns)
    weights = np.asarray(estimator.estimator_weights_, np.float64)[:count]
    values, order = graph.add_many(
        "TopK", ["", ""], graph.side_by_side(columns), graph.lengths(count), axis=1, largest=0
    )
    reached = graph.add("CumSum", graph.add("Gather", weights, order, axis=0), np.array(1, np.int64))
    half = graph.add("Mul", graph.columns(reached, [count - 1]), 0.5)
    is_half = graph.cast(graph.add("GreaterOrEqual", reached, half), np.int64)
    place = graph.add("ArgMax", is_half, axis=1, keepdims=1)
    return {PREDICTION: graph.add("GatherElements", values, place, axis=1)}


PREDICTORS = {
    ensemble.VotingClassifier: _vote,
    ensemble.VotingRegressor: _vote,
    ensemble.BaggingClassifier: _bag,
    ensemble.BaggingRegressor: _bag,
    ensemble.StackingClassifier: _stack,
    ensemble.StackingRegressor: _stack,
    ensemble.AdaBoostRegressor: _weigh,
    calibration.CalibratedClassifierCV: _calibrate,
    multiclass.OneVsRestClassifier: _one_versus_rest,
    multiclass.OneVsOneClassifier: _one_versus_one,
    model_selection.FixedThresholdClassifier: _limit,
    model_selection.TunedThresholdClassifierCV: _limit,
}
