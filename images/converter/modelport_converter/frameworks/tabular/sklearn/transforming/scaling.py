"""Transformers that move and scale numbers."""

from typing import Any

import numpy as np
from sklearn import preprocessing

from modelport_converter.frameworks.tabular.writer import Writer
from modelport_converter.tables.frames import Frame
from modelport_converter.tables.graph import TableGraph

SMALLEST_NORM = 10 * float(np.finfo(np.float64).eps)
"""Rows of a smaller norm are left as they are (`_handle_zeros_in_scale`)."""


def row(values: Any) -> Any:
    """Return numbers of columns as a row, float64 [1, columns]."""
    return np.atleast_2d(np.asarray(values, np.float64))


def table_of(frame: Frame, value: str, width: int | None = None) -> Frame:
    """Return a value as the table that a step makes of one, as wide as that if no width is told."""
    return Frame.of(frame.graph, value, frame.width if width is None else width)


def _standardise(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    graph, value = frame.graph, frame.numbers()
    if estimator.with_mean and estimator.mean_ is not None:
        value = graph.add("Sub", value, row(estimator.mean_))
    if estimator.with_std and estimator.scale_ is not None:
        value = graph.add("Div", value, row(estimator.scale_))
    return table_of(frame, value)


def _fit_range(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    graph = frame.graph
    value = graph.add("Add", graph.add("Mul", frame.numbers(), row(estimator.scale_)), row(estimator.min_))
    if estimator.clip:
        low, high = map(float, estimator.feature_range)
        value = graph.add(
            "Where",
            graph.add("Less", value, low),
            low,
            graph.add("Where", graph.add("Greater", value, high), high, value),
        )
    return table_of(frame, value)


def _fit_largest(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    value = frame.graph.add("Div", frame.numbers(), row(estimator.scale_))
    if getattr(estimator, "clip", False):
        value = frame.graph.add("Max", frame.graph.add("Min", value, 1.0), -1.0)
    return table_of(frame, value)


def _robust(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    graph, value = frame.graph, frame.numbers()
    if estimator.with_centering:
        value = graph.add("Sub", value, row(estimator.center_))
    if estimator.with_scaling:
        value = graph.add("Div", value, row(estimator.scale_))
    return table_of(frame, value)


def _normalise(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    graph, value = frame.graph, frame.numbers()
    size = graph.add("Abs", value)
    if estimator.norm == "l2":
        norm = graph.add("Sqrt", graph.sum_of(graph.add("Mul", value, value), 1, keepdims=True))
    elif estimator.norm == "l1":
        norm = graph.sum_of(size, 1, keepdims=True)
    else:
        norm = _largest(graph, size)
    norm = graph.add("Where", graph.add("Less", norm, SMALLEST_NORM), 1.0, norm)
    return table_of(frame, graph.add("Div", value, norm))


def _largest(graph: TableGraph, value: str) -> str:
    return graph.add_many("TopK", ["", ""], value, np.array([1], np.int64), axis=1)[0]


def _binarise(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    graph = frame.graph
    return table_of(frame, graph.cast(graph.add("Greater", frame.numbers(), float(estimator.threshold)), np.float64))


def _powers(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    """Write the transforms of Yeo and Johnson, and of Box and Cox, column by column."""
    graph, parts = frame.graph, []
    for number, power in enumerate(map(float, estimator.lambdas_)):
        value = frame.column(number).value
        if estimator.method == "box-cox":
            parts.append(_boxed(graph, value, power))
            continue
        is_negative = graph.add("Less", value, 0.0)
        size = graph.add("Add", graph.add("Abs", value), 1.0)
        above, below = _boxed(graph, size, power), graph.add("Neg", _boxed(graph, size, 2 - power))
        parts.append(graph.add("Where", is_negative, below, above))
    made = table_of(frame, graph.side_by_side(parts))
    return _standardise(_writer, estimator._scaler, made) if estimator.standardize else made  # noqa: SLF001


def _boxed(graph: TableGraph, value: str, power: float) -> str:
    if abs(power) < np.spacing(1.0):
        return graph.add("Log", value)
    return graph.add("Div", graph.add("Sub", graph.add("Pow", value, power), 1.0), power)


TRANSFORMERS = {
    preprocessing.StandardScaler: _standardise,
    preprocessing.MinMaxScaler: _fit_range,
    preprocessing.MaxAbsScaler: _fit_largest,
    preprocessing.RobustScaler: _robust,
    preprocessing.Normalizer: _normalise,
    preprocessing.Binarizer: _binarise,
    preprocessing.PowerTransformer: _powers,
}
