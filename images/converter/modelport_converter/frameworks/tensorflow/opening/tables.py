"""Which inputs of floats are numbers of rows in a table: Keras feeds floats to an embedding, which makes integers of them."""

from collections.abc import Sequence

import tensorflow as tf

from modelport.api.spec import Input
from modelport.verification.hints import Hint
from modelport_converter.frameworks.tensorflow.model import Graph

LOOKUPS = {"GatherV2", "ResourceGather"}
"""Operators whose input 1 has rows of input 0."""
MOVING = {"ExpandDims", "Identity", "Reshape", "Squeeze", "StridedSlice", "Transpose"}
"""Operators that leave the numbers of input 0 as they are."""
COUNTING = {"AddV2", "SelectV2"}
"""Operators by which a lookup counts negative rows from the end, once the numbers are integers."""
CAST = "Cast"


def find_tables(graph: Graph, inputs: Sequence[Input]) -> dict[str, Hint]:
    """Return a hint for each input of floats that is cast to integers, which are rows of a table."""
    function = graph.function
    tables = {id(inner): outer for outer, inner in function.graph.captures}
    shapes = {id(each.handle): each.shape for each in function.graph.variables}
    found: dict[str, Hint] = {}
    for each, tensor in zip(inputs, function.inputs, strict=False):  # variables come after them
        lookups = _find_lookups(tensor) if tensor.dtype.is_floating else []
        held = [lookup.inputs[0] for lookup in lookups]
        rows = [shapes.get(id(tables.get(id(table))), table.shape)[0] for table in held]
        if rows and None not in rows:
            found[each.name] = Hint(0, min(rows) - 1)
    return found


def _find_lookups(given: tf.Tensor) -> list[tf.Operation]:
    """Return the operators that take a tensor's numbers, cast to integers, as rows of a table of known shape."""
    waiting, seen, found = [given], set[int](), []
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        for operation in tensor.consumers():
            if operation.type in LOOKUPS:
                is_row = tensor.dtype.is_integer and tensor is operation.inputs[1] and _is_by_row(operation)
                found += [operation] if is_row else []
            elif (
                operation.type == CAST
                or (operation.type in MOVING and tensor is operation.inputs[0])
                or (operation.type in COUNTING and tensor.dtype.is_integer)
            ):
                waiting += operation.outputs
    return found


def _is_by_row(lookup: tf.Operation) -> bool:
    """Whether what is looked up are rows of the first axis."""
    axis = tf.get_static_value(lookup.inputs[2]) if len(lookup.inputs) > 2 else 0  # noqa: PLR2004  # GatherV2 has one
    table = lookup.inputs[0]
    return axis == 0 and (table.dtype == tf.resource or bool(table.shape.rank))
