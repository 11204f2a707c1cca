"""Gradient boosting, random forests and isolation forests (hex.genmodel.algos.gbm, drf, isofor)."""

import numpy as np

from modelport_converter.frameworks.h2o.learned.model import Learned
from modelport_converter.frameworks.h2o.learned.trees import read_forest
from modelport_converter.frameworks.h2o.writing.answers import classify_all, normalize, read_classes, regress
from modelport_converter.frameworks.h2o.writing.links import LINKS, default_link, write_link
from modelport_converter.frameworks.h2o.writing.rows import Rows
from modelport_converter.frameworks.h2o.writing.writer import Write
from modelport_converter.tables.answers import Answers, both
from modelport_converter.tables.forest import Forest
from modelport_converter.tables.trees import write_sums

OF_TWO = ("bernoulli", "quasibinomial", "modified_huber")
"""Distributions whose trees tell of the second of two classes."""
NUMBERS = ("gaussian", "poisson", "gamma", "tweedie", "laplace", "quantile", "huber")
SCORE, LENGTH, IS_ANOMALY = "score", "mean_length", "is_anomaly"


def _groups(model: Learned) -> int:
    """Return how many trees a step has."""
    is_double = model.flag("binomial_double_trees", otherwise=False)
    otherwise = 1 if model.is_of_two and not is_double else model.classes
    groups = model.count("n_trees_per_class", otherwise)
    if groups not in (1, model.classes):
        raise ValueError(f"n_trees_per_class = {groups} of {model.classes} classes")
    return groups


def _sums(rows: Rows, forest: Forest, groups: int) -> str:
    if not forest.roots:
        return rows.constant(np.zeros(groups))
    return write_sums(rows.graph, rows.table(), forest, groups)


def open_gbm(model: Learned) -> Write:
    """Read gradient boosting."""
    groups = _groups(model)
    forest, _ = read_forest(model, groups)
    family, start = model.text("distribution"), model.real("init_f")
    link = model.text("link_function") if model.has("link_function") else default_link(family)
    if family not in (*OF_TWO, *NUMBERS, "multinomial"):
        model.refuse(f"distribution {family:.40}")
    if link not in LINKS:
        model.refuse(f"link_function {link:.40}")
    is_pair = family == "multinomial" and model.is_of_two  # one tree a step, whose sum is that of the first class
    if groups != (model.classes if family == "multinomial" and not is_pair else 1):
        raise ValueError(f"distribution {family} with {groups} trees a step")
    if (family in NUMBERS) != (model.classes == 1):
        raise ValueError(f"distribution {family} with {model.classes} classes")

    classes = read_classes(model) if model.classes > 1 else None

    def write(rows: Rows) -> Answers:
        graph, sums = rows.graph, _sums(rows, forest, groups)
        if groups == 1:
            offset, sums = rows.offset(), graph.add("Add", sums, start)
            sums = graph.add("Add", sums, offset) if offset else sums
        if family == "multinomial":
            sums = graph.side_by_side([sums, graph.add("Neg", sums)]) if is_pair else sums
            probabilities = graph.add("Softmax", sums, axis=1)
        else:
            answer = write_link(graph, link, sums)
            if family in NUMBERS:
                return regress(answer)
            probabilities = both(graph, answer)
        assert classes
        return classify_all(rows, classes, probabilities)

    return write


def open_drf(model: Learned) -> Write:
    """Read random forests: means of what their trees give."""
    groups = _groups(model)
    forest, steps = read_forest(model, groups)
    if groups == 1 and not (model.classes == 1 or model.is_of_two):
        raise ValueError(f"{groups} trees a step for {model.classes} classes")

    classes = read_classes(model) if model.classes > 1 else None

    def write(rows: Rows) -> Answers:
        graph, sums = rows.graph, _sums(rows, forest, groups)
        if groups == 1:
            sums = graph.add("Div", sums, float(steps))
            if model.classes == 1:
                return regress(sums)
            probabilities = graph.side_by_side([sums, graph.add("Sub", 1.0, sums)])
        else:
            probabilities = normalize(graph, sums)
        assert classes
        return classify_all(rows, classes, probabilities)

    return write


def open_isolation_forest(model: Learned) -> Write:
    """Read isolation forests: sums of path lengths between the shortest and the longest one of training."""
    forest, steps = read_forest(model, 1)
    longest, shortest = model.count("max_path_length", 0), model.count("min_path_length", 0)
    has_flag = model.flag("output_anomaly_flag", otherwise=False)
    threshold = model.real("default_threshold")

    def write(rows: Rows) -> Answers:
        graph, lengths = rows.graph, _sums(rows, forest, 1)
        score = rows.constant(np.ones(1))
        if longest > shortest:
            score = graph.add("Div", graph.add("Sub", float(longest), lengths), float(longest - shortest))
        answers = {SCORE: score, LENGTH: graph.add("Div", lengths, float(max(steps, 1)))}
        if not has_flag:
            return answers
        is_anomaly = graph.cast(graph.add("Greater", score, threshold), np.int64)
        return {IS_ANOMALY: is_anomaly, **answers}

    return write
