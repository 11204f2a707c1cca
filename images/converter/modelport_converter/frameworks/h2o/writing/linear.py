"""Generalized linear models (hex.genmodel.algos.glm): sums of coefficients, and links."""

from collections.abc import Callable

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.h2o.learned.model import Learned
from modelport_converter.frameworks.h2o.writing.answers import Classes, classify_two, read_classes, regress
from modelport_converter.frameworks.h2o.writing.links import write_link
from modelport_converter.frameworks.h2o.writing.rows import Rows
from modelport_converter.frameworks.h2o.writing.writer import Write
from modelport_converter.tables.answers import LABEL, PROBABILITIES, Answers, both, most_likely
from modelport_converter.tables.graph import TableGraph

NEWEST = 1.0
OF_TWO = ("binomial", "quasibinomial", "fractionalbinomial")
LINKS = ("identity", "logit", "log", "inverse", "tweedie")
LEAST = 2e-16
"""What exp is at least, for a power of 0."""
SKIPPED = "training skipped rows with missing values: a missing or unknown level is answered by NaN, where H2O's scorer refuses the row"


def open_glm(model: Learned) -> Write:
    """Read a linear model."""
    model.check_version(NEWEST)
    family = model.text("family")
    if family in ("multinomial", "ordinal"):
        sums = read_sums(model, model.classes)
        classes = read_classes(model)
        return _write_multinomial(classes, sums) if family == "multinomial" else _write_ordinal(classes, sums)
    sums, link = read_sums(model, 1), model.text("link")
    if link not in LINKS:
        model.refuse(f"link {link:.40}")
    if (family in OF_TWO) != (model.mojo.category == "Binomial"):
        model.refuse(f"family {family:.40} of category {model.mojo.category:.40}")
    power = model.real("tweedie_link_power", 0.0)
    of_two = read_classes(model) if family in OF_TWO else None

    def write(rows: Rows) -> Answers:
        graph = rows.graph
        offset, total = rows.offset(), sums(rows)
        total = graph.add("Add", total, offset) if offset else total
        mean = _powered(graph, total, power) if link == "tweedie" else write_link(graph, link, total, is_cut=False)
        return classify_two(graph, of_two, both(graph, mean)) if of_two else regress(mean)

    return write


def read_sums(model: Learned, classes: int) -> Callable[[Rows], str]:
    """Return what writes the sums, float64 [batch, classes], without an offset. Raises ValueError."""
    categories = model.count("cats", 0, most=model.width)
    numbers = model.count("nums", 0, most=model.width)
    offsets = model.offsets("cat_offsets", categories)
    if categories + numbers != model.width:
        raise ValueError(
            f"{categories} columns with levels and {numbers} with numbers where n_features = {model.width}"
        )
    per_class = offsets[-1] + numbers + 1
    beta = model.numbers("beta", classes * per_class).reshape(classes, per_class).T
    first = 0 if model.flag("use_all_factor_levels", otherwise=False) else 1
    is_filled = model.flag("mean_imputation", otherwise=False)
    modes = model.whole_numbers("cat_modes", categories) if is_filled else []
    means = model.numbers("num_means", numbers) if is_filled else np.zeros(0)
    tables = []
    for feature in range(categories):
        domain = model.domain(feature)
        if domain is None:
            raise ValueError(f"no levels of column {feature}")
        own = beta[offsets[feature] : offsets[feature + 1]]
        table = np.zeros((len(domain) + 1, classes))
        count = min(len(domain) - first, len(own))
        if count > 0:
            table[first : first + count] = own[:count]
        table[-1] = _missing(table, own, modes[feature] - first) if is_filled else np.nan
        tables.append(table)
    weights, intercept = beta[offsets[-1] : -1], beta[-1]

    def write(rows: Rows) -> str:
        graph = rows.graph
        if tables and not is_filled:
            graph.caveats.append(SKIPPED)
        parts = [rows.look_up(feature, table) for feature, table in enumerate(tables)]
        if numbers:
            values = rows.numbers(range(categories, model.width))
            if is_filled:
                values = graph.add("Where", graph.add("IsNaN", values), means[None], values)
            parts.append(graph.add("MatMul", values, weights))
        total = parts[0] if parts else rows.constant(np.zeros(classes))
        for part in parts[1:]:
            total = graph.add("Add", total, part)
        return graph.add("Add", total, intercept[None])

    return write


def _missing(table: Array, own: Array, place: int) -> Array:
    """Return the coefficients of the level that stands for a missing one."""
    return own[place] if 0 <= place < len(own) else np.zeros(table.shape[1])


def _powered(graph: TableGraph, sums: str, power: float) -> str:
    if power == 0:
        raised = graph.add("Exp", sums)
        return graph.add("Where", graph.add("Less", raised, LEAST), LEAST, raised)
    return graph.add("Pow", sums, 1.0 / power)


def _write_multinomial(classes: Classes, sums: Callable[[Rows], str]) -> Write:
    def write(rows: Rows) -> Answers:
        graph, total = rows.graph, sums(rows)
        largest = graph.add_many("TopK", ["", ""], total, graph.lengths(1), axis=1)[0]
        # sums that are all far below 0 end in 0 / 0, of which the scorer says the first class
        raised = graph.add("Exp", graph.add("Sub", total, graph.add("Max", largest, 0.0)))
        probabilities = graph.add("Mul", raised, graph.add("Div", 1.0, graph.sum_of(raised, 1, keepdims=True)))
        known = graph.add("Where", graph.add("IsNaN", probabilities), 0.0, probabilities)
        return {LABEL: most_likely(graph, classes.labels, known), PROBABILITIES: probabilities}

    return write


def _write_ordinal(classes: Classes, sums: Callable[[Rows], str]) -> Write:
    """Write differences of the probabilities that a class is at most so high; the sum of the last class counts for nothing."""

    def write(rows: Rows) -> Answers:
        graph = rows.graph
        total = graph.columns(sums(rows), [*range(len(classes.labels) - 1)])
        offset = rows.offset()
        below = graph.sigmoid(graph.add("Add", total, offset) if offset else total)
        ends = [
            graph.side_by_side([below, rows.constant(np.ones(1))]),
            graph.side_by_side([rows.constant(np.zeros(1)), below]),
        ]
        probabilities = graph.add("Sub", *ends)
        return {LABEL: most_likely(graph, classes.labels, probabilities), PROBABILITIES: probabilities}

    return write
