"""Estimators of other estimators: pipelines, columns apart, one for each answer, searches."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn import (
    compose,
    feature_selection,
    frozen,
    linear_model,
    model_selection,
    multioutput,
    pipeline,
    preprocessing,
    semi_supervised,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # has model_selection know two more

from modelport_converter.frameworks.tabular.sklearn.transforming.expanding import call_function
from modelport_converter.frameworks.tabular.writer import Predict, Writer, refuse
from modelport_converter.tables.answers import LABEL, PREDICTION, PROBABILITIES, Answers
from modelport_converter.tables.frames import Frame, join

NOTHING, DROPPED = "passthrough", "drop"


def steps_of(estimator: Any) -> Iterator[Any]:
    """Yield the steps of a pipeline that do something."""
    yield from (step for _, step in estimator.steps if step is not None and step != NOTHING)


def parts_of(estimator: Any, names: Sequence[str]) -> Iterator[tuple[Any, list[int]]]:
    """Yield the transformers of a ColumnTransformer, None where columns pass as they are, with the places of their columns."""
    for _, part, columns in estimator.transformers_:
        if isinstance(part, str) and part == DROPPED:
            continue
        places = _places(columns, names)
        if places:
            yield (None if isinstance(part, str) else part), places


def _places(columns: Any, names: Sequence[str]) -> list[int]:
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            begin = names.index(columns.start) if columns.start is not None else 0
            end = names.index(columns.stop) + 1 if columns.stop is not None else len(names)
            return [*range(begin, end)]
        return [*range(len(names))[columns]]
    if isinstance(columns, (str, int, np.integer)):
        columns = [columns]
    listed = list(columns)
    if listed and all(isinstance(each, (bool, np.bool_)) for each in listed):
        return [number for number, each in enumerate(listed) if each]
    return [names.index(each) if isinstance(each, str) else int(each) % len(names) for each in listed]


def _named(estimator: Any, frame: Frame) -> Frame:
    """Return a table with the names that a later choice of columns may go by."""
    try:
        names = tuple(map(str, estimator.get_feature_names_out()))
    except Exception:  # noqa: BLE001  # whatever an estimator without names raises
        return frame._replace(names=())
    return frame._replace(names=names if len(names) == frame.width else ())


def _through(writer: Writer, steps: Sequence[Any], frame: Frame) -> Frame:
    for step in steps:
        frame = _named(step, writer.transform(step, frame))
    return frame


def _pipe(writer: Writer, estimator: Any, frame: Frame) -> Frame:
    return _through(writer, [*steps_of(estimator)], frame)


def _pipe_to_answers(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    *before, last = steps_of(estimator)
    return writer.predict(last, _through(writer, before, frame))


def _transform_columns(writer: Writer, estimator: Any, frame: Frame) -> Frame:
    names = list(map(str, getattr(estimator, "feature_names_in_", frame.names))) or [""] * frame.width
    parts = []
    for part, places in parts_of(estimator, names):
        chosen = frame.select(places)
        if part is not None:
            chosen = writer.transform(part, chosen)
        if chosen.width:
            parts.append(chosen)
    return join(frame.graph, parts)


def _unite(writer: Writer, estimator: Any, frame: Frame) -> Frame:
    parts = []
    for name, part in estimator.transformer_list:
        if part in (DROPPED, None):
            continue
        made = frame if part == NOTHING else writer.transform(part, frame)
        factor = (estimator.transformer_weights or {}).get(name, 1.0)
        if factor != 1.0:
            made = Frame.of(frame.graph, frame.graph.add("Mul", made.numbers(), float(factor)), made.width)
        parts.append(made)
    return join(frame.graph, parts)


def _transform_target(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    graph = frame.graph
    value = writer.predict(estimator.regressor_, frame)[PREDICTION]
    inverse = estimator.transformer_
    if isinstance(inverse, preprocessing.FunctionTransformer):
        found = value if inverse.inverse_func is None else call_function(graph, inverse.inverse_func, value)
        if found is None or inverse.inv_kw_args:
            raise refuse(
                estimator, "this inverse of the target is not converted", "use a function of numpy, such as exp"
            )
        return {PREDICTION: found}
    if not isinstance(inverse, LINEAR):
        told = type(inverse).__name__
        raise refuse(estimator, f"the inverse of {told} is not converted", "use transformer=StandardScaler()")
    zero, one = (inverse.inverse_transform(np.full((1, inverse.n_features_in_), each)) for each in (0.0, 1.0))
    value = graph.reshape(value, -1, inverse.n_features_in_)
    return {PREDICTION: graph.add("Add", graph.add("Mul", value, one - zero), zero)}


def _each_output(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    """Write a model for each answer."""
    graph, answers = frame.graph, [writer.predict(each, frame) for each in estimator.estimators_]
    if not hasattr(estimator, "classes_"):
        columns = [graph.reshape(each[PREDICTION], -1, 1) for each in answers]
        return {PREDICTION: graph.side_by_side(columns)}
    told = {LABEL: graph.side_by_side([graph.reshape(each[LABEL], -1, 1) for each in answers])}
    if hasattr(estimator, "predict_proba"):
        told |= {f"{PROBABILITIES}_{number}": each[PROBABILITIES] for number, each in enumerate(answers)}
    return told


def _inner(name: str) -> Predict:
    """Return what writes an estimator that answers as the one within it, which has this name."""
    return lambda writer, estimator, frame: writer.predict(getattr(estimator, name), frame)


def _eliminate(writer: Writer, estimator: Any, frame: Frame) -> Answers:
    return writer.predict(estimator.estimator_, writer.transform(estimator, frame))


LINEAR = (
    preprocessing.StandardScaler,
    preprocessing.MinMaxScaler,
    preprocessing.MaxAbsScaler,
    preprocessing.RobustScaler,
)
"""Transformers whose inverse is a straight line."""
INNER = {
    **dict.fromkeys(
        (
            model_selection.GridSearchCV,
            model_selection.RandomizedSearchCV,
            model_selection.HalvingGridSearchCV,
            model_selection.HalvingRandomSearchCV,
        ),
        "best_estimator_",
    ),
    linear_model.RANSACRegressor: "estimator_",
    semi_supervised.SelfTrainingClassifier: "estimator_",
    frozen.FrozenEstimator: "estimator",
}
"""By class, where the estimator is that answers for it."""
TRANSFORMERS = {
    pipeline.Pipeline: _pipe,
    pipeline.FeatureUnion: _unite,
    compose.ColumnTransformer: _transform_columns,
}
PREDICTORS = {
    pipeline.Pipeline: _pipe_to_answers,
    compose.TransformedTargetRegressor: _transform_target,
    multioutput.MultiOutputRegressor: _each_output,
    multioutput.MultiOutputClassifier: _each_output,
    feature_selection.RFE: _eliminate,
    feature_selection.RFECV: _eliminate,
    **{kind: _inner(name) for kind, name in INNER.items()},
}
