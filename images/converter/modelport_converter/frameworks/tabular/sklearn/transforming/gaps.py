"""Transformers that fill what is missing, or tell where something is."""

from typing import Any

import numpy as np
from sklearn import impute

from modelport_converter.frameworks.tabular.sklearn.transforming.encoding import is_missing
from modelport_converter.frameworks.tabular.writer import Writer, refuse
from modelport_converter.onnx_graphs.writing import text_array
from modelport_converter.tables.frames import MISSING, Block, Frame
from modelport_converter.tables.graph import TableGraph


def _impute(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    graph = frame.graph
    statistics = estimator.statistics_
    kept = [number for number, value in enumerate(statistics) if not is_missing(value)]
    blocks = []
    for number in kept:
        column = frame.column(number)
        if column.is_text:
            is_absent = graph.add("Equal", _codes(graph, column, [MISSING]), np.array(0, np.int64))
            filled = graph.add("Where", is_absent, text_array([statistics[number]]), column.value)
        else:
            filled = graph.add("Where", _is_absent(graph, estimator, column), float(statistics[number]), column.value)
        blocks.append(Block(filled, 1, column.is_text))
    if estimator.add_indicator:
        for number in estimator.indicator_.features_:
            column = frame.column(int(number))
            if column.is_text:
                raise refuse(estimator, "add_indicator of texts is not converted", "use add_indicator=False")
            blocks.append(Block(graph.cast(_is_absent(graph, estimator, column), np.float64), 1))
    return Frame(
        graph,
        tuple(blocks),
        tuple(frame.names[number] for number in kept) if frame.names and not estimator.add_indicator else (),
    )


def _is_absent(graph: TableGraph, estimator: Any, column: Block) -> str:
    marked = estimator.missing_values
    if is_missing(marked) or type(marked).__name__ == "NAType":
        return graph.add("IsNaN", column.value)
    if isinstance(marked, str):
        raise refuse(estimator, f"missing_values={marked!r} of texts is not converted", "mark them by NaN")
    return graph.add("Equal", column.value, float(marked))


def _codes(graph: TableGraph, column: Block, keys: list[str]) -> str:
    places = [*range(len(keys))]
    return graph.add(
        "LabelEncoder", column.value, domain="ai.onnx.ml", keys_strings=keys, values_int64s=places, default_int64=-1
    )


def _indicate(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    if not len(estimator.features_):
        raise refuse(estimator, "an indicator of no column at all is not converted", "leave it out")
    graph = frame.graph
    found = [_is_absent(graph, estimator, frame.column(int(number))) for number in estimator.features_]
    return Frame(graph, tuple(Block(graph.cast(each, np.float64), 1) for each in found))


TRANSFORMERS = {impute.SimpleImputer: _impute, impute.MissingIndicator: _indicate}
