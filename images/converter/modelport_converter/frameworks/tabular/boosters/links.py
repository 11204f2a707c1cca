"""From margins to answers: what objectives do with the sums of their trees, as XGBoost and LightGBM call it."""

import math

import numpy as np

from modelport_converter.frameworks.tabular.boosters.model import Boosted, refuse
from modelport_converter.tables.frames import Frame, write_codes
from modelport_converter.tables.graph import TableGraph
from modelport_converter.tables.trees import write_sums

PROBABLE = ("sigmoid", "positive", "softmax", "argmax")
"""Links whose answers are probabilities, or have some beside them."""


def write_boosted(model: Boosted, frame: Frame) -> str:
    """Return what the library's Booster predicts, float64 [batch, groups], of classes [batch, 1]."""
    return write_link(frame.graph, model, write_margins(model, frame))


def write_margins(model: Boosted, frame: Frame) -> str:
    """Return the margins, float64 [batch, groups]."""
    graph = frame.graph
    table = _numbers(model, frame)
    if model.weights is not None:
        known = graph.add("Where", graph.add("IsNaN", table), 0.0, table)  # a missing number adds nothing
        return graph.add("Add", graph.add("MatMul", known, model.weights), model.base[None])
    if not model.forest.roots:
        zeros = graph.sum_of(
            graph.add("Mul", graph.add("Where", graph.add("IsNaN", table), 0.0, table), 0.0), 1, keepdims=True
        )
        return graph.add("Add", zeros, model.base[None])
    sums = write_sums(graph, table, model.forest, model.groups)
    if model.divisor != 1:
        sums = graph.add("Div", sums, model.divisor)
    return graph.add("Add", sums, model.base[None]) if model.base.any() else sums


def _numbers(model: Boosted, frame: Frame) -> str:
    """Return the table as trees compare it: categories by their numbers, then rounded, then without what is missing."""
    graph, table = frame.graph, write_codes(frame, model.columns).numbers()
    if model.is_rounded:
        table = graph.cast(graph.cast(table, np.float32), np.float64)
    if math.isnan(model.missing):
        return table
    is_missing = graph.add("Equal", table, float(np.float32(model.missing)))
    return graph.add("Where", is_missing, math.nan, table)


def write_link(  # noqa: PLR0911  # one for each link
    graph: TableGraph, model: Boosted, margins: str
) -> str:
    """Return the answers to margins."""
    if model.link == "identity":
        return margins
    if model.link == "exp":
        return graph.add("Exp", margins)
    if model.link == "sigmoid":
        return graph.sigmoid(graph.add("Mul", margins, model.parameters.get("scale", 1.0)))
    if model.link == "softmax":
        return graph.add("Softmax", margins, axis=1)
    if model.link == "argmax":
        return graph.cast(graph.add("ArgMax", margins, axis=1, keepdims=1), np.float64)
    if model.link == "positive":
        return graph.cast(graph.add("Greater", margins, 0.0), np.float64)
    if model.link == "signed_square":
        return graph.add("Mul", margins, graph.add("Abs", margins))
    assert model.link == "log1p_exp"
    return graph.add("Log", graph.add("Add", graph.add("Exp", margins), 1.0))


def write_classes(graph: TableGraph, model: Boosted, margins: str) -> tuple[str, str]:
    """Return numbers of classes, int64 [batch], and probabilities, as the libraries' classes for scikit-learn give them.

    Raises ModelportError (ConversionFailed) for margins that stand for none.
    """
    if model.link not in PROBABLE:
        raise refuse("a classifier whose objective gives no probabilities", "train it with one that does")
    if model.link == "argmax":
        model = model._replace(link="softmax")
    answers = write_link(graph, model, margins)
    if model.groups == 1:
        label = graph.cast(graph.add("Greater", answers, 0.5), np.int64)
        return graph.reshape(label, -1), graph.side_by_side([graph.add("Sub", 1.0, answers), answers])
    if model.is_multilabel:
        return graph.cast(graph.add("Greater", answers, 0.5), np.int64), answers
    return graph.add("ArgMax", answers, axis=1, keepdims=0), answers
