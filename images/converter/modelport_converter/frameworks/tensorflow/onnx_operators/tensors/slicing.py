"""Slices: Python's, but for steps backwards, and known where their bounds are."""

from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.lengths import TO_THE_END
from modelport_converter.frameworks.tensorflow.onnx_operators.node import Length, Node, Results, operator

FAR = np.iinfo(np.int32).max


@operator("Slice")
def _slice(node: Node) -> Results:
    """As Python cuts, but that a step backwards from before the first element begins with it.

    What is cut at the largest number goes to the end, in either direction.
    """
    x, rank = node.tensor(), node.rank()
    if "starts" in node.attributes:
        starts, ends = node.attributes["starts"], node.attributes["ends"]
        axes, steps = node.attributes.get("axes"), None
    else:
        starts, ends = node.lengths(1), node.lengths(2)
        axes = node.constant(3, "axes").reshape(-1).tolist() if node.has(3) else None
        steps = node.constant(4, "steps").reshape(-1).tolist() if node.has(4) else None
    slices = [slice(None)] * rank
    for number, axis in enumerate(axes if axes is not None else range(len(starts))):
        step = 1 if steps is None else int(steps[number])
        length = x.shape[axis]
        start = starts[number]
        if step < 0:
            start = _from_first(start, partial(node.scope.length, x, axis))
        slices[axis] = slice(_bound(start, step, length), _end(ends[number], step, length), step)
    if all(each == slice(None) for each in slices):
        return tf.identity(x)
    return x[tuple(slices)]


def _from_first(place: Length, length_of: Callable[[], Length]) -> Length:
    """Return where a step backwards begins, counted from the first element."""
    if isinstance(place, int):
        if place >= 0:
            return place
        length = length_of()
        return max(place + length, 0) if isinstance(length, int) else tf.maximum(length + max(place, -FAR), 0)
    return tf.where(place < 0, tf.maximum(place + length_of(), 0), place)


def _bound(place: Length, step: int, length: int | None) -> Length | None:
    if not isinstance(place, int):
        return place
    if place >= FAR:
        return None if step < 0 else FAR
    if place <= -FAR:
        return None if step > 0 else -FAR
    return None if place == 0 and step > 0 else place if length is None else max(place, -length - 1)


def _end(place: Length, step: int, length: int | None) -> Length | None:
    """Return where a slice ends; None: behind the last element, or before the first one."""
    if not isinstance(place, int):
        return place if step > 0 else tf.where(tf.equal(place, FAR), -FAR, place)
    if place in TO_THE_END or (step > 0 and length is not None and place >= length):
        return None
    if place >= FAR:
        return None if step > 0 else FAR
    if place <= -FAR or (step < 0 and length is not None and place < -length):
        return None if step < 0 else -FAR
    return place
