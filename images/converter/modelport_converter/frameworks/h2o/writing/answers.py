"""What models of H2O answer: labels as it chooses them, probabilities, numbers (hex.genmodel.GenModel)."""

from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.h2o.learned.model import BOTH, Learned
from modelport_converter.frameworks.h2o.writing.rows import Rows
from modelport_converter.frameworks.h2o.writing.ties import draw
from modelport_converter.onnx_graphs.writing import text_array
from modelport_converter.tables.answers import (
    LABEL,
    PREDICTION,
    PROBABILITIES,
    Answers,
    both,
    classify,
    most_likely,
    second_where,
)
from modelport_converter.tables.graph import TableGraph

CALIBRATED = "calibrated_probabilities"
SLACK = 1e-13
"""Of a threshold, which is the probability of a row that the model was trained on: sums in another order are as near to it."""


class Bend(NamedTuple):
    """How probabilities are calibrated by straight lines between knots."""

    low: float
    high: float
    knots: Array
    values: Array
    """What is answered at each knot itself."""
    starts: Array
    """Where the line begins that is behind each knot."""
    slopes: Array


class Classes(NamedTuple):
    """What a model says of its classes, beside their probabilities."""

    labels: Array
    threshold: float
    """From which probability on it is the second of two."""
    priors: Array | None
    """Shares of the classes, by which equal ones are drawn among."""
    ratios: Array | None
    """What probabilities are multiplied with, of a model that was trained on as many rows of each class."""
    platt: Array | None
    """Slope and intercept, of calibration by a logistic model."""
    bend: Bend | None


def read_classes(model: Learned) -> Classes:
    """Read what answers of classes need. Raises ValueError and ModelportError."""
    domain = model.domain(len(model.mojo.columns) - 1) if model.flag("supervised") else None
    if domain is None and model.is_of_two:
        domain = ("0", "1")
    if domain is None or len(domain) != model.classes:
        raise ValueError(f"{len(domain or ())} labels where n_classes = {model.classes}")
    priors = model.numbers("prior_class_distrib", model.classes) if model.has("prior_class_distrib") else None
    method = model.text("calib_method") if model.has("calib_method") else None
    if method not in (None, "platt", "isotonic"):
        model.refuse(f"calib_method {method:.40}")
    return Classes(
        text_array(domain),
        model.real("default_threshold"),
        priors,
        _ratios(model, priors) if model.flag("balance_classes") else None,
        model.numbers("calib_glm_beta", 2) if method == "platt" else None,
        _read_bend(model) if method == "isotonic" else None,
    )


def _ratios(model: Learned, priors: Array | None) -> Array:
    trained = model.numbers("model_class_distrib", model.classes)
    if priors is None:
        raise ValueError("balance_classes without prior_class_distrib")
    is_known = (priors != 0) & (trained != 0)
    return np.where(is_known, priors / np.where(is_known, trained, 1.0), 1.0)


def _read_bend(model: Learned) -> Bend:
    low, high = model.real("calib_min_x"), model.real("calib_max_x")
    knots, values = _doubles(model, "calib/thresholds_x"), _doubles(model, "calib/thresholds_y")
    if not 0 < len(knots) == len(values) or not np.all(np.diff(knots) >= 0) or not knots[0] <= low <= high <= knots[-1]:
        raise ValueError("calib/thresholds_x that fall, or do not hold calib_min_x and calib_max_x")
    own, first = np.unique(knots, return_index=True)  # a knot that is there twice is a jump
    last = np.append(first[1:], len(knots)) - 1
    rise = np.append(values[first[1:]] - values[last[:-1]], 0.0)
    there = np.array([values[_search(knots, knot)] for knot in own])
    return Bend(low, high, own, there, values[last], rise / np.append(np.diff(own), 1.0))


def _search(knots: Array, knot: float) -> int:
    """Return the place of a knot that java.util.Arrays.binarySearch finds: of equal ones any."""
    low, high = 0, len(knots) - 1
    while True:
        middle = (low + high) // 2
        if knots[middle] == knot:
            return middle
        low, high = (middle + 1, high) if knots[middle] < knot else (low, middle - 1)


def _doubles(model: Learned, name: str) -> Array:
    content = model.files.read(name)
    count = int.from_bytes(content[:4], "big")
    if len(content) != 4 + 8 * count:
        raise ValueError(f"{name} of {len(content)} bytes for {count} numbers")
    return np.frombuffer(content, ">f8", offset=4).astype(np.float64)


def regress(prediction: str) -> Answers:
    """Return a number for each row."""
    return {PREDICTION: prediction}


def classify_two(graph: TableGraph, classes: Classes, probabilities: str) -> Answers:
    """Return the label by the threshold that is stored, and the probabilities [batch, 2]."""
    threshold = classes.threshold - abs(classes.threshold) * SLACK
    is_second = graph.add("GreaterOrEqual", graph.columns(probabilities, [1]), threshold)
    return {LABEL: second_where(graph, classes.labels, is_second), PROBABILITIES: probabilities}


def classify_all(rows: Rows, classes: Classes, probabilities: str) -> Answers:
    """Return the label and the probabilities, corrected; equal ones are drawn among; and calibrated ones, if there are some."""
    graph = rows.graph
    if classes.ratios is not None:
        probabilities = normalize(graph, graph.add("Mul", probabilities, classes.ratios[None]))
    if len(classes.labels) == BOTH:
        return {**classify_two(graph, classes, probabilities), **_calibrate(graph, classes, probabilities)}
    if classes.priors is None:  # seen of no model that has trees or layers
        return {LABEL: most_likely(graph, classes.labels, probabilities), PROBABILITIES: probabilities}
    chosen = draw(rows, probabilities, classes.priors)
    return {LABEL: classify(graph, classes.labels, chosen), PROBABILITIES: probabilities}


def normalize(graph: TableGraph, numbers: str) -> str:
    """Return numbers divided by their sum, where it is above 0."""
    total = graph.sum_of(numbers, 1, keepdims=True)
    return graph.add("Div", numbers, graph.add("Where", graph.add("Greater", total, 0.0), total, 1.0))


def _calibrate(graph: TableGraph, classes: Classes, probabilities: str) -> Answers:
    """Return the calibrated probabilities, if the model has some (CalibrationMojoHelper)."""
    if classes.platt is not None:
        scale, shift = map(float, classes.platt)
        second = graph.sigmoid(graph.add("Add", graph.add("Mul", graph.columns(probabilities, [0]), scale), shift))
        return {CALIBRATED: both(graph, second)}
    if classes.bend is None:
        return {}
    bend = classes.bend
    clipped = graph.add("Min", graph.add("Max", graph.columns(probabilities, [1]), bend.low), bend.high)
    passed = graph.cast(graph.add("GreaterOrEqual", clipped, bend.knots[None]), np.int64)
    place = graph.add("Sub", graph.sum_of(passed, 1), np.array(1))
    columns = (bend.knots, bend.values, bend.starts, bend.slopes)
    knot, there, start, slope = (graph.reshape(graph.add("Gather", each, place), -1, 1) for each in columns)
    behind = graph.add("Add", start, graph.add("Mul", slope, graph.add("Sub", clipped, knot)))
    return {CALIBRATED: both(graph, graph.add("Where", graph.add("Equal", clipped, knot), there, behind))}
