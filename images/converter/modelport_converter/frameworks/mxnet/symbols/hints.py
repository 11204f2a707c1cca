"""What a symbol tells about its inputs: tables that they look up, lengths of sequences; and how finely it computes."""

from collections.abc import Iterator

from modelport.api.base import Dtype
from modelport.verification.hints import Hint
from modelport_converter.frameworks.mxnet.symbols.model import Inferred, Model
from modelport_converter.frameworks.mxnet.symbols.reading.graphs import VARIABLE

CARRIERS = {
    *("Cast", "amp_cast", "_npx_cast", "Reshape", "_npx_reshape", "transpose", "SwapAxis", "expand_dims", "squeeze"),
    *("slice_axis", "slice", "_copy", "BlockGrad", "Flatten", "SliceChannel", "clip", "Concat"),
}
"""Operators whose results are elements of their first operand."""
TABLES = {"Embedding": (0, 1), "take": (1, 0)}
"""Which operand has the numbers of rows, and which the rows."""
FLOATS: tuple[Dtype, ...] = ("float16", "float32", "float64")


LENGTHS = {"SequenceMask": 0, "SequenceLast": 1, "SequenceReverse": 1, "softmax": 1}
"""Operators whose second operand has the lengths of sequences, with the smallest one: MXNet reads beyond the end for others."""


def find_hints(model: Model, inferred: tuple[Inferred, Inferred]) -> dict[str, Hint]:
    """Return hints by input; `inferred` are two choices of lengths."""
    nodes = model.graph.nodes
    inputs = {each.name for each in model.inputs}
    found: dict[str, Hint] = {}
    for number, node in enumerate(nodes):
        if node.operator == VARIABLE and node.name in inputs:
            reached = _reached(model, number)
            sizes = list(_tables(model, reached))
            lengths = list(_lengths(model, reached, inferred))
            if sizes:
                found[node.name] = Hint(lowest=0, highest=min(sizes) - 1)
            elif lengths:
                found[node.name] = Hint(lowest=max(low for low, _ in lengths), highest=min(high for _, high in lengths))
    return found


def _reached(model: Model, start: int) -> set[int]:
    """Return the nodes that a value comes through unchanged."""
    reached = {start}
    for number, node in enumerate(model.graph.nodes):
        if node.operator in CARRIERS and node.inputs and node.inputs[0][0] in reached:
            reached.add(number)
    return reached


def _lengths(model: Model, reached: set[int], inferred: tuple[Inferred, Inferred]) -> Iterator[tuple[int, int]]:
    """Yield the lengths that are allowed; where the axis is free, only the one that always is."""
    for node in model.graph.nodes:
        if node.operator in LENGTHS and len(node.inputs) > 1 and node.inputs[1][0] in reached:
            axis = int(node.attributes.get("axis", "-1" if node.operator == "softmax" else "0"))
            one, other = (each.entries[node.inputs[0]][axis] for each in inferred)
            yield LENGTHS[node.operator], one if one == other else 1


def _tables(model: Model, reached: set[int]) -> Iterator[int]:
    """Yield the lengths of tables whose rows are looked up."""
    nodes = model.graph.nodes
    for node in nodes:
        places, table = TABLES.get(node.operator, (0, 0))
        if node.operator not in TABLES or len(node.inputs) <= max(places, table):
            continue
        rows = model.weights.get(nodes[node.inputs[table][0]].name)
        if node.inputs[places][0] in reached and rows is not None and rows.ndim:
            yield len(rows)


def find_precision(inferred: Inferred) -> Dtype:
    """Return the coarsest type of floats between the layers."""
    found = {str(dtype) for dtype in inferred.types.values()}
    return next((each for each in FLOATS if each in found), "float32")
