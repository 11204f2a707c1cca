"""SSD's detections in ONNX: in the order that Caffe has them, by image, class and score."""

import numpy as np

from modelport_converter.frameworks.caffe.layers.base import numbers
from modelport_converter.frameworks.caffe.layers.detecting import Detect
from modelport_converter.frameworks.caffe.layers.net import Step
from modelport_converter.onnx_graphs.writing import GraphWriter, Operand

FLOAT, INT64, BOOL = 1, 7, 9
LEAST = -3.4028234663852886e38
"""No score, where the least is taken."""


def write_detect(graph: GraphWriter, step: Step, layer: Detect) -> None:
    """Write what decodes, suppresses and keeps."""
    boxes, scores, priors = step.bottoms
    count = numbers(step.shapes[2])[2] // 4
    decoded = _decode(graph, layer, boxes, priors, count)
    kinds = [each for each in range(layer.classes) if each != layer.background]
    scores = graph.add("Reshape", scores, graph.lengths(-1, count, layer.classes))
    scores = _pick(graph, graph.add("Transpose", scores, perm=[0, 2, 1]), kinds, layer.classes)
    decoded = graph.add("Transpose", decoded, perm=[0, 2, 1, 3])
    if layer.is_shared:
        decoded = _expand(graph, decoded, len(kinds), count)
    else:
        decoded = _pick(graph, decoded, kinds, layer.classes)
    top = count if layer.top < 0 else min(layer.top, count)
    scores, at = graph.add_many("TopK", ["", ""], scores, graph.lengths(top), axis=2)
    at = graph.add("Expand", graph.add("Unsqueeze", at, graph.lengths(3)), graph.lengths(1, 1, 1, 4))
    decoded = graph.add("GatherElements", decoded, at, axis=2)
    kept = _suppress(graph, layer, decoded, scores, top)
    flat = len(kinds) * top
    kept, scores = (graph.add("Reshape", each, graph.lengths(-1, flat)) for each in (kept, scores))
    if 0 <= layer.keep < flat:
        kept = _keep(graph, kept, scores, layer.keep)
    _rows(graph, (kept, scores, decoded), kinds, top, step.tops[0])


def _decode(graph: GraphWriter, layer: Detect, boxes: str, priors: str, count: int) -> str:
    """Add corners [images, boxes, classes, 4]."""
    boxes = graph.add("Reshape", boxes, graph.lengths(-1, count, 1 if layer.is_shared else layer.classes, 4))
    both = graph.add("Reshape", priors, graph.lengths(-1, count, 1, 4))  # boxes, and variances
    low, high = graph.add_many("Split", ["", ""], _at(graph, both, 0, 1), graph.lengths(2, 2), axis=3)
    if layer.has_variance:
        boxes = graph.add("Mul", boxes, _at(graph, both, 1, 2))
    if layer.code == "CORNER":
        return graph.add("Add", _at(graph, both, 0, 1), boxes)
    size = graph.add("Sub", high, low)
    if layer.code == "CORNER_SIZE":
        moved = graph.add("Mul", boxes, graph.add("Concat", size, size, axis=3))
        return graph.add("Add", _at(graph, both, 0, 1), moved)
    shift, growth = graph.add_many("Split", ["", ""], boxes, graph.lengths(2, 2), axis=3)
    middle = graph.add("Div", graph.add("Add", low, high), 2.0)
    middle = graph.add("Add", graph.add("Mul", shift, size), middle)
    half = graph.add("Div", graph.add("Mul", graph.add("Exp", growth), size), 2.0)
    return graph.add("Concat", graph.add("Sub", middle, half), graph.add("Add", middle, half), axis=3)


def _at(graph: GraphWriter, value: str, start: int, end: int) -> str:
    return graph.add("Slice", value, graph.lengths(start), graph.lengths(end), graph.lengths(0))


def _pick(graph: GraphWriter, value: str, kinds: list[int], classes: int) -> str:
    return value if len(kinds) == classes else graph.add("Gather", value, graph.lengths(*kinds), axis=1)


def _expand(graph: GraphWriter, value: str, kinds: int, count: int) -> str:
    return graph.add("Expand", value, graph.lengths(1, kinds, count, 4))


def _suppress(graph: GraphWriter, layer: Detect, boxes: str, scores: str, top: int) -> str:
    """Add which boxes stand, 1 or 0, [images * classes, top]: each class of each image is one that knows no other."""
    if layer.code != "CENTER_SIZE":
        # corners the wrong way round overlap with nothing, but the operator would turn them
        low, high = graph.add_many("Split", ["", ""], boxes, graph.lengths(2, 2), axis=3)
        boxes = graph.add("Concat", low, graph.add("Max", low, high), axis=3)
    boxes = graph.add("Reshape", boxes, graph.lengths(-1, top, 4))
    scores = graph.add("Reshape", scores, graph.lengths(-1, 1, top))
    limits: list[Operand] = [graph.lengths(top), np.array([layer.overlap], np.float32)]
    if layer.threshold > LEAST:
        limits.append(np.array([layer.threshold], np.float32))
    found = graph.add("NonMaxSuppression", boxes, scores, *limits)
    places = graph.add("Gather", found, graph.lengths(0, 2), axis=1)
    nothing = graph.add("Cast", graph.add("Squeeze", graph.add("Mul", scores, 0.0), graph.lengths(1)), to=INT64)
    nothing = graph.add("Mul", nothing, graph.lengths(0))
    ones = graph.add("Expand", graph.lengths(1), graph.add("Shape", places, start=0, end=1))
    return graph.add("ScatterND", nothing, places, ones)


def _keep(graph: GraphWriter, kept: str, scores: str, keep: int) -> str:
    """Add which of them are among the best of their image, [images, classes * top]."""
    stands = graph.add("Cast", kept, to=BOOL)
    ranked = graph.add("Where", stands, scores, LEAST)
    best = graph.add_many("TopK", ["", ""], ranked, graph.lengths(keep), axis=1)[1]
    nothing = graph.add("Mul", kept, graph.lengths(0))
    ones = graph.add("Expand", graph.lengths(1), graph.add("Shape", best))
    return graph.add("Mul", kept, graph.add("ScatterElements", nothing, best, ones, axis=1))


def _rows(graph: GraphWriter, found: tuple[str, str, str], kinds: list[int], top: int, out: str) -> None:
    """Add the rows of what is left, or a row of -1 for each image if nothing is."""
    kept, scores, boxes = found
    places = graph.add("Transpose", graph.add("NonZero", kept), perm=[1, 0])  # image, and class * top + rank
    image, at = graph.add_many("Split", ["", ""], places, graph.lengths(1, 1), axis=1)
    kind = graph.add("Gather", np.array(kinds, np.float32), graph.add("Div", at, graph.lengths(top)), axis=0)
    score = graph.add("Unsqueeze", graph.add("GatherND", scores, places), graph.lengths(1))
    boxes = graph.add("Reshape", boxes, graph.lengths(-1, len(kinds) * top, 4))
    corners = graph.add("GatherND", boxes, places)
    rows = graph.add("Concat", graph.add("Cast", image, to=FLOAT), kind, score, corners, axis=1)
    images = graph.add("Shape", scores, start=0, end=1)
    numbered = graph.add("NonZero", graph.add("Expand", graph.lengths(1), images))
    first = graph.add("Cast", graph.add("Transpose", numbered, perm=[1, 0]), to=FLOAT)
    others = graph.add("Expand", np.full((1, 6), -1, np.float32), graph.add("Concat", images, graph.lengths(1), axis=0))
    none = graph.add("Concat", first, others, axis=1)
    is_empty = graph.add("Equal", graph.add("Shape", rows, start=0, end=1), graph.lengths(0))
    count = graph.add("Mul", images, graph.add("Cast", is_empty, to=INT64))
    spare = graph.add("Slice", none, graph.lengths(0), count, graph.lengths(0))
    graph.add("Unsqueeze", graph.add("Concat", rows, spare, axis=0), graph.lengths(0, 1), out=out)
