"""A forest as ONNX: one operator TreeEnsemble of ai.onnx.ml 5, which compares in the type of its table.

Sets of codes are no business of its own operator: ONNX Runtime 1.32 answers wrongly for nodes of the modes EQ, NEQ and
MEMBER, as random trees show. A set becomes a column that holds whether the code is a member, NaN where it is missing.
"""

import numpy as np
from onnx import numpy_helper

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.onnx_graphs.writing import ML
from modelport_converter.tables.forest import Forest, Reading, round_down, round_up
from modelport_converter.tables.graph import TableGraph

LEQ, LESS = 0, 1
"""Modes of nodes."""
SUM, NO_TRANSFORM = 1, 0
MAX_CELLS = 1 << 27
"""Of a table of sets."""


def write_sums(graph: TableGraph, table: str, forest: Forest, targets: int) -> str:
    """Return the sums of what the trees give, float64 [batch, targets]; `table` is [batch, width], float32 or float64.

    The sum is made in the table's type only where leaves are numbers of float32.
    """
    if all(leaf.size == 1 for leaf in forest.leaves) and forest.leaves:
        values = np.concatenate(forest.leaves)
        return _ensemble(graph, table, forest, values, [forest.targets[tree] for tree in forest.leaf_trees], targets)
    found = write_leaves(graph, table, forest)
    numbers = graph.add("Gather", np.stack(forest.leaves), found, axis=0)  # [batch, trees, targets]
    return graph.sum_of(numbers, 1)


def write_leaves(graph: TableGraph, table: str, forest: Forest) -> str:
    """Return the number of the leaf that each tree ends in, int64 [batch, trees]."""
    numbers = np.arange(len(forest.leaves), dtype=np.float64)
    found = _ensemble(graph, table, forest, numbers, forest.leaf_trees, len(forest.roots))
    return graph.cast(found, np.int64)


def _ensemble(  # noqa: PLR0917  # as the operator has them
    graph: TableGraph, table: str, forest: Forest, weights: Array, targets: list[int], count: int
) -> str:
    dtype = np.float64  # all of it, so that thresholds and sums are those of the source
    splits = np.array(forest.thresholds, dtype)
    # a later conversion to float32 rounds these to themselves
    modes = np.full(len(splits), LESS if forest.is_below else LEQ, np.uint8)
    return graph.add(
        "TreeEnsemble",
        _with_readings(graph, table, forest),
        domain=ML,
        n_targets=count,
        aggregate_function=SUM,
        post_transform=NO_TRANSFORM,
        tree_roots=forest.roots,
        nodes_featureids=forest.features,
        nodes_splits=numpy_helper.from_array(splits),
        nodes_modes=numpy_helper.from_array(modes),
        nodes_truenodeids=forest.children[0],
        nodes_falsenodeids=forest.children[1],
        nodes_trueleafs=[int(each) for each in forest.leaf_children[0]],
        nodes_falseleafs=[int(each) for each in forest.leaf_children[1]],
        nodes_missing_value_tracks_true=[int(each) for each in forest.missing_true],
        leaf_targetids=targets,
        leaf_weights=numpy_helper.from_array(weights),
    )


def exact_in_float32(forest: Forest) -> None:
    """Round thresholds, in place, so that numbers of float32 are decided alike, also where these become float32."""
    thresholds = np.array(forest.thresholds, np.float64)
    rounded = (round_up if forest.is_below else round_down)(thresholds)
    forest.thresholds[:] = rounded.astype(np.float64).tolist()


def _with_readings(graph: TableGraph, table: str, forest: Forest) -> str:
    if not forest.readings:
        return table
    readings = list(forest.readings)  # in the order of their columns
    order, parts = list[int](), [table]
    for feature in sorted({each.feature for each in readings}):
        own = [number for number, each in enumerate(readings) if each.feature == feature]
        sets = [number for number in own if readings[number].is_set]
        zeros = [number for number in own if not readings[number].is_set]
        column = graph.columns(table, [feature])
        if sets:
            parts.append(_membership(graph, column, [readings[number] for number in sets]))
        for number in zeros:
            is_zero = graph.add("LessOrEqual", graph.add("Abs", column), float(readings[number].zero))
            parts.append(graph.add("Where", is_zero, float("nan"), column))
        order += [*sets, *zeros]
    behind = graph.side_by_side(parts)
    places = [forest.width + order.index(number) for number in range(len(readings))]
    return graph.columns(behind, [*range(forest.width), *places])


def _membership(graph: TableGraph, column: str, sets: list[Reading]) -> str:
    """Return whether the code in a column is a member of each set, by a table: 0 where it is, so that true is <= 0.5.

    Rows: below 0, each code, above all, missing.
    """
    size = max(max(each.members) for each in sets) + 1
    if (size + 3) * len(sets) > MAX_CELLS:
        message = f"{len(sets)} sets of codes up to {size - 1}: expected a table of at most {MAX_CELLS} cells; number categories from 0 on"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    rows = np.ones((size + 3, len(sets)), np.float64)
    for number, each in enumerate(sets):
        rows[np.array(sorted(each.members)) + 1, number] = 0.0
    rows[-1] = np.nan
    missing = graph.add("IsNaN", column)
    known = graph.add("Where", missing, 0.0, column)
    if sets[0].is_cut:
        known = graph.add("Mul", graph.add("Sign", known), graph.add("Floor", graph.add("Abs", known)))
    else:
        known = graph.add("Floor", known)
    within = graph.add("Max", graph.add("Min", known, float(size)), -1.0)
    index = graph.add("Where", missing, float(size + 2), graph.add("Add", within, 1.0))
    return graph.add("Gather", rows, graph.reshape(graph.cast(index, np.int64), -1), axis=0)
