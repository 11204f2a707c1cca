"""Slices, gathering and scattering."""

from collections.abc import Callable

from modelport_converter.frameworks.pytorch.generating.nodes import Node, UnsupportedError, of_items
from modelport_converter.frameworks.pytorch.generating.support import indexing
from modelport_converter.frameworks.pytorch.generating.values import Item, Value, show

_END = 1 << 31
"""An end from here on is none."""
NO_END = ((1 << 31) - 1, (1 << 63) - 1)
"""Ends that ONNX Runtime takes for none, whatever the direction."""
_HOW = {"none": "none", "add": "add", "mul": "prod", "max": "amax", "min": "amin"}


def _slice(node: Node) -> str | Value:
    if node.version < 10:  # noqa: PLR2004
        starts, ends = tuple(node.get("starts")), tuple(node.get("ends"))
        axes = node.get("axes") or list(range(len(starts)))
        steps: tuple[Item, ...] = (1,) * len(starts)
    else:
        starts, ends = node.items(1), node.items(2)
        axes = node.array(3).reshape(-1).tolist() if node.has(3) else list(range(len(starts)))
        steps = tuple(node.array(4).reshape(-1).tolist()) if node.has(4) else (1,) * len(starts)
    own = node.value(0)
    if own.items is not None and not any(isinstance(each, str) for each in (*starts, *ends)):
        return of_items(own.items[slice(int(starts[0]), int(ends[0]), int(steps[0]))], axes=1, dtype=own.dtype)
    text, parts = node.tensor(0), dict[int, str]()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        place = axis if axis >= 0 else node.known_rank() + axis
        if not isinstance(step, str) and step < 0:
            text = _backward(node, text, place, (start, end, int(step)))
        else:
            parts[place] = f"{_begin(start)}:{_end(end)}" + (f":{show(step)}" if step != 1 else "")
    if not parts or set(parts.values()) == {":"}:
        return text
    return f"{text}[{', '.join(parts.get(axis, ':') for axis in range(max(parts) + 1))}]"


def _begin(start: Item) -> str:
    return "" if start == 0 else show(start)


def _end(end: Item) -> str:
    return "" if not isinstance(end, str) and end >= _END - 1 else show(end)


def _backward(node: Node, text: str, axis: int, span: tuple[Item, Item, int]) -> str:
    start, end, step = span
    if isinstance(start, str) or isinstance(end, str):
        raise UnsupportedError("backward, from or to a place that is free")
    if step == -1 and (start == -1 or start >= _END - 1) and end <= -_END:
        return f"torch.flip({text}, [{axis}])"
    if end in NO_END:
        end = -_END
    limits = (str(max(min(int(each), _END), -_END)) for each in (start, end))
    return node.code.call(indexing.slice_axis, text, str(axis), *limits, str(step))


def _gather(node: Node) -> str | Value:
    own, index, axis = node.value(0), node.constant(1), node.get("axis", 0)
    if own.items is not None and index is not None:
        picked = [own.items[int(place)] for place in index.reshape(-1)]
        if index.ndim < 2:  # noqa: PLR2004
            return of_items(picked, axes=index.ndim, dtype=own.dtype)
    numbers = node.value(1).numbers
    if numbers is not None and len(node.shape(1) or ()) == 0:
        return f"{node.tensor(0)}.select({axis}, {show(numbers[0])})"
    return node.code.call(indexing.gather, node.tensor(0), node.tensor(1), str(_positive(node, axis)))


def _positive(node: Node, axis: int) -> int:
    return int(axis) if axis >= 0 else node.known_rank() + int(axis)


def _gather_elements(node: Node) -> str:
    axis = str(_positive(node, node.get("axis", 0)))
    return node.code.call(indexing.gather_elements, node.tensor(0), node.tensor(1), axis)


def _depth(node: Node) -> int:
    shape = node.shape(1)
    if not shape or shape[-1] is None:
        raise UnsupportedError("whose indices have a free length")
    return shape[-1]


def _gather_nd(node: Node) -> str:
    batched, depth = node.get("batch_dims", 0), str(_depth(node))
    if not batched:
        return node.code.call(indexing.gather_nd, node.tensor(0), node.tensor(1), depth)
    return node.code.call(indexing.gather_nd_batched, node.tensor(0), node.tensor(1), depth, str(batched))


def _scatter_nd(node: Node) -> str:
    how = f'"{_HOW[node.get("reduction", "none")]}"'
    given = (node.tensor(index) for index in range(3))
    return node.code.call(indexing.scatter_nd, *given, str(_depth(node)), how)


def _scatter_elements(node: Node) -> str:
    how = f'"{_HOW[node.get("reduction", "none")]}"'
    given = (node.tensor(index) for index in range(3))
    return node.code.call(indexing.scatter_elements, *given, str(node.get("axis", 0)), how)


def _one_hot(node: Node) -> str:
    return node.code.call(indexing.one_hot, node.tensor(0), node.length(1), node.tensor(2), str(node.get("axis", -1)))


def _reverse(node: Node) -> str:
    axes = str(node.get("time_axis", 0)), str(node.get("batch_axis", 1))
    return node.code.call(indexing.reverse_sequence, node.tensor(0), node.tensor(1), *axes)


def _compress(node: Node) -> str:
    axis, chosen = node.get("axis"), node.tensor(1)
    index = f"torch.nonzero({chosen}).squeeze(1)"
    text = node.tensor(0) if axis is not None else f"{node.tensor(0)}.flatten()"
    return f"{text}.index_select({axis or 0}, {index})"


OPERATORS: dict[str, Callable[[Node], object]] = {
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "ScatterElements": _scatter_elements,
    "Scatter": _scatter_elements,
    "OneHot": _one_hot,
    "ReverseSequence": _reverse,
    "Compress": _compress,
    "NonZero": lambda node: f"torch.nonzero({node.tensor(0)}).t()",
}
