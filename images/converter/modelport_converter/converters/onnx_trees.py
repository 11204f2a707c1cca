"""What the trees of a graph compare the columns of an input with."""

from collections.abc import Iterator, Mapping

import onnx
from onnx import numpy_helper

from modelport_converter.converters.onnx_graphs import attribute_of

TREES = ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")
CARRIERS = ("Cast", "Identity")
SPLITS = ("nodes_values", "nodes_values_as_tensor", "nodes_splits")
"""Attributes with the numbers that nodes compare with: of floats, of doubles, and of the newer operator."""
LEAF = b"LEAF"

Tensors = Mapping[str, onnx.TypeProto.Tensor]


def find_thresholds(graph: onnx.GraphProto, name: str, tensors: Tensors) -> tuple[tuple[float, ...], ...]:
    """Return the thresholds by column of a table that reaches trees as it is, alone or beside others; none: ()."""
    columns: dict[int, set[float]] = {}
    for tree, offset in _trees(graph, name, 0, tensors):
        for feature, threshold in _splits(tree):
            if offset <= feature < offset + (_width(name, tensors) or feature + 1):
                columns.setdefault(feature - offset, set()).add(threshold)
    return tuple(tuple(sorted(columns.get(column, ()))) for column in range(max(columns, default=-1) + 1))


def _trees(graph: onnx.GraphProto, name: str, offset: int, tensors: Tensors) -> Iterator[tuple[onnx.NodeProto, int]]:
    """Return the trees that a table reaches, and how many columns stand before its own."""
    for node in graph.node:
        if name not in node.input:
            continue
        if node.op_type in TREES:
            yield node, offset
        elif node.op_type in CARRIERS:
            yield from _trees(graph, node.output[0], offset, tensors)
        elif node.op_type == "Concat" and getattr(attribute_of(node, "axis"), "i", 0) in (1, -1):
            before = [_width(each, tensors) for each in list(node.input)[: list(node.input).index(name)]]
            if all(before):
                yield from _trees(graph, node.output[0], offset + sum(before), tensors)


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
