"""What models of tables answer, by name, and how labels follow from numbers."""

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.onnx_graphs.writing import text_array
from modelport_converter.tables.graph import TableGraph

LABEL, PREDICTION, PROBABILITIES = "label", "prediction", "probabilities"
SCORES, TRANSFORMED = "scores", "transformed"
Answers = dict[str, str]
"""Values by the names of answers, in order."""


def classify(graph: TableGraph, classes: Array, place: str) -> str:
    """Return the classes at places, int64 [batch]: texts, whole numbers or truth values."""
    if classes.dtype.kind in "OU":
        return graph.add("Gather", text_array(classes.tolist()), place, axis=0)
    if classes.dtype.kind == "b":
        return graph.cast(graph.add("Gather", classes.astype(np.int64), place, axis=0), np.bool_)
    return graph.add("Gather", classes if classes.dtype.kind == "f" else classes.astype(np.int64), place, axis=0)


def most_likely(graph: TableGraph, classes: Array, numbers: str) -> str:
    """Return the class with the largest number, the first of equal ones, of numbers [batch, classes]."""
    return classify(graph, classes, graph.add("ArgMax", numbers, axis=1, keepdims=0))


def second_where(graph: TableGraph, classes: Array, condition: str) -> str:
    """Return the second of two classes where a condition [batch, …] holds, else the first one."""
    return classify(graph, classes, graph.reshape(graph.cast(condition, np.int64), -1))


def both(graph: TableGraph, second: str) -> str:
    """Return the probabilities of both classes, of the second one's [batch, 1]."""
    return graph.side_by_side([graph.add("Sub", 1.0, second), second])
