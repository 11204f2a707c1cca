"""A detector in small, in the forms that real ones answer in: what the tests of detections ask."""

import math
from typing import Any, NamedTuple

import numpy as np

from modelport.verification.arrays import Tensors
from unit.verification.answered import questions

ROOM = 12
"""Detections that padded forms have room for; full ones keep as many of each image."""
FULL = 6
KEPT = 0.4
MANY = 5
"""Detections of images in which noise has something to decide."""
ASKED = questions(9, 4, batches=(1, 3, 11, 1, 3))


class Image(NamedTuple):
    """What is found in an image, the best first."""

    boxes: Any
    scores: Any
    classes: Any
    points: Any


def look(inputs: Tensors, kept: float = KEPT, *, ties: bool = True) -> list[Image]:
    """Return what is found in each image: two scores next to each other, and, in a few, one next to the threshold."""
    images = []
    for values in inputs["x"]:
        scores = (1 / (1 + np.exp(-values[:, 0]))).astype(np.float32)
        corner = np.abs(values[:, 1:3]) * 100
        boxes = np.concatenate([corner, corner + 50 + 10 * np.abs(values[:, 2:4])], -1).astype(np.float32)
        points = values[:, 1:] * 10
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] > kept]
        scores = scores[order]
        if ties and len(scores) > MANY:
            scores[1] = scores[0] * np.float32(1 - 1e-6)
            scores[-1] = KEPT * (1 + 1e-6) if values[0, 3] > 0 else scores[-1]
        images.append(Image(boxes[order], scores, (values[order, 3] > 0).astype(np.int64) + 1, points[order]))
    return images


def take(image: Image, order: Any) -> Image:
    return Image(*(each[order] for each in image))


def swapped(image: Image, _: int) -> Image:
    """Return an image of which the two whose scores are next to each other have changed places."""
    return take(image, [1, 0, *range(2, len(image.scores))]) if len(image.scores) > MANY else image


def _padded(arrays: list[Any], room: int) -> Any:
    result = np.zeros((len(arrays), room, *arrays[0].shape[1:]), arrays[0].dtype)
    for number, array in enumerate(arrays):
        result[number, : len(array)] = array
    return result


def _columns(*parts: Any) -> Any:
    return np.concatenate(
        [np.asarray(each, np.float32).reshape(len(each), math.prod(each.shape[1:])) for each in parts], -1
    )


def padded(images: list[Image]) -> Tensors:
    """Answer as EfficientNMS does."""
    boxes, scores, classes, points = (_padded(list(each), ROOM) for each in zip(*images, strict=True))
    counts = np.array([[len(each.scores)] for each in images], np.int32)
    return {"count": counts, "boxes": boxes, "scores": scores, "classes": classes.astype(np.int32), "points": points}


def of_floats(images: list[Image]) -> Tensors:
    """Answer as detectors of TensorFlow do: numbers of all kinds are floats, boxes begin with y, within [0, 1]."""
    tensors = padded(images)
    return {
        "detection_boxes": tensors["boxes"][..., [1, 0, 3, 2]] / np.float32(640),
        "detection_classes": tensors["classes"].astype(np.float32),
        "detection_scores": tensors["scores"],
        "num_detections": tensors["count"][:, 0].astype(np.float32),
    }


def of_one_class(images: list[Image]) -> Tensors:
    """Answer as a face detector does."""
    tensors = padded(images)
    return {name: tensors[name] for name in ("boxes", "scores", "points")}


def in_columns(images: list[Image], room: int = ROOM) -> Tensors:
    """Answer as YOLO with its own suppression does."""
    return {"output": _padded([_columns(each.boxes, each.scores, each.classes) for each in images], room)}


def faces(images: list[Image]) -> Tensors:
    """Answer with landmarks behind boxes and scores."""
    return {"output": _padded([_columns(each.boxes, each.scores, each.points) for each in images], ROOM)}


def one_by_one(images: list[Image]) -> Tensors:
    """Answer with the number of the image before each detection."""
    rows = [
        _columns(np.full(len(each.scores), number), each.boxes, each.classes, each.scores)
        for number, each in enumerate(images)
    ]
    return {"output": np.concatenate(rows)}


def nested(images: list[Image]) -> Tensors:
    """Answer as the detection layer of Caffe does: image, class, score, box below two axes of one."""
    rows = [
        _columns(np.full(len(each.scores), number), each.classes, each.scores, each.boxes)
        for number, each in enumerate(images)
    ]
    return {"output": np.concatenate(rows)[None, None]}


def named(images: list[Image]) -> Tensors:
    """Answer for one image, with names."""
    boxes, scores, classes, points = images[0]
    return {
        "boxes": boxes,
        "labels": classes,
        "scores": scores,
        "masks": points[:, :, None] * points[:, None],
        "names": np.array(["", "cat", "dog"], object)[classes],
    }


def chosen(images: list[Image]) -> Tensors:
    """Answer as a suppression at the end of a graph does: numbers of image, class and box beside all boxes and scores."""
    boxes, scores = _padded([each.boxes for each in images], ROOM), np.zeros((len(images), 3, ROOM), np.float32)
    rows = []
    for number, each in enumerate(images):
        # boxes have the order of their corners, that of detections is only in the numbers
        place = np.argsort(np.argsort(each.boxes[:, 0]))
        boxes[number, place] = each.boxes
        scores[number, each.classes, place] = each.scores
        rows += [[number, label, place[at]] for label in (1, 2) for at in np.flatnonzero(each.classes == label)]
    return {"boxes": boxes, "scores": scores, "indices": np.array(rows, np.int64).reshape(-1, 3)}


FORMS = (padded, of_floats, of_one_class, in_columns, faces, one_by_one, nested, named, chosen)
