"""What the trees of a graph compare the columns of an input with, and what stands for a number that is missing."""

import math
from collections.abc import Iterable, Iterator, Mapping

import onnx
from onnx import numpy_helper

from modelport_converter.converters.onnx_graphs import attribute_of

TREES = ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")
IMPUTER = "Imputer"
CARRIERS = ("Cast", "Identity", IMPUTER)
SPLITS = ("nodes_values", "nodes_values_as_tensor", "nodes_splits")
"""Attributes with the numbers that nodes compare with: of floats, of doubles, and of the newer operator."""
TRACKS = "nodes_missing_value_tracks_true"
LEAF = b"LEAF"

Tensors = Mapping[str, onnx.TypeProto.Tensor]


def find_thresholds(graph: onnx.GraphProto, name: str, tensors: Tensors) -> tuple[tuple[float, ...], ...]:
    """Return the thresholds by column of a table that reaches trees as it is, alone or beside others; none: ()."""
    width = _width(name, tensors)
    return _by_column(
        (feature - offset, threshold)
        for node, offset in _consumers(graph, name, 0, tensors)
        if node.op_type in TREES
        for feature, threshold in _splits(node)
        if offset <= feature < offset + (width or feature + 1)
    )


def find_missing(graph: onnx.GraphProto, name: str, tensors: Tensors) -> tuple[tuple[float, ...], ...]:
    """Return, by column of a table, what trees send a way of its own, and what is replaced on its way; none: ()."""
    width = _width(name, tensors)
    found = []
    for node, offset in _consumers(graph, name, 0, tensors):
        if node.op_type in TREES:
            features, tracks = attribute_of(node, "nodes_featureids"), attribute_of(node, TRACKS)
            known = zip(features.ints, tracks.ints, strict=False) if features and tracks else ()
            columns = {int(feature) - offset for feature, track in known if track}
            found += [(column, math.nan) for column in columns if 0 <= column < (width or column + 1)]
        elif node.op_type in (IMPUTER, "IsNaN"):
            replaced = (
                getattr(attribute_of(node, "replaced_value_float"), "f", 0.0) if node.op_type == IMPUTER else math.nan
            )
            found += [(column, replaced) for column in range(width)]
    return _by_column(found)


def _by_column(found: Iterable[tuple[int, float]]) -> tuple[tuple[float, ...], ...]:
    columns: dict[int, set[float]] = {}
    for column, number in found:
        columns.setdefault(column, set()).add(math.nan if math.isnan(number) else number)  # one NaN for all
    return tuple(tuple(sorted(columns.get(column, ()))) for column in range(max(columns, default=-1) + 1))


def _consumers(
    graph: onnx.GraphProto, name: str, offset: int, tensors: Tensors
) -> Iterator[tuple[onnx.NodeProto, int]]:
    """Return the nodes that a table reaches as it is, and how many columns stand before its own."""
    for node in graph.node:
        if name not in node.input:
            continue
        yield node, offset
        if node.op_type in CARRIERS:
            yield from _consumers(graph, node.output[0], offset, tensors)
        elif node.op_type == "Concat" and getattr(attribute_of(node, "axis"), "i", 0) in (1, -1):
            before = [_width(each, tensors) for each in list(node.input)[: list(node.input).index(name)]]
            if all(before):
                yield from _consumers(graph, node.output[0], offset + sum(before), tensors)


def _width(name: str, tensors: Tensors) -> int:
    """Return the number of columns; 0 if it is not known."""
    dims = list(tensors[name].shape.dim) if name in tensors else []
    return dims[1].dim_value if len(dims) == 2 else 0  # noqa: PLR2004  # rows and columns


def _splits(tree: onnx.NodeProto) -> Iterator[tuple[int, float]]:
    features, modes = attribute_of(tree, "nodes_featureids"), attribute_of(tree, "nodes_modes")
    splits = next((found for name in SPLITS if (found := attribute_of(tree, name)) is not None), None)
    if features is None or splits is None:
        return
    values = numpy_helper.to_array(splits.t).tolist() if splits.HasField("t") else list(splits.floats)
    leaves = [mode == LEAF for mode in modes.strings] if modes is not None and modes.strings else [False] * len(values)
    for feature, value, is_leaf in zip(features.ints, values, leaves, strict=False):
        if not is_leaf:
            yield int(feature), float(value)
