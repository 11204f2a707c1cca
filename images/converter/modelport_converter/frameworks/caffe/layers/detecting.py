"""Layers that normalise by their own numbers, and those of SSD: boxes to begin with, and detections."""

from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.layers.base import Given, Parsed, Parser, count, is_same, number, numbers
from modelport_converter.frameworks.caffe.layers.convolving import PLANE

NEAR = 1e-6
MAX_PRIORS = 1 << 22
FREE = "detections"
"""Name of how many detections there are."""


class Normalise(NamedTuple):
    """x / sqrt(sum of squares + epsilon) * scale, the sum over channels, or over all of an image."""

    is_whole: bool
    epsilon: float
    scale: Array
    """[channels] or [1]."""


class MeanVariance(NamedTuple):
    """x - mean, over (deviation + epsilon) if at all; of each channel, or of all of an image."""

    is_whole: bool
    is_divided: bool
    epsilon: float


class Priors(NamedTuple):
    """Boxes that do not depend on any number: corners, and variances, [1, 2, boxes * 4]."""

    values: Array


class Detect(NamedTuple):
    """Decode boxes, suppress those that overlap, keep the best: rows of image, class, score and corners."""

    classes: int
    background: int
    """-1: none."""
    is_shared: bool
    """Whether all classes have the same box."""
    code: str
    has_variance: bool
    """Whether variances are applied here."""
    threshold: float
    """Scores are to be above it; -inf: all."""
    overlap: float
    """Intersection over union up to which two boxes stand beside each other."""
    top: int
    """How many boxes of each class are looked at; -1: all."""
    keep: int
    """How many detections of each image are kept; -1: all."""


def parse_normalise(given: Given) -> Parsed:
    """Parse Normalize (normalize_layer.cpp of SSD)."""
    given.need(1, rank=PLANE)
    is_shared = given.get("norm", "channel_shared", True)
    (scale,) = given.take((1,) if is_shared else (number(given.shape[1]),))
    epsilon = given.get("norm", "eps", float(np.float32(1e-10)))
    return Parsed(Normalise(given.get("norm", "across_spatial", True), epsilon, scale), (given.shape,))


def parse_mean_variance(given: Given) -> Parsed:
    """Parse MVN (mvn_layer.cpp), whose epsilon is added to the deviation."""
    given.need(1, rank=PLANE)
    epsilon = given.get("mvn", "eps", float(np.float32(1e-9)))
    whole, divided = given.get("mvn", "across_channels", False), given.get("mvn", "normalize_variance", True)
    return Parsed(MeanVariance(whole, divided, epsilon), (given.shape,))


def parse_prior_box(given: Given) -> Parsed:
    """Parse PriorBox (prior_box_layer.cpp of SSD)."""
    given.need(2, rank=PLANE)
    clustered = [name for name in ("width", "height", "offset_h", "offset_w") if given.all("prior_box", name)]
    if clustered:
        raise given.refuse("prior_box_param", "min_size, aspect_ratio and offset", ", ".join(clustered))
    if not given.has("prior_box", "clip"):
        raise given.refuse("prior_box_param.clip", "true or false, because versions of SSD differ", "nothing")
    shapes = _box_shapes(given)
    rows, columns = numbers(given.shape[2:])
    if rows * columns * len(shapes) > MAX_PRIORS:
        raise given.refuse("prior_box_param", f"at most {MAX_PRIORS} boxes", rows * columns * len(shapes))
    height, width = _image(given)
    if given.has("prior_box", "step_h") or given.has("prior_box", "step_w"):
        steps = [given.get("prior_box", f"step_{side}", 0.0) for side in "hw"]
    else:
        steps = [given.get("prior_box", "step", 0.0)] * 2
    if min(steps) <= 0:
        steps = [np.float32(height) / np.float32(rows), np.float32(width) / np.float32(columns)]
    values = _boxes((rows, columns), (height, width), steps, given.get("prior_box", "offset", 0.5), shapes)
    if given.get("prior_box", "clip", False):
        values = np.clip(values, 0, 1)
    variance = given.all("prior_box", "variance") or [float(np.float32(0.1))]
    if len(variance) not in {1, 4}:
        raise given.refuse("prior_box_param.variance", "none, one or four", variance)
    variances = np.resize(np.array(variance, np.float32), values.shape)
    both = np.stack([values, variances]).reshape(1, 2, -1)
    return Parsed(Priors(both), (both.shape,))


def _box_shapes(given: Given) -> list[tuple[np.float32, np.float32]]:
    """Return width and height of each box of a place."""
    smallest, largest = given.all("prior_box", "min_size"), given.all("prior_box", "max_size")
    if not smallest or len(largest) not in {0, len(smallest)} or min(smallest) <= 0:
        raise given.refuse("prior_box_param", "min_size, and max_size as often or never", (smallest, largest))
    if any(not float(each).is_integer() for each in (*smallest, *largest)):
        # SSD cuts them to whole numbers, OpenCV does not
        raise given.refuse("prior_box_param", "whole numbers as min_size and max_size", (smallest, largest))
    ratios = [np.float32(1)]
    for each in map(np.float32, given.all("prior_box", "aspect_ratio")):
        if each <= 0:
            raise given.refuse("prior_box_param.aspect_ratio", "a number above 0", each)
        if all(abs(each - other) >= NEAR for other in ratios):
            ratios += [each, np.float32(1 / np.float64(each))][: 1 + given.get("prior_box", "flip", True)]
    shapes = []
    for number_, size in enumerate(smallest):
        shapes.append((np.float32(size), np.float32(size)))
        if largest:
            mean = np.float32(np.sqrt(np.float64(size * largest[number_])))
            shapes.append((mean, mean))
        roots = [np.sqrt(ratio) for ratio in ratios if abs(ratio - 1) >= NEAR]
        shapes += [(np.float32(size) * root, np.float32(size) / root) for root in roots]
    return shapes


def _image(given: Given) -> tuple[int, int]:
    size = given.get("prior_box", "img_size", 0)
    height, width = (given.get("prior_box", f"img_{side}", size) for side in "hw")
    if height and width:
        return height, width
    if len(given.shapes[1]) != PLANE:
        raise given.refuse("second bottom", "an image [n, c, h, w]", list(given.shapes[1]))
    return number(given.shapes[1][2]), number(given.shapes[1][3])


def _boxes(
    grid: tuple[int, int],
    image: tuple[int, int],
    steps: list[float],
    offset: float,
    shapes: list[tuple[np.float32, np.float32]],
) -> Array:
    """Return the corners [boxes, 4], x first, of all boxes of all places of a grid."""
    centers = [
        (np.arange(length, dtype=np.float32) + np.float32(offset)) * np.float32(step)
        for length, step in zip(grid, steps, strict=True)
    ]
    y, x = (each.astype(np.float64) for each in np.meshgrid(*centers, indexing="ij"))
    half = np.array(shapes, np.float64) / 2
    x, y, w, h = x[..., None], y[..., None], half[:, 0], half[:, 1]
    height, width = image
    corners = ((x - w) / width, (y - h) / height, (x + w) / width, (y + h) / height)
    return np.stack(np.broadcast_arrays(*corners), axis=-1).reshape(-1, 4).astype(np.float32)


def parse_detection_output(given: Given) -> Parsed:
    """Parse DetectionOutput (detection_output_layer.cpp of SSD)."""
    if len(given.shapes) != 3:  # noqa: PLR2004  # boxes, scores, priors
        raise given.refuse("bottom", "boxes, scores and priors", len(given.shapes))
    kind = "detection_output"
    classes, is_shared = given.get(kind, "num_classes", 0), given.get(kind, "share_location", True)
    suppression = given.layer.message.detection_output_param.nms_param
    if suppression.HasField("eta") and suppression.eta != 1:
        raise given.refuse("nms_param.eta", "1", suppression.eta)
    for name, usual in (("normalized_bbox", True), ("clip", False)):
        if given.get(kind, name, usual) != usual:
            raise given.refuse(f"detection_output_param.{name}", str(usual).lower(), str(not usual).lower())
    has_variance = not given.get(kind, "variance_encoded_in_target", False)
    boxes = number(given.shapes[2][2]) // 4 if len(given.shapes[2]) == 3 else 0  # noqa: PLR2004
    sizes = count(given.shapes[0][1:]), count(given.shapes[1][1:])
    if boxes < 1 or sizes != (boxes * 4 * (1 if is_shared else classes), boxes * classes):
        found = ", ".join(str(list(each)) for each in given.shapes)
        raise given.refuse("bottom", f"boxes and scores of {classes} classes for each prior", found)
    is_same((given.shapes[0][0],), (given.shapes[1][0],))
    code = {1: "CORNER", 2: "CENTER_SIZE", 3: "CORNER_SIZE"}[given.get(kind, "code_type", 1)]
    operator = Detect(
        classes,
        given.get(kind, "background_label_id", 0),
        is_shared,
        code,
        has_variance,
        given.get(kind, "confidence_threshold", -np.inf),
        suppression.nms_threshold if suppression.HasField("nms_threshold") else float(np.float32(0.3)),
        suppression.top_k if suppression.HasField("top_k") else -1,
        given.get(kind, "keep_top_k", -1),
    )
    if operator.top == 0 or operator.keep == 0:
        raise given.refuse("top_k, keep_top_k", "-1, or at least 1", (operator.top, operator.keep))
    return Parsed(operator, ((1, 1, FREE, 7),))


PARSERS: dict[str, Parser] = {
    "Normalize": parse_normalise,
    "MVN": parse_mean_variance,
    "PriorBox": parse_prior_box,
    "DetectionOutput": parse_detection_output,
}
