"""What the trees of a graph compare the columns of an input with, and what stands for a number that is missing."""

import math
from collections.abc import Iterable, Iterator, Mapping

import onnx
from onnx import numpy_helper

from modelport_converter.frameworks.onnx.hints.uses import Uses
from modelport_converter.onnx_graphs.graphs import attribute_of

TREES = ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")
IMPUTER = "Imputer"
CARRIERS = ("Cast", "Identity", IMPUTER)
SPLITS = ("nodes_values", "nodes_values_as_tensor", "nodes_splits")
"""Attributes with the numbers that nodes compare with: of floats, of doubles, and of the newer operator."""
WIDEST = 1 << 16
"""Columns of a table whose width is not known, at most: nothing checks the numbers that trees call columns by."""
TRACKS = "nodes_missing_value_tracks_true"
LEAF = b"LEAF"

Tensors = Mapping[str, onnx.TypeProto.Tensor]


def find_thresholds(uses: Uses, name: str, tensors: Tensors) -> tuple[tuple[float, ...], ...]:
    """Return the thresholds by column of a table that reaches trees as it is, alone or beside others; none: ()."""
    width = _width(name, tensors) or WIDEST
    return _by_column(
        (feature - offset, threshold)
        for node, offset in _consumers(uses, name, tensors)
        if node.op_type in TREES
        for feature, threshold in _splits(node)
        if offset <= feature < offset + width
    )


def find_missing(uses: Uses, name: str, tensors: Tensors) -> tuple[tuple[float, ...], ...]:
    """Return, by column of a table, what trees send a way of its own, and what is replaced on its way; none: ()."""
    width = _width(name, tensors)
    found = []
    for node, offset in _consumers(uses, name, tensors):
        if node.op_type in TREES:
            features, tracks = attribute_of(node, "nodes_featureids"), attribute_of(node, TRACKS)
            known = zip(features.ints, tracks.ints, strict=False) if features and tracks else ()
            columns = {int(feature) - offset for feature, track in known if track}
            found += [(column, math.nan) for column in columns if 0 <= column < (width or WIDEST)]
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
    # NaN last: it is neither above nor below another, and the order of a set is no order
    ordered = {
        column: tuple(sorted(numbers, key=lambda each: (math.isnan(each), each))) for column, numbers in columns.items()
    }
    return tuple(ordered.get(column, ()) for column in range(max(columns, default=-1) + 1))


def _consumers(uses: Uses, table: str, tensors: Tensors) -> Iterator[tuple[onnx.NodeProto, int]]:
    """Return the nodes that a table reaches as it is, and how many columns stand before its own."""
    places, seen = [(table, 0)], set[tuple[str, int]]()
    while places:
        place = name, offset = places.pop()
        if place in seen:
            continue
        seen.add(place)
        for node, position in uses.of(name):
            yield node, offset
            if node.op_type in CARRIERS:
                places.append((node.output[0], offset))
            elif node.op_type == "Concat" and getattr(attribute_of(node, "axis"), "i", 0) in (1, -1):
                before = [_width(each, tensors) for each in node.input[:position]]
                if all(before):
                    places.append((node.output[0], offset + sum(before)))


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
