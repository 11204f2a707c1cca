"""What moves numbers and changes none."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from modelport_converter.frameworks.caffe.targeting import composing
from modelport_converter.frameworks.caffe.targeting.building import Building, Node, Write

MOST_PARTS = 64
"""That one layer takes or gives where the model says nothing of layers."""


def _reshaped(to: Building, node: Node) -> str:
    return composing.reshape(to, to.blob(node), to.wanted(node))


def _expand(to: Building, node: Node) -> str:
    blob = to.blob(node)
    if to.wanted(node) != to.shape(blob):
        raise node.refuse(f"expected the shape that is there, found {list(to.wanted(node))} for {list(to.shape(blob))}")
    return blob


def _transpose(to: Building, node: Node) -> str:
    blob = to.blob(node)
    shape = to.shape(blob)
    order = list(node.get("perm") or range(len(shape))[::-1])
    long = [axis for axis in order if shape[axis] != 1]
    if long == sorted(long):
        return composing.reshape(to, blob, [shape[axis] for axis in order])
    if to.dialect == "bvlc":
        raise node.refuse("expected axes that stay in order: BVLC's Caffe moves none; ask for options.dialect: opencv")
    return to.add("Permute", blob, [shape[axis] for axis in order], permute={"order": order})


def _concat(to: Building, node: Node) -> str:
    return _joined(to, [to.blob(node, index) for index in range(len(node.inputs))], node.get("axis"))


def _joined(to: Building, blobs: Sequence[str], axis: int) -> str:
    if len(blobs) == 1:
        return blobs[0]
    axis %= len(to.shape(blobs[0]))
    shape = list(to.shape(blobs[0]))
    shape[axis] = sum(to.shape(each)[axis] for each in blobs)
    return to.add("Concat", list(blobs), shape, concat={"axis": axis})


def _split(to: Building, node: Node) -> list[str]:
    blob = to.blob(node)
    axis = node.get("axis", 0) % len(to.shape(blob))
    lengths = [to.wanted(node, index)[axis] if name else 0 for index, name in enumerate(node.outputs)]
    if not all(lengths):
        raise node.refuse("expected a name and a length for each output, found none")
    whole = to.shape(blob)[axis]
    if not node.input(1) and whole % len(lengths):  # of these, onnx infers other lengths than runtimes give
        raise node.refuse(
            f"expected lengths that are told, or parts of one length, found {whole} in {len(lengths)} parts"
        )
    return cut(to, blob, axis, [0, *np.cumsum(lengths).tolist()])


def cut(to: Building, blob: str, axis: int, bounds: Sequence[int]) -> list[str]:
    """Return the parts between bounds, of which the first is 0 and the last one the length."""
    if len(bounds) == 2:  # noqa: PLR2004  # beginning and end of one part
        return [blob]
    shape = to.shape(blob)
    shapes = [(*shape[:axis], end - start, *shape[axis + 1 :]) for start, end in pairwise(bounds)]
    return to.add_many("Slice", blob, shapes, slice={"axis": axis, "slice_point": list(bounds[1:-1])})


def part(to: Building, blob: str, axis: int, start: int, end: int) -> str:
    """Return a part of an axis."""
    length = to.shape(blob)[axis]
    bounds = sorted({0, start, end, length})
    return cut(to, blob, axis, bounds)[bounds.index(start)]


def _slice(to: Building, node: Node) -> str:
    blob = to.blob(node)
    for axis, chosen in _chosen(to, node):
        if not chosen:
            raise node.refuse("expected a part that holds anything, found none")
        if chosen.step == 1 or len(chosen) == 1:
            blob = part(to, blob, axis, chosen[0], chosen[-1] + 1)
        else:
            blob = _picked(to, node, blob, axis, chosen)
    return blob


def _chosen(to: Building, node: Node) -> list[tuple[int, range]]:
    """Return axes, and the places that are taken of each."""
    shape = to.shape(to.blob(node))
    starts, ends, axes, steps = (to.constant(node.input(index)) for index in (1, 2, 3, 4))
    is_known = all((given is None) == (not node.input(index)) for index, given in ((3, axes), (4, steps)))
    if starts is None or ends is None or not is_known:
        raise node.refuse("expected bounds that are constants, found some that are computed")
    count = starts.size
    axes = np.arange(count) if axes is None else axes
    steps = np.ones(count, np.int64) if steps is None else steps
    bounds = zip(*(each.ravel().tolist() for each in (axes, starts, ends, steps)), strict=True)
    return [(axis % len(shape), range(shape[axis])[start:end:step]) for axis, start, end, step in bounds]


def _picked(to: Building, node: Node, blob: str, axis: int, places: Sequence[int]) -> str:
    """Return places of an axis in any order, each as a part of its own."""
    if len(places) > MOST_PARTS:
        raise node.refuse(f"expected at most {MOST_PARTS} places that do not follow each other, found {len(places)}")
    length = to.shape(blob)[axis]
    parts = cut(to, blob, axis, range(length + 1)) if length <= MOST_PARTS else []
    if not parts:
        raise node.refuse(
            f"expected an axis of at most {MOST_PARTS} for places that do not follow each other, found {length}"
        )
    return _joined(to, [parts[place] for place in places], axis)


def _gather(to: Building, node: Node) -> str:
    indices = to.constant(node.input(1))
    if indices is None:
        raise node.refuse("expected indices that are constants, found some that follow from the inputs")
    blob = to.blob(node)
    axis = node.get("axis", 0) % len(to.shape(blob))
    length = to.shape(blob)[axis]
    places = [int(each) % length for each in indices.ravel()]
    if places and places == list(range(places[0], places[0] + len(places))):
        chosen = part(to, blob, axis, places[0], places[-1] + 1)
    else:
        chosen = _picked(to, node, blob, axis, places)
    return composing.reshape(to, chosen, to.wanted(node))


def _tile(to: Building, node: Node) -> str:
    repeats = to.constant(node.input(1))
    if repeats is None or repeats.max(initial=1) > MOST_PARTS:
        raise node.refuse(f"expected at most {MOST_PARTS} repeats that are constants, found others")
    blob = to.blob(node)
    for axis, times in enumerate(repeats.tolist()):
        if times > 1:
            blob = _joined(to, [blob] * times, axis)
    return blob


OPERATORS: dict[str, Write] = {
    "Concat": _concat,
    "Expand": _expand,
    "Flatten": _reshaped,
    "Gather": _gather,
    "Reshape": _reshaped,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _reshaped,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _reshaped,
}
