"""Resizing as ONNX defines it: for each axis, elements at computed places, weighted.

Coordinates are computed in float32, as ONNX Runtime does, so that rounding takes the same neighbours.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from modelport_converter.frameworks.tensorflow.onnx_operators.node import Length, Node, Results, operator, where_last

F = tf.float32
OLD = "old"
"""How the nearest element was found before operator set 11: the one before where there become more, else the one behind."""


class _Axis(NamedTuple):
    """An axis to resize."""

    at: int
    before: Length
    after: Length
    scale: float | tf.Tensor
    region: tuple[float | tf.Tensor, float | tf.Tensor]
    """What part of it is resized, where a region is taken."""


@operator("Resize", "Upsample")
def _resize(node: Node) -> Results:
    attributes = node.attributes
    if node.kind == "Upsample" or node.version <= 10:  # noqa: PLR2004  # whose coordinates were asymmetric
        attributes = {**attributes, "coordinate_transformation_mode": "asymmetric", "nearest_mode": OLD}
        node = node._replace(attributes=attributes)
    mode = attributes["mode"]
    if mode not in {"nearest", "linear", "cubic"}:
        message = f"expected mode nearest, linear or cubic, found {mode}"
        raise ValueError(message)
    axes = _find_axes(node)
    last, rank = node.scope.last_of(node.inputs[0]), node.rank()
    x = node.tensor() if last is None else last
    given = x.dtype
    x = x if given.is_floating or mode == "nearest" else tf.cast(x, F)
    resize = {"nearest": _nearest, "linear": _linear, "cubic": _cubic}[mode]
    for axis in axes:
        x = resize(node, x, axis, axis.at if last is None else where_last(axis.at, rank))
    if x.dtype != given:
        x = tf.round(x) if attributes.get("antialias") else x  # else it is cut, as ONNX Runtime does
        x = tf.cast(tf.clip_by_value(x, given.min, given.max), given)
    return x if last is None else node.scope.from_last(x)


def _find_axes(node: Node) -> list[_Axis]:
    """Return the axes that change, with their scales: those told, or those that follow from lengths."""
    rank, shape = node.rank(), node.shape()
    chosen = [each % rank for each in node.attributes.get("axes") or range(rank)]
    positions = {1: (None, 1, None)} if node.kind == "Upsample" or node.version <= 10 else {1: (1, 2, 3)}  # noqa: PLR2004
    region_at, scales_at, sizes_at = positions[1]
    scales: Sequence[float | tf.Tensor]
    sizes: Sequence[Length]
    if sizes_at is not None and node.has(sizes_at) and not _is_empty(node, sizes_at):
        sizes = node.lengths(sizes_at)
        scales = [_ratio(size, shape[axis]) for size, axis in zip(sizes, chosen, strict=True)]
        scales, sizes = _keep_ratio(node, scales, sizes, [shape[axis] for axis in chosen])
    else:
        scales = _scales(node, scales_at, len(chosen))
        sizes = [_scaled(shape[axis], scale) for axis, scale in zip(chosen, scales, strict=True)]
    regions: dict[int, tuple[float | tf.Tensor, float | tf.Tensor]] = {}
    is_cut = node.attributes["coordinate_transformation_mode"] == "tf_crop_and_resize"
    if is_cut and region_at is not None:
        region = [float(each) for each in node.constant(region_at, "regions").tolist()]
        regions = {axis: (region[at], region[at + len(chosen)]) for at, axis in enumerate(chosen)}
    found = [
        _Axis(axis, shape[axis], size, scale, regions.get(axis, (0.0, 1.0)))
        for axis, scale, size in zip(chosen, scales, sizes, strict=True)
    ]
    return [axis for axis in found if not _stays(axis)]


def _stays(axis: _Axis) -> bool:
    """Whether an axis is as it was; ONNX Runtime takes no region of one that is as long."""
    return isinstance(axis.scale, float) and axis.scale == 1


def _is_empty(node: Node, index: int) -> bool:
    value = node.inputs[index]
    return value is not None and 0 in value.shape


def _scales(node: Node, index: int, count: int) -> list[float | tf.Tensor]:
    if node.attributes.get("scales"):  # of Upsample before operator set 9
        return [float(np.float32(each)) for each in node.attributes["scales"]]
    known = node.known(index)
    if known is not None:
        return [float(each) for each in known.reshape(-1)]
    tensor = tf.reshape(node.tensor(index), [count])
    return [tensor[number] for number in range(count)]


def _ratio(after: Length, before: Length) -> float | tf.Tensor:
    if isinstance(after, int) and isinstance(before, int):
        return float(np.float32(after) / np.float32(before))
    return 1.0 if after is before else tf.cast(after, F) / tf.cast(before, F)


def _scaled(length: Length, scale: float | tf.Tensor) -> Length:
    if isinstance(length, int) and isinstance(scale, float):
        return int(np.floor(np.float32(length) * np.float32(scale)))
    if isinstance(scale, float) and scale == 1:
        return length
    return tf.cast(tf.floor(tf.cast(length, F) * scale), tf.int32)


def _keep_ratio(
    node: Node, scales: Sequence[float | tf.Tensor], sizes: Sequence[Length], lengths: Sequence[Length]
) -> tuple[Sequence[float | tf.Tensor], Sequence[Length]]:
    """Return scales and sizes where all axes are to keep their ratio."""
    policy = node.attributes.get("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return scales, sizes
    if not all(isinstance(each, float) for each in scales):
        message = f"expected known lengths with keep_aspect_ratio_policy {policy}, found free ones"
        raise ValueError(message)
    scale = (min if policy == "not_larger" else max)(float(each) for each in scales)
    return [scale] * len(scales), [int(np.floor(np.float32(scale) * length + 0.5)) for length in lengths]


# --- coordinates ------------------------------------------------------------------------------------------------------


def _coordinates(node: Node, axis: _Axis) -> tf.Tensor:
    """Return where, in the axis before, each element after comes from."""
    place = tf.cast(tf.range(axis.after), F)
    scale = tf.cast(axis.scale, F)
    before, after = tf.cast(axis.before, F), tf.cast(axis.after, F)
    mode, half = node.attributes["coordinate_transformation_mode"], (place + 0.5) / scale - 0.5
    start, end = (tf.cast(each, F) for each in axis.region)
    found: dict[str, Callable[[], tf.Tensor]] = {
        "asymmetric": lambda: place / scale,
        "half_pixel": lambda: half,
        "pytorch_half_pixel": lambda: tf.where(after > 1, half, tf.zeros_like(place)),
        "align_corners": lambda: place * (before - 1) / tf.maximum(after - 1, 1),
        # the length is the floor of before * scale
        "half_pixel_symmetric": lambda: before / 2 * (1 - after / (before * scale)) + half,
        "tf_half_pixel_for_nn": lambda: (place + 0.5) / scale,
        "tf_crop_and_resize": lambda: (
            (before - 1)
            * tf.where(
                after > 1,
                start + place * (end - start) / tf.maximum(after - 1, 1),
                tf.zeros_like(place) + (start + end) / 2,
            )
        ),
    }
    if mode not in found:
        message = f"expected a coordinate_transformation_mode of {', '.join(found)}; found {mode}"
        raise ValueError(message)
    return found[mode]()


def _outside(node: Node, x: tf.Tensor, places: tf.Tensor, axis: _Axis, index: int) -> tf.Tensor:
    """Return x with the extrapolated value where places lie outside of the axis before."""
    if node.attributes["coordinate_transformation_mode"] != "tf_crop_and_resize":
        return x
    is_outside = (places < 0) | (places > tf.cast(axis.before, F) - 1)
    shaped = tf.reshape(is_outside, [-1] + [1] * (x.shape.rank - 1 - index))
    return tf.where(shaped, tf.cast(node.attributes["extrapolation_value"], x.dtype), x)


def _static(tensor: tf.Tensor) -> tf.Tensor:
    """Return a constant, where it is one, as such."""
    found = None if tf.executing_eagerly() else tf.get_static_value(tensor)
    return tensor if found is None else tf.constant(found)


def _take(x: tf.Tensor, places: tf.Tensor, axis: _Axis, index: int) -> tf.Tensor:
    inside = tf.clip_by_value(places, 0, axis.before - 1)
    return tf.gather(x, _static(inside), axis=index)


def _nearest(node: Node, x: tf.Tensor, axis: _Axis, index: int) -> tf.Tensor:
    places = _coordinates(node, axis)
    mode = node.attributes["nearest_mode"]
    near = {
        "round_prefer_floor": lambda: tf.math.ceil(places - 0.5),
        "round_prefer_ceil": lambda: tf.floor(places + 0.5),
        "floor": lambda: tf.floor(places),
        OLD: lambda: tf.where(axis.scale < 1, tf.math.ceil(places), tf.floor(places)),
        "ceil": lambda: tf.math.ceil(places),
    }[mode]()
    return _outside(node, _take(x, tf.cast(near, tf.int32), axis, index), places, axis, index)


def _weighted(
    node: Node,
    x: tf.Tensor,
    axis: _Axis,
    index: int,
    *,
    offsets: Sequence[int],
    weigh: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Return the sums of the elements around each place, weighted by their distance from it."""
    places = _coordinates(node, axis)
    stretch = 1.0
    if node.attributes.get("antialias") and (not isinstance(axis.scale, float) or axis.scale < 1):
        if not isinstance(axis.scale, float):
            message = "expected known scales with antialias, found free ones"
            raise ValueError(message)
        stretch = 1 / axis.scale
        reach = int(np.ceil(max(offsets) * stretch))
        offsets = range(1 - reach, reach + 1)
    lower = tf.floor(places)
    around = [lower + offset for offset in offsets]
    weights = [weigh(tf.abs(places - each) / stretch) for each in around]
    last = tf.cast(axis.before, F) - 1
    if node.attributes.get("exclude_outside"):
        weights = [
            tf.where((each >= 0) & (each <= last), weight, 0) for each, weight in zip(around, weights, strict=True)
        ]
    if node.attributes.get("exclude_outside") or stretch != 1:
        total = tf.add_n(weights)
        weights = [weight / total for weight in weights]
    shape = [-1] + [1] * (x.shape.rank - 1 - index)
    parts = [
        _take(x, tf.cast(each, tf.int32), axis, index) * tf.cast(_static(tf.reshape(weight, shape)), x.dtype)
        for each, weight in zip(around, weights, strict=True)
    ]
    return _outside(node, tf.add_n(parts), places, axis, index)


def _linear(node: Node, x: tf.Tensor, axis: _Axis, index: int) -> tf.Tensor:
    return _weighted(node, x, axis, index, offsets=(0, 1), weigh=lambda distance: tf.maximum(1 - distance, 0))


def _cubic(node: Node, x: tf.Tensor, axis: _Axis, index: int) -> tf.Tensor:
    a = node.attributes["cubic_coeff_a"]

    def weigh(distance: tf.Tensor) -> tf.Tensor:
        near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
        far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
        return tf.where(distance <= 1, near, tf.where(distance < 2, far, 0))  # noqa: PLR2004  # beyond it is zero

    return _weighted(node, x, axis, index, offsets=(-1, 0, 1, 2), weigh=weigh)
