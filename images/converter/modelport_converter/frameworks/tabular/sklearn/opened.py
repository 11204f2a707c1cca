"""An estimator of scikit-learn as a table's model: asked by its own methods, written by functions for its classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelport.verification.arrays import Array, Tensors
from modelport_converter.frameworks.tabular.boosters import wrappers
from modelport_converter.frameworks.tabular.sklearn import combining, forests, kernels, linear, mixtures, voting
from modelport_converter.frameworks.tabular.sklearn.columns import find_columns, probe
from modelport_converter.frameworks.tabular.sklearn.library import write_by_library
from modelport_converter.frameworks.tabular.sklearn.sparse import leaves_zeros_out
from modelport_converter.frameworks.tabular.sklearn.transforming import encoding, expanding, gaps, projecting, scaling
from modelport_converter.frameworks.tabular.writer import Writer
from modelport_converter.tables.answers import LABEL, PREDICTION, PROBABILITIES, SCORES, TRANSFORMED
from modelport_converter.tables.frames import MISSING, Column, Frame
from modelport_converter.tables.table import Rows, Table

WRITER = Writer(
    {
        **encoding.TRANSFORMERS,
        **gaps.TRANSFORMERS,
        **scaling.TRANSFORMERS,
        **expanding.TRANSFORMERS,
        **projecting.TRANSFORMERS,
        **combining.TRANSFORMERS,
    },
    {
        **linear.PREDICTORS,
        **kernels.PREDICTORS,
        **forests.PREDICTORS,
        **mixtures.PREDICTORS,
        **voting.PREDICTORS,
        **combining.PREDICTORS,
        **wrappers.predictors(),
    },
    write_by_library,
    leaves_zeros_out,
)


def open_estimator(estimator: Any, seen: Mapping[str, Sequence[str]]) -> Table:
    """Return the model; `seen` are texts of the samples, which CatBoost's files lack. Raises ModelportError."""
    alone = wrappers.open_alone(estimator, seen)
    if alone is not None:
        return alone
    columns = find_columns(estimator, wrappers.describers())
    columns = probe(columns, lambda values: _ask(estimator, columns, values))

    def ask(rows: Rows) -> Tensors:
        return _ask(estimator, columns, list(rows.columns))

    def write(frame: Frame) -> Mapping[str, str]:
        return WRITER.predict(estimator, frame)

    return Table(columns, ask, write)


def _ask(estimator: Any, columns: list[Column], values: list[Array]) -> Tensors:
    table = _table(estimator, columns, values)
    if hasattr(estimator, "predict") and len(getattr(estimator, "classes_", ())):
        return {LABEL: _labels(estimator.predict(table)), **_numbers(estimator, table)}
    if hasattr(estimator, "fit_predict"):  # of clusters, and of what lies outside
        return {LABEL: np.asarray(estimator.predict(table), np.int64), **_numbers(estimator, table)}
    if hasattr(estimator, "predict"):
        return {PREDICTION: np.asarray(estimator.predict(table), np.float64)}
    made = estimator.transform(table)
    return {TRANSFORMED: np.asarray(made.toarray() if hasattr(made, "toarray") else made, np.float64)}


def _numbers(estimator: Any, table: Any) -> Tensors:
    """Return probabilities, of several labels one for each, else scores, as far as there are some."""
    if hasattr(estimator, "predict_proba"):
        shares = estimator.predict_proba(table)
        if isinstance(shares, list):
            return {f"{PROBABILITIES}_{number}": np.asarray(each) for number, each in enumerate(shares)}
        return {PROBABILITIES: np.asarray(shares)}
    if hasattr(estimator, "decision_function"):
        return {SCORES: np.asarray(estimator.decision_function(table))}
    return {}


def _labels(found: Any) -> Array:
    """Return labels as a row each; CatBoost gives a column of them."""
    labels = np.asarray(found)
    return labels.reshape(len(labels)) if labels.size == len(labels) else labels


def _table(estimator: Any, columns: list[Column], values: list[Array]) -> Any:
    if not hasattr(estimator, "n_features_in_") and len(values) == 1:  # a text each
        return values[0]
    filled = [_with_missing(column, array) for column, array in zip(columns, values, strict=True)]
    if len(getattr(estimator, "feature_names_in_", ())) or wrappers.wants_frame(estimator):
        return wrappers.frame_of(estimator, columns, filled)
    is_text = any(column.is_text for column in columns)
    return np.stack([each.astype(object) if is_text else each for each in filled], axis=1)


def _with_missing(column: Column, array: Array) -> Array:
    if not column.is_text or not (column.is_missing_known or MISSING not in column.texts):
        return array
    return np.array([np.nan if each == MISSING else each for each in array], object)
