"""Boxes of detectors: anchors, what is found at them, and which of those that overlap are kept.

What is suppressed stays in the answer with -1 as its class, or all over, so that lengths follow from nothing that is found.
"""

from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator

NOTHING = np.array(-1, np.float32)


@operator("_contrib_MultiBoxPrior", "_npx_multibox_prior")
def write_prior(call: Call) -> str:
    """Anchors at each pixel of a map: all sizes with the first shape, then the other shapes with the first size."""
    height, width = call.fixed(2), call.fixed(3)
    sizes, ratios = _numbers(call, "sizes", "(1,)"), np.sqrt(_numbers(call, "ratios", "(1,)"))
    steps, offsets = _numbers(call, "steps", "(-1,-1)"), _numbers(call, "offsets", "(0.5,0.5)")
    step_y, step_x = (
        step if step > 0 else np.float32(1 / length) for step, length in zip(steps, (height, width), strict=True)
    )
    x, y = np.meshgrid((np.arange(width) + offsets[1]) * step_x, (np.arange(height) + offsets[0]) * step_y)
    kinds = [(size, ratios[0]) for size in sizes] + [(sizes[0], ratio) for ratio in ratios[1:]]
    halves = [(size * height / width * ratio / 2, size / ratio / 2) for size, ratio in kinds]
    boxes = [np.stack([x - across, y - along, x + across, y + along], -1) for across, along in halves]
    anchors = np.stack(boxes, 2).reshape(1, -1, 4).astype(np.float32)
    return call.graph.weight(np.clip(anchors, 0, 1) if call.flag("clip") else anchors)


def _numbers(call: Call, key: str, default: str) -> Array:
    """Return an attribute that is a list of numbers."""
    text = call.text(key, default).strip("()[] ")
    try:
        return np.array([float(each) for each in text.split(",") if each.strip()], np.float32)
    except ValueError:
        raise call.refuse(f"expected numbers as {key}", text) from None


class _Rows(NamedTuple):
    """What was found, [batch, n], in order: as many as `number` says are there, and the others are nothing."""

    number: str
    """How many, int64 [batch, 1]."""
    order: str
    """Places of the rows before they were put in order, int64."""


def _sorted(call: Call, scores: str, valid: str, length: str) -> _Rows:
    """Put the best first, and what is none last."""
    lowest = np.array(-np.inf, np.float32)
    ranked = call.add("Where", valid, scores, lowest)
    _, order = call.graph.add_many("TopK", ["", ""], ranked, length, axis=1)
    count = call.graph.sum_of(call.graph.cast(valid, np.int64), 1, keepdims=True)
    return _Rows(count, order)


def _compacted(call: Call, valid: str, length: str) -> str:
    """Return the places of what is there, in their order, before all others."""
    places = _range(call, length)
    beyond = call.add("Where", valid, places, call.add("Add", places, length))
    _, order = call.graph.add_many("TopK", ["", ""], beyond, length, axis=1, largest=0)
    return order


def _range(call: Call, length: str) -> str:
    count = call.graph.reshape(length)
    return call.add("Range", np.array(0, np.int64), count, np.array(1, np.int64))


def _rows_of(call: Call, value: str, order: str) -> str:
    """Return rows of [batch, n] or [batch, n, …] in an order."""
    return call.add("GatherND", value, call.add("Unsqueeze", order, call.graph.lengths(2)), batch_dims=1)


def _kept(call: Call, boxes: str, there: str, classes: str, *, number: int, threshold: float) -> str:
    """Whether rows, which stand in order and of which some are there, overlap with none that is kept before them.

    Only those of one of so many classes are compared, all of them if there is one.
    """
    length = call.graph.length(boxes, 1)
    ranks = call.graph.cast(call.add("Sub", length, _range(call, length)), np.float32)  # the first has the highest
    keys = call.add("Where", there, ranks, np.array(0, np.float32))
    keys = call.add("Unsqueeze", keys, call.graph.lengths(1))
    if number > 1:
        kinds = np.arange(number, dtype=np.float32).reshape(1, -1, 1)
        is_own = call.add("Equal", call.add("Unsqueeze", classes, call.graph.lengths(1)), kinds)
        keys = call.add("Where", is_own, keys, np.array(0, np.float32))
    limits = np.array(threshold, np.float32), np.array(0, np.float32)
    found = call.add("NonMaxSuppression", boxes, keys, length, *limits)
    places = call.add("Gather", found, call.graph.lengths(0, 2), axis=1)
    zeros = call.add("Mul", ranks, np.array(0, np.float32))
    zeros = call.add("Expand", zeros, call.add("Shape", there))
    ones = call.add("Expand", np.array(1, np.float32), call.graph.length(places, 0))
    return call.graph.cast(call.add("ScatterND", zeros, places, ones), bool)


@operator("_contrib_MultiBoxDetection", "_npx_multibox_detection", least=3)
def write_detection(call: Call) -> str:
    """Class, score and box at each anchor: the best class but the background, which is the first (multibox_detection.cc)."""
    scores = call.graph.slice(call.x(), 1, 1)
    best = call.add("ReduceMax", scores, axes=[1], keepdims=0)
    classes = call.graph.cast(call.add("ArgMax", scores, axis=1, keepdims=0), np.float32)
    valid = call.add("GreaterOrEqual", best, np.array(call.number("threshold", 0.01), np.float32))
    boxes = _decoded(call)
    length = call.graph.length(best, 1)
    limit, top = call.number("nms_threshold", 0.5), call.integer("nms_topk", -1)
    is_suppressing = 0 < limit <= 1
    rows = _sorted(call, best, valid, length)
    places = _range(call, length)
    order = rows.order if is_suppressing else _compacted(call, valid, length)
    is_first = call.add("Less", places, rows.number)
    there = is_first
    if is_suppressing and top > 0:  # what lies behind stays as it was, without a class
        is_top = call.add("Less", places, np.array(top, np.int64))
        order = call.add("Where", is_top, order, _compacted(call, valid, length))
        there = call.add("And", is_first, is_top)
    classes, best, boxes = (_rows_of(call, each, order) for each in (classes, best, boxes))
    if is_suppressing:
        number = 1 if call.flag("force_suppress") else call.fixed(1) - 1
        classes = call.add(
            "Where", _kept(call, boxes, there, classes, number=number, threshold=limit), classes, NOTHING
        )
    parts = [call.add("Unsqueeze", each, call.graph.lengths(2)) for each in (classes, best)]
    result = call.graph.concat([*parts, boxes], 2)
    return call.add("Where", call.add("Unsqueeze", is_first, call.graph.lengths(2)), result, NOTHING)


def _decoded(call: Call) -> str:
    """Return the boxes, by corners, of what was found at anchors."""
    anchors, variances = call.x(2), _numbers(call, "variances", "(0.1,0.1,0.2,0.2)")
    moved = call.add("Mul", call.graph.reshape(call.x(1), 0, -1, 4), variances)
    first, last = call.graph.slice(anchors, 2, 0, 2), call.graph.slice(anchors, 2, 2, 4)
    half = np.array(0.5, np.float32)
    size, centre = call.add("Sub", last, first), call.add("Mul", call.add("Add", first, last), half)
    centre = call.add("Add", call.add("Mul", call.graph.slice(moved, 2, 0, 2), size), centre)
    reach = call.add("Mul", call.add("Mul", call.add("Exp", call.graph.slice(moved, 2, 2, 4)), size), half)
    boxes = call.graph.concat([call.add("Sub", centre, reach), call.add("Add", centre, reach)], 2)
    bounds = np.array(0, np.float32), np.array(1, np.float32)
    return call.add("Clip", boxes, *bounds) if call.flag("clip", default=True) else boxes


@operator("_contrib_box_decode", least=2)
def write_decode(call: Call) -> str:
    """Boxes, by corners, of what was found at anchors that stand by centre and size, or by corners."""
    anchors = call.x(1)
    scales = np.array([call.number(f"std{number}", 1.0) for number in range(4)], np.float32)
    first, last = call.graph.slice(anchors, 2, 0, 2), call.graph.slice(anchors, 2, 2, 4)
    half = np.array(0.5, np.float32)
    if call.text("format", "center") == "corner":
        last, first = (
            call.add("Sub", last, first),
            call.add("Add", first, call.add("Mul", call.add("Sub", last, first), half)),
        )
    moved = call.add("Mul", call.x(), scales)
    centre = call.add("Add", call.add("Mul", call.graph.slice(moved, 2, 0, 2), last), first)
    power = call.graph.slice(moved, 2, 2, 4)
    if call.number("clip", -1.0) > 0:
        power = call.add("Min", power, np.array(call.number("clip"), np.float32))
    reach = call.add("Mul", call.add("Mul", call.add("Exp", power), last), half)
    return call.graph.concat([call.add("Sub", centre, reach), call.add("Add", centre, reach)], 2)


@operator("_contrib_box_nms", "_contrib_box_non_maximum_suppression")
def write_suppression(call: Call) -> str:
    """Rows with the best first, without those that overlap with a better one; -1 fills up (bounding_box-inl.h)."""
    if call.rank() != 3 or call.text("in_format", "corner") != call.text("out_format", "corner"):  # noqa: PLR2004
        raise call.refuse("expected [batch, rows, columns] and one format of boxes", str(list(call.shape())))
    score, start, kind = (
        call.integer(key, default) for key, default in (("score_index", 1), ("coord_start", 2), ("id_index", -1))
    )
    width = call.fixed(2)
    score, start = call.from_front(score, width), call.from_front(start, width)
    scores = _column(call, score)
    valid = call.add("Greater", scores, np.array(call.number("valid_thresh", 0.0), np.float32))
    if kind >= 0 and call.integer("background_id", -1) >= 0:
        background = np.array(call.integer("background_id"), np.float32)
        valid = call.add("And", valid, call.add("Not", call.add("Equal", _column(call, kind), background)))
    length = call.graph.length(call.x(), 1)
    rows = _sorted(call, scores, valid, length)
    values, places = _rows_of(call, call.x(), rows.order), _range(call, length)
    there = call.add("Less", places, rows.number)
    if call.integer("topk", -1) > 0:
        there = call.add("And", there, call.add("Less", places, np.array(call.integer("topk"), np.int64)))
    boxes = call.graph.slice(values, 2, start, start + 4)
    if call.text("in_format", "corner") == "center":
        reach = call.add("Mul", call.graph.slice(boxes, 2, 2, 4), np.array(0.5, np.float32))
        middle = call.graph.slice(boxes, 2, 0, 2)
        boxes = call.graph.concat([call.add("Sub", middle, reach), call.add("Add", middle, reach)], 2)
    boxes = _apart(call, boxes, values, kind)
    kept = _kept(call, boxes, there, "", number=1, threshold=call.number("overlap_thresh", 0.5))
    order = _compacted(call, kept, length)
    count = call.graph.sum_of(call.graph.cast(kept, np.int64), 1, keepdims=True)
    shown = call.add("Unsqueeze", call.add("Less", places, count), call.graph.lengths(2))
    return call.add("Where", shown, _rows_of(call, values, order), NOTHING)


def _column(call: Call, index: int) -> str:
    return call.add("Gather", call.x(), np.array(index, np.int64), axis=2)


def _apart(call: Call, boxes: str, values: str, kind: int) -> str:
    """Return boxes moved so that those of different classes never overlap, whose number the file does not tell."""
    if kind < 0 or call.flag("force_suppress"):
        return boxes
    classes = call.graph.slice(values, 2, kind, kind + 1)
    low = call.add("ReduceMin", boxes, axes=[1, 2], keepdims=1)
    span = call.add("Sub", call.add("ReduceMax", boxes, axes=[1, 2], keepdims=1), low)
    span = call.add("Add", span, np.array(1, np.float32))
    return call.add("Add", boxes, call.add("Mul", classes, span))
