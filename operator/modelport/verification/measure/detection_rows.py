"""What a call has of detections: one row for each of them, and for what pads them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FEW = 0.1
"""Share of the detections, or a single one, that noise may add or take away at a threshold."""

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


class Place(NamedTuple):
    """Where detections have something: in an output, from this column on."""

    output: str
    column: int = 0


class Rows(NamedTuple):
    """The detections of a call, those of all images in one order, and what pads them."""

    images: Places
    boxes: Floats
    scores: Floats
    classes: npt.NDArray[Any]

    @property
    def is_live(self) -> Mask:
        """Which are detections: what pads them has a score of 0, or -1."""
        return np.asarray(self.scores > 0)

    @property
    def is_finite(self) -> bool:
        """Whether all of it can be compared."""
        return bool(np.isfinite(self.boxes).all() and np.isfinite(self.scores).all())

    @property
    def is_padded_behind(self) -> bool:
        """Whether no detection follows what pads an image."""
        follows = (self.images[1:] == self.images[:-1]) & ~self.is_live[:-1] & self.is_live[1:]
        return not follows.any()


def count_live(rows: Rows, images: int) -> Places:
    """Return how many detections each image has, of so many images or more."""
    return np.bincount(rows.images[rows.is_live], minlength=images)


def find_lowest(scores: Floats, margin: float) -> float | None:
    """Return the lowest score, if few are next to it."""
    lowest = float(scores.min(initial=np.inf))
    return lowest if 0 < np.sum(scores - lowest <= margin * scores) <= few(scores.size) else None


def few(count: int) -> float:
    """Return how many of these noise may change."""
    return max(1.0, FEW * count)


def rank_keys(rows: Rows, kinds: Places, count: int) -> Places:
    """Return a number of image, kind and place among those of the same image and kind, from the end where it pads."""
    places = np.arange(len(kinds))
    order = np.lexsort((np.where(kinds == 0, -places, places), kinds, rows.images))
    groups = rows.images * (count + 1) + kinds
    is_first = np.diff(groups[order], prepend=-1) != 0
    ranks = np.empty_like(places)
    ranks[order] = places - np.maximum.accumulate(np.where(is_first, places, 0))
    return groups * (count + 1) + ranks
