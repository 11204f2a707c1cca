"""k-means (hex.genmodel.algos.kmeans, GenModel.KMeans_distances): squared distances; each level that differs counts 1."""

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.h2o.learned.model import Learned
from modelport_converter.frameworks.h2o.writing.rows import Rows
from modelport_converter.frameworks.h2o.writing.writer import Write
from modelport_converter.tables.answers import Answers

CLUSTER, DISTANCES = "cluster", "distances"
NEWEST = 1.0
MAX_CENTERS = 1 << 20


def open_kmeans(model: Learned) -> Write:
    """Read k-means."""
    model.check_version(NEWEST)
    width = model.width
    count = model.count("center_num", most=MAX_CENTERS)
    centers = np.array([model.numbers(f"center_{number}", width) for number in range(count)]).reshape(count, width)
    is_scaled = model.flag("standardize")
    means = model.numbers("standardize_means", width) if is_scaled else np.zeros(width)
    scales = model.numbers("standardize_mults", width) if is_scaled and model.has("standardize_mults") else None
    modes = model.whole_numbers("standardize_modes", width) if is_scaled else []
    numbers = [feature for feature in range(width) if model.domain(feature) is None]
    if any((mode == -1) != (feature in set(numbers)) for feature, mode in enumerate(modes)):
        raise ValueError("standardize_modes of other columns than those with levels")
    if not count:
        raise ValueError("no centers")
    tables = {
        feature: _differences(
            centers[:, feature], len(model.domain(feature) or ()), modes[feature] if is_scaled else None
        )
        for feature in range(width)
        if feature not in set(numbers)
    }

    def write(rows: Rows) -> Answers:
        graph = rows.graph
        parts = [rows.look_up(feature, table) for feature, table in tables.items()]
        known = [rows.look_up(feature, _known(len(table))) for feature, table in tables.items() if not is_scaled]
        if numbers:
            values = rows.numbers(numbers)
            missing = graph.add("IsNaN", values)
            if is_scaled:
                values = graph.add("Where", missing, means[None, numbers], values)
                if scales is not None:
                    values = graph.add("Mul", graph.add("Sub", values, means[None, numbers]), scales[None, numbers])
            apart = graph.add("Sub", graph.add("Unsqueeze", values, np.array([1])), centers[None][:, :, numbers])
            squares = graph.add("Mul", apart, apart)
            if not is_scaled:
                squares = graph.add("Where", graph.add("Unsqueeze", missing, np.array([1])), 0.0, squares)
                known.append(graph.sum_of(graph.cast(graph.add("Not", missing), np.float64), 1, keepdims=True))
            parts.insert(0, graph.sum_of(squares, 2))
        distances = _added(rows, parts, count)
        if not is_scaled:  # as if what is missing were as far away as the others are
            there = _added(rows, known, 1)
            ratio = graph.add("Div", float(width), graph.add("Max", there, 1.0))
            distances = graph.add("Mul", distances, ratio)
        nearest = graph.add("ArgMin", distances, axis=1, keepdims=0)
        near = graph.cast(graph.add("Less", distances, float(np.finfo(np.float64).max)), np.float64)
        is_near = graph.add("Greater", graph.sum_of(near, 1), 0.0)
        return {CLUSTER: graph.add("Where", is_near, nearest, np.array(-1)), DISTANCES: distances}

    return write


def _differences(codes: Array, levels: int, mode: int | None) -> Array:
    """Return how far each level is from each center's, [levels + 1, centers]; a missing one is as the mode, or adds nothing."""
    found: Array = (np.arange(levels + 1)[:, None] != codes[None]).astype(np.float64)
    found[-1] = 0.0 if mode is None else mode != codes
    return found


def _known(size: int) -> Array:
    found = np.ones((size, 1))
    found[-1] = 0.0
    return found


def _added(rows: Rows, parts: list[str], width: int) -> str:
    total = parts[0] if parts else rows.constant(np.zeros(width))
    for part in parts[1:]:
        total = rows.graph.add("Add", total, part)
    return total
