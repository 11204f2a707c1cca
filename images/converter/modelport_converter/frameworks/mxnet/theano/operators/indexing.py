"""Parts of values, by slices and by tables of places; and values with such parts replaced or added to.

What replaces a part is written by places: an array of 0, 1, 2 … in the value's shape is cut as the value would be, and
tells where each new number belongs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelport_converter.frameworks.mxnet.theano.library import theano
from modelport_converter.frameworks.mxnet.theano.operators.node import Graph, operator, refuse, widened

FAR = 2**62


@operator("Subtensor")
def write_part(graph: Graph, node: Any) -> str:
    """Write slices and single places of axes."""
    indices = _indices(node.op.idx_list, list(node.inputs[1:]))
    return cut(graph, graph.value(node.inputs[0]), indices)


def _indices(template: Sequence[Any], given: list[Any]) -> list[Any]:
    """Return the index with its scalars: `idx_list` has their types in their places, or numbers."""

    def fill(each: Any) -> Any:
        if isinstance(each, slice):
            return slice(fill(each.start), fill(each.stop), fill(each.step))
        return each if each is None or isinstance(each, (int, np.integer)) else given.pop(0)

    return [fill(each) for each in template]


def cut(graph: Graph, name: str, indices: Sequence[Any]) -> str:
    """Return a part of a value; indices are slices and scalars."""
    starts, ends, axes, steps, dropped = [], [], [], [], []
    for axis, index in enumerate(indices):
        if isinstance(index, slice):
            step = _number(graph, index.step, 1)
            if isinstance(step, str):
                refuse("operator Subtensor", "its step follows from an input")
            start = _number(graph, index.start, 0 if step > 0 else FAR)
            if start == 0 and index.stop is None and step == 1:
                continue
            starts.append(start)
            ends.append(_number(graph, index.stop, FAR if step > 0 else -FAR))
            steps.append(step)
        else:
            place = _number(graph, index, 0)
            starts.append(place)
            ends.append(_after(graph, place))
            steps.append(1)
            dropped.append(axis)
        axes.append(axis)
    if axes:
        bounds = (graph.joined(starts), graph.joined(ends), graph.writer.lengths(*axes), graph.writer.lengths(*steps))
        name = graph.writer.add("Slice", name, *bounds)
    return graph.writer.add("Squeeze", name, graph.writer.lengths(*dropped)) if dropped else name


def _number(graph: Graph, given: Any, otherwise: int) -> int | str:
    if given is None:
        return otherwise
    if isinstance(given, (int, np.integer)):
        return int(given)
    number = graph.scalar(given)
    # Theano's word for the end is the largest number of its type
    return max(-FAR, min(FAR, number)) if isinstance(number, int) else number


def _after(graph: Graph, place: int | str) -> int | str:
    """Return the end of a slice of one: behind the last place, -1, there is none."""
    if isinstance(place, int):
        return FAR if place == -1 else place + 1
    after = graph.writer.add("Add", place, graph.writer.lengths(1))
    is_last = graph.writer.add("Equal", place, graph.writer.lengths(-1))
    return graph.writer.add("Where", is_last, graph.writer.lengths(FAR), after)


@operator("AdvancedSubtensor1")
def write_rows(graph: Graph, node: Any) -> str:
    """Write rows by their numbers: a lookup in a table."""
    value, places = node.inputs
    return graph.writer.add("Gather", graph.value(value), _whole(graph, places), axis=0)


def _whole(graph: Graph, places: Any) -> str:
    return graph.valued(places, places.dtype if places.dtype in {"int32", "int64"} else "int64")


@operator("AdvancedSubtensor")
def write_places(graph: Graph, node: Any) -> str:
    """Write elements by tables of places for the first axes."""
    value, *given = node.inputs
    return _take(graph, graph.value(value), value.ndim, given)


def _take(graph: Graph, name: str, rank: int, given: Sequence[Any]) -> str:
    """Return what tables of places for some axes take, side by side, and slices of others."""
    slices = [_slice(each) for each in given]
    name = cut(graph, name, [each or slice(None) for each in slices])
    taken = [axis for axis, each in enumerate(slices) if each is None]
    if any(not hasattr(given[axis].type, "dtype") or given[axis].dtype == "bool" for axis in taken):
        refuse("operator AdvancedSubtensor", "only tables of whole numbers and whole axes are converted")
    if taken != list(range(taken[0], taken[-1] + 1)):
        refuse("operator AdvancedSubtensor", "tables for axes that are not side by side; transpose before it")
    order = [*taken, *(axis for axis in range(rank) if axis not in taken)]
    name = graph.writer.transpose(name, *order)
    if len(taken) == 1:
        made = graph.writer.add("Gather", name, _whole(graph, given[taken[0]]), axis=0)
    else:
        tables = [graph.valued(given[axis], "int64") for axis in taken]
        shape = graph.writer.add("Shape", _all(graph, tables))
        wide = [
            graph.writer.add("Unsqueeze", graph.writer.add("Expand", each, shape), graph.writer.lengths(-1))
            for each in tables
        ]
        made = graph.writer.add("GatherND", name, graph.writer.concat(wide, -1))
    places = max(given[axis].ndim for axis in taken)
    before = taken[0]
    moved = [*range(places, places + before), *range(places), *range(places + before, places + rank - len(taken))]
    return graph.writer.transpose(made, *moved)


def _all(graph: Graph, tables: Sequence[str]) -> str:
    made = tables[0]
    for each in tables[1:]:
        made = graph.writer.add("Add", made, each)
    return made


def _slice(given: Any) -> slice | None:
    """Return what an index is, where it is a slice: of numbers, or of scalars."""
    if isinstance(getattr(given, "data", None), slice):
        return given.data  # type: ignore[no-any-return]  # Theano has no types
    if given.owner is None or type(given.owner.op).__name__ != "MakeSlice":
        return None
    ends = [None if is_none(each) else each for each in given.owner.inputs]
    return slice(*ends)


# --- parts replaced ---------------------------------------------------------------------------------------------------


@operator("IncSubtensor")
def write_replaced(graph: Graph, node: Any) -> str:
    """Write a value with a part set, or added to."""
    value, new = node.inputs[:2]
    indices = _indices(node.op.idx_list, list(node.inputs[2:]))
    if all(isinstance(each, slice) and each == slice(None) for each in indices):
        return _replace_all(graph, node)
    places = cut(graph, _places(graph, value), indices)
    return _replace(graph, value, new, places, is_set=node.op.set_instead_of_inc)


@operator("AdvancedIncSubtensor1")
def write_rows_replaced(graph: Graph, node: Any) -> str:
    """Write a value with rows set, or added to, by their numbers."""
    value, new, rows = node.inputs
    places = graph.writer.add("Gather", _places(graph, value), _whole(graph, rows), axis=0)
    return _replace(graph, value, new, places, is_set=node.op.set_instead_of_inc)


@operator("AdvancedIncSubtensor")
def write_places_replaced(graph: Graph, node: Any) -> str:
    """Write a value with elements set, or added to, by tables of places."""
    value, new, *given = node.inputs
    places = _take(graph, _places(graph, value), value.ndim, given)
    return _replace(graph, value, new, places, is_set=node.op.set_instead_of_inc)


def _replace_all(graph: Graph, node: Any) -> str:
    value, new = node.inputs[:2]
    out = node.outputs[0].dtype
    if node.op.set_instead_of_inc:
        shape = graph.writer.add("Shape", graph.value(value))
        return graph.writer.add("Expand", graph.valued(new, out), shape)
    return graph.compute("Add", [graph.value(value), graph.valued(new, out)], out)


def _places(graph: Graph, value: Any) -> str:
    """Return 0, 1, 2 … in the shape of a value."""
    shape = graph.writer.add("Shape", graph.value(value))
    count = graph.writer.add("Size", graph.value(value))
    numbers = graph.writer.add("Range", graph.number(0, "int64"), count, graph.number(1, "int64"))
    return graph.writer.add("Reshape", numbers, shape)


def _replace(graph: Graph, value: Any, new: Any, places: str, *, is_set: bool) -> str:
    name, dtype = graph.value(value), value.dtype
    wide = dtype if is_set else widened(dtype)
    content = graph.writer.add("Expand", graph.valued(new, wide), graph.writer.add("Shape", places))
    flat = graph.cast(graph.writer.reshape(name, -1), dtype, wide)
    rows = graph.writer.reshape(places, -1, 1)
    numbers = graph.writer.reshape(content, -1)
    how = {} if is_set else {"reduction": "add"}
    made = graph.writer.add("ScatterND", flat, rows, numbers, **how)
    return graph.cast(graph.writer.add("Reshape", made, graph.writer.add("Shape", name)), wide, dtype)


def is_none(variable: Any) -> bool:
    """Whether a variable is Theano's None."""
    return isinstance(variable.type, theano.tensor.type_other.NoneTypeT)
