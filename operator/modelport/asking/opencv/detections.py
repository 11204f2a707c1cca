"""Detections as Caffe gives them: rows of image, class, score, and two corners."""

import numpy as np

from modelport.verification.arrays import Array

COLUMNS = 7


def order_detections(array: Array, images: int) -> Array:
    """Return OpenCV's detections as Caffe has them, [1, 1, detections, 7]: by image and class, without padding by zeros.

    Of equal scores as they come: OpenCV has all classes of an image in one order.
    """
    rows = array.reshape(-1, COLUMNS)
    rows = rows[rows[:, 2] > 0]
    return finish(rows[np.lexsort((-rows[:, 2], rows[:, 1], rows[:, 0]))], images)


def finish(rows: Array, images: int) -> Array:
    """Return rows [detections, 7] as Caffe gives them, [1, 1, detections, 7]: a row of -1 for each image if there is none."""
    if not len(rows):
        rows = np.full((images, COLUMNS), -1, rows.dtype)
        rows[:, 0] = np.arange(images)
    return rows.reshape(1, 1, -1, COLUMNS)
