"""Transformers that compute other numbers: products, bins, functions of numpy."""

from typing import Any

import numpy as np
from sklearn import preprocessing
from sklearn.utils import check_array

from modelport_converter.frameworks.tabular.sklearn.transforming.scaling import table_of
from modelport_converter.frameworks.tabular.writer import Writer, refuse
from modelport_converter.tables.frames import Block, Frame
from modelport_converter.tables.graph import TableGraph


def _multiply(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    graph, value = frame.graph, frame.numbers()
    parts = []
    for powers in estimator.powers_:
        factors = [int(index) for index, power in enumerate(powers) for _ in range(power)]
        if not factors:
            column = graph.columns(value, [0])
            parts.append(
                graph.add(
                    "Add", graph.add("Mul", graph.add("Where", graph.add("IsNaN", column), 0.0, column), 0.0), 1.0
                )
            )
            continue
        product = graph.columns(value, factors[:1])
        for index in factors[1:]:
            product = graph.add("Mul", product, graph.columns(value, [index]))
        parts.append(product)
    return table_of(frame, graph.side_by_side(parts), len(parts))


def _bin(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    """Write bins: how many inner edges a number reaches."""
    graph, value, blocks = frame.graph, frame.numbers(), list[Block]()
    for number, edges in enumerate(estimator.bin_edges_):
        inner, count = np.asarray(edges[1:-1], np.float64)[None], int(estimator.n_bins_[number])
        column = graph.columns(value, [number])
        reached = graph.cast(graph.add("GreaterOrEqual", column, inner), np.float64)
        # of one bin there is no inner edge, and a sum over nothing is 0
        place = graph.sum_of(reached, 1, keepdims=True) if inner.size else graph.add("Mul", column, 0.0)
        if estimator.encode == "ordinal":
            blocks.append(Block(place, 1))
        else:
            same = graph.add("Equal", place, np.arange(count, dtype=np.float64)[None])
            blocks.append(Block(graph.cast(same, np.float64), count))
    return Frame(graph, tuple(blocks))


FUNCTIONS = {
    np.log: "Log", np.exp: "Exp", np.sqrt: "Sqrt", np.abs: "Abs", np.sin: "Sin", np.cos: "Cos", np.tanh: "Tanh",
    np.sign: "Sign", np.floor: "Floor", np.ceil: "Ceil", np.negative: "Neg",
}  # fmt: skip


def _call(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    function, graph = estimator.func, frame.graph
    own = getattr(function, "func", function)  # of a partial
    if function is None or own is check_array:  # how histograms of gradients pass numbers on
        return frame
    if estimator.kw_args:
        raise refuse(estimator, "a function with arguments of its own is not converted", "compute it before the model")
    found = call_function(graph, function, frame.numbers())
    if found is not None:
        return table_of(frame, found)
    name = getattr(function, "__name__", str(function))
    raise refuse(
        estimator,
        f"the function {name:.100} is Python code, which is not converted",
        "use numpy's log1p, log, exp, sqrt, …, or compute it before the model",
    )


def call_function(graph: TableGraph, function: Any, value: str) -> str | None:
    """Return what a function of numpy makes of a value; of an unknown one: None."""
    if function is np.log1p:
        return _log1p(graph, value)
    if function is np.expm1:
        return _expm1(graph, value)
    if function is np.square:
        return graph.add("Mul", value, value)
    if isinstance(function, np.ufunc) and function in FUNCTIONS:
        return graph.add(FUNCTIONS[function], value)
    return None


def _expm1(graph: TableGraph, value: str) -> str:
    """Return exp(x) - 1, right for small x, too: x (u - 1) / log(u) of u = exp(x), as rounded (Kahan)."""
    power = graph.add("Exp", value)
    rest = graph.add("Sub", power, 1.0)
    is_small = graph.add("Equal", rest, 0.0)
    is_near = graph.add("Less", graph.add("Abs", value), 0.5)  # beyond, the difference is right by itself
    safe = graph.add("Where", graph.add("And", is_near, graph.add("Not", is_small)), power, 2.0)
    corrected = graph.add("Mul", rest, graph.add("Div", value, graph.add("Log", safe)))
    return graph.add("Where", is_small, value, graph.add("Where", is_near, corrected, rest))


def _log1p(graph: TableGraph, value: str) -> str:
    """Return log(1 + x), right for small x, too: x log(u) / (u - 1) of u = 1 + x, as rounded (Kahan)."""
    sum_ = graph.add("Add", value, 1.0)
    rest = graph.add("Sub", sum_, 1.0)
    is_small = graph.add("Equal", rest, 0.0)
    safe = graph.add("Where", is_small, 1.0, rest)
    corrected = graph.add("Mul", graph.add("Log", sum_), graph.add("Div", value, safe))
    found = graph.add("Where", is_small, value, corrected)
    return graph.add("Where", graph.add("IsInf", graph.cast(value, np.float32)), graph.add("Log", sum_), found)


TRANSFORMERS = {
    preprocessing.PolynomialFeatures: _multiply,
    preprocessing.KBinsDiscretizer: _bin,
    preprocessing.FunctionTransformer: _call,
}
