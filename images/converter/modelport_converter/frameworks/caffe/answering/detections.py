"""Detections by numpy, as the loops of SSD's detection_output_layer.cpp and bbox_util.cpp have them."""

import numpy as np

from modelport.asking.opencv.detections import COLUMNS, finish
from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.layers.detecting import Detect


def detect(layer: Detect, boxes: Array, scores: Array, priors: Array) -> Array:
    """Return rows of image, class, score and corners, [1, 1, detections, 7]; a row of -1 for each image if none has any."""
    images, count = len(boxes), priors.shape[2] // 4
    decoded = decode(layer, boxes.reshape(images, count, -1, 4), priors[0].reshape(-1, count, 4))
    given = scores.reshape(images, count, layer.classes)
    rows = []
    for image in range(images):
        found = [
            (kind, index)
            for kind in range(layer.classes)
            if kind != layer.background
            for index in suppress(layer, decoded[image][:, 0 if layer.is_shared else kind], given[image][:, kind])
        ]
        if -1 < layer.keep < len(found):
            found = sorted(found, key=lambda each: -given[image][each[1], each[0]])[: layer.keep]
            found.sort(key=lambda each: each[0])
        rows += [
            [image, kind, given[image][index, kind], *decoded[image][index, 0 if layer.is_shared else kind]]
            for kind, index in found
        ]
    return finish(np.array(rows, boxes.dtype).reshape(-1, COLUMNS), images)


def decode(layer: Detect, boxes: Array, priors: Array) -> Array:
    """Return corners [images, boxes, classes, 4] of what was predicted for priors [2, boxes, 4]."""
    prior = priors[0][:, None]
    corners: Array
    variance = priors[1][:, None] if layer.has_variance else np.ones_like(prior)
    moved = boxes * variance
    low, high = prior[..., :2], prior[..., 2:]
    size = high - low
    if layer.code == "CORNER":
        corners = prior + moved
        return corners
    if layer.code == "CORNER_SIZE":
        corners = prior + moved * np.concatenate([size, size], -1)
        return corners
    centre = moved[..., :2] * size + (low + high) / 2
    half = np.exp(moved[..., 2:]) * size / 2
    return np.concatenate([centre - half, centre + half], -1)


def suppress(layer: Detect, boxes: Array, scores: Array) -> list[int]:
    """Return the boxes that stand, the best first."""
    with np.errstate(invalid="ignore"):
        order = [int(each) for each in np.argsort(-scores, kind="stable") if scores[each] > layer.threshold]
    kept: list[int] = []
    for index in order if layer.top < 0 else order[: layer.top]:
        if not kept or overlaps(boxes[index], boxes[kept]).max() <= layer.overlap:
            kept.append(index)
    return kept


def overlaps(box: Array, others: Array) -> Array:
    """Return intersection over union of a box with others."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    sides = np.maximum(high - low, 0)
    common = sides[:, 0] * sides[:, 1]
    union = _area(box[None]) + _area(others) - common
    shares: Array = np.divide(common, union, out=np.zeros_like(common), where=common > 0)
    return shares


def _area(boxes: Array) -> Array:
    """Return areas; a box whose corners are the wrong way round has none."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.where((sides < 0).any(-1), 0, sides[:, 0] * sides[:, 1])
