"""Detections (what a non-maximum suppression or a top-k keeps): in an order, and of a number, that noise may change.

An answer is put into the source's order, matched by image, class and overlap, before it is compared like all else.
What has no match is left out only where noise explains it: its score is next to the lowest one that the source kept at
all, or, where an image has as many detections as there is room for, next to the lowest one of that image.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Array, Tensors
from modelport.verification.measure.detection_rows import Floats, Mask, Place, Places, Rows, count_live, few, rank_keys
from modelport.verification.measure.metrics import CORNERS, overlap

SAME_BOX = 0.9
"""Overlap of boxes that differ by no more than noise, with much to spare."""
MOST_PAIRS = 1 << 18
"""Pairs of detections that are compared, beside those that are where they were expected: a bound of time and memory."""
MOST_ROWS = 1 << 20
"""Detections, and images, of a call."""

Pair = tuple[Tensors, Tensors]


class _Match(NamedTuple):
    """Places of what is the same in both answers."""

    ours: Places
    theirs: Places
    images: int
    added: int
    """Images with detections that the source has not."""


class Detector(NamedTuple):
    """Which outputs describe detections, and how."""

    outputs: tuple[str, ...]
    """All that have the axis of detections, whose order they share."""
    axis: int
    """The axis that counts detections; those before it count images."""
    boxes: Place
    """Corners; or, of `is_chosen`, the number of the box."""
    scores: Place
    classes: Place | None = None
    images: Place | None = None
    """Number of the image, where the axis counts the detections of all images."""
    is_chosen: bool = False
    """Whether detections are numbers of image, class and box alone, which choose among scores [images, classes, boxes]."""
    counts: tuple[str, ...] = ()
    """Outputs that say how many detections each image has."""
    room: int = 0
    """How many detections each image has room for; 0 where that follows from the data."""
    margin: float = 0.0
    """How near scores and boxes are that noise may swap, as a share of the larger one."""
    lowest: float | None = None
    """The lowest score that the source kept at all; None where too many have it to be next to a threshold by chance."""

    def align(self, expected: Tensors, found: Tensors) -> Tensors:
        """Return what was found in the order of what was expected; as it was found, if more than noise lies between."""
        return self.align_all([(expected, found)])[0]

    def align_all(self, pairs: Sequence[Pair]) -> list[Tensors]:
        """Return the same for many calls: by chance, few images alone have detections that the source has not."""
        with np.errstate(over="ignore", invalid="ignore"):  # untrusted numbers overflow, and match nothing then
            matches = [self._match(*pair) for pair in pairs]
        is_chance = sum(each.added for each in matches if each) <= few(sum(each.images for each in matches if each))
        return [
            self._take(*pair, match) if match and (is_chance or not match.added) else pair[1]
            for pair, match in zip(pairs, matches, strict=True)
        ]

    def rows(self, tensors: Tensors) -> Rows:
        """Return the detections of a call."""
        shape = tensors[self.boxes.output].shape
        images = np.repeat(np.arange(math.prod(shape[: self.axis])), shape[self.axis])
        if self.images:
            numbers = np.nan_to_num(self.columns(tensors, self.images)[:, 0].astype(np.float64))
            images = np.clip(np.rint(numbers), 0, MOST_ROWS).astype(np.intp)
        classes = self.columns(tensors, self.classes)[:, 0] if self.classes else np.zeros(len(images))
        if classes.dtype.kind in "OU":
            classes = classes.astype(object)  # one long name would make all of them as long
        elif classes.dtype.kind not in "iub":
            classes = np.rint(classes.astype(np.float64))
        boxes = self.columns(tensors, self.boxes, self._width)
        if self.is_chosen:
            scores = _look_up(tensors[self.scores.output], images, classes, boxes[:, 0])
        else:
            scores = self.columns(tensors, self.scores)[:, 0].astype(np.float64)
        return Rows(images, boxes.astype(np.float64), scores, classes)

    def columns(self, tensors: Tensors, place: Place, width: int = 1) -> Array:
        """Return what detections have in a place, one row for each of them."""
        return self._flat(tensors[place.output])[:, place.column : place.column + width]

    @property
    def _width(self) -> int:
        return 1 if self.is_chosen else CORNERS

    def _flat(self, array: Array) -> Array:
        """Return an array of one row for each detection."""
        before, behind = array.shape[: self.axis + 1], array.shape[self.axis + 1 :]
        return array.reshape(math.prod(before), math.prod(behind))

    def _take(self, expected: Tensors, found: Tensors, match: _Match) -> Tensors:
        taken = dict(found)
        for name in self.outputs:
            flat = self._flat(expected[name]).copy()
            flat[match.ours] = self._flat(found[name])[match.theirs]
            taken[name] = flat.reshape(expected[name].shape)
        rows = self.rows(found)
        for name in self.counts:
            if np.array_equal(found[name].ravel(), count_live(rows, found[name].size)):
                taken[name] = expected[name]
        return taken

    def _fits(self, expected: Tensors, found: Tensors) -> bool:
        """Return whether answers can be matched: all is there, but for the number of detections as it was expected."""
        if not all(name in found for name in (*self.outputs, *self.counts, self.scores.output)):
            return False
        if not all(
            expected[name].dtype == found[name].dtype
            and found[name].ndim == expected[name].ndim > self.axis
            and _without(expected[name].shape, self.axis) == _without(found[name].shape, self.axis)
            for name in self.outputs
        ):
            return False
        if self._flat(expected[self.boxes.output]).shape[1] < self.boxes.column + self._width:
            return False  # only some elements were kept
        lengths = [{each[name].shape[self.axis] for name in self.outputs} for each in (expected, found)]
        if any(len(each) > 1 for each in lengths):
            return False
        if any(len(self._flat(each[self.boxes.output])) > MOST_ROWS for each in (expected, found)):
            return False
        others = (*self.counts, *({self.scores.output} - set(self.outputs)))
        return all(
            (expected[name].shape, expected[name].dtype) == (found[name].shape, found[name].dtype) for name in others
        )

    def _match(self, expected: Tensors, found: Tensors) -> _Match | None:
        if not self._fits(expected, found):
            return None
        ours, theirs = self.rows(expected), self.rows(found)
        if not all(each.is_finite and each.is_padded_behind for each in (ours, theirs)):
            return None
        pairs = self._pair(ours, theirs)
        if pairs is None or not self._is_ordered(ours, theirs, *pairs):
            return None
        missing, additional = (
            np.setdiff1d(np.flatnonzero(each.is_live), places)
            for each, places in zip((ours, theirs), pairs, strict=True)
        )
        if not self._is_chance(ours, theirs, missing, additional):
            return None
        return _Match(*pairs, len(np.unique(ours.images)), len(np.unique(theirs.images[additional])))

    def _pair(self, ours: Rows, theirs: Rows) -> tuple[Places, Places] | None:
        """Return the places of equal detections, those of the source in order; None if there are too many to compare."""
        classes = np.unique(np.concatenate([ours.classes, theirs.classes]), return_inverse=True)[1].reshape(-1) + 1
        kinds = np.split(classes, [len(ours.classes)])
        kinds = [np.where(each.is_live, kind, 0) for each, kind in zip((ours, theirs), kinds, strict=True)]
        own, other_keys = (
            rank_keys(each, kind, len(classes)) for each, kind in zip((ours, theirs), kinds, strict=True)
        )
        _, one, other = np.intersect1d(own, other_keys, assume_unique=True, return_indices=True)
        is_same = self._are_boxes_near(ours.boxes[one], theirs.boxes[other])
        is_same = (is_same & self._are_near(ours.scores[one], theirs.scores[other])) | ~ours.is_live[one]
        one, other = one[is_same], other[is_same]
        left = [np.setdiff1d(np.flatnonzero(rows.is_live), at) for rows, at in ((ours, one), (theirs, other))]
        if len(left[0]) * len(left[1]) > MOST_PAIRS:
            return None
        more = self._nearest(
            *(
                np.column_stack([rows.images[at], kind[at], rows.boxes[at]])
                for rows, at, kind in zip((ours, theirs), left, kinds, strict=True)
            )
        )
        one, other = np.append(one, left[0][more[:, 0]]), np.append(other, left[1][more[:, 1]])
        order = np.argsort(one)
        return one[order], other[order]

    def _nearest(self, ours: Floats, theirs: Floats) -> Places:
        """Return pairs of places, by columns image, class and box: of equal boxes the nearest, in the source's order."""
        one, other = ours[:, None], theirs[None, :]
        is_same = self._are_boxes_near(one[..., 2:], other[..., 2:])
        if not self.is_chosen:
            is_same |= overlap(one[..., 2:], other[..., 2:]) >= SAME_BOX
        is_same &= np.all(one[..., :2] == other[..., :2], axis=-1)
        apart = np.where(is_same, np.abs(one - other).max(-1, initial=0.0), np.inf)
        pairs = []
        for number, distances in enumerate(apart):
            best = int(distances.argmin()) if distances.size else 0
            if distances.size and distances[best] < np.inf:
                apart[:, best] = np.inf
                pairs.append((number, best))
        return np.array(pairs, np.intp).reshape(-1, 2)

    def _are_boxes_near(self, one: Floats, other: Floats) -> Mask:
        apart = np.abs(one - other).max(-1, initial=0.0)
        return np.asarray(apart <= (0.0 if self.is_chosen else self.margin * np.abs(one).max(-1, initial=0.0)))

    def _are_near(self, one: Floats, other: Floats | float) -> Mask:
        return np.asarray(np.abs(one - other) <= self.margin * np.maximum(np.abs(one), np.abs(other)))

    def _is_ordered(self, ours: Rows, theirs: Rows, one: Places, other: Places) -> bool:
        """Return whether nothing has changed places but neighbours, of one image, whose scores are next to each other."""
        if not one.size:
            return True
        first_behind = np.append(np.minimum.accumulate(other[::-1])[::-1][1:], len(theirs.scores))
        starts = np.append(0, np.flatnonzero(np.maximum.accumulate(other) < first_behind)[:-1] + 1)
        extremes = [
            (np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts))
            for values in (ours.scores[one], theirs.scores[other], ours.images[one])
        ]
        *scores, images = extremes
        return bool(np.all(images[0] == images[1]) and all(np.all(self._are_near(*each)) for each in scores))

    def _is_chance(self, ours: Rows, theirs: Rows, missing: Places, additional: Places) -> bool:
        """Return whether noise explains what only one of both has."""
        if max(missing.size, additional.size) > few(int(ours.is_live.sum())):
            return False
        replaced = np.intersect1d(ours.images[missing], theirs.images[additional])
        for image in replaced:
            inside = ours.scores[ours.images == image]
            singles = [
                rows.scores[at[rows.images[at] == image]] for rows, at in ((ours, missing), (theirs, additional))
            ]
            is_full = all(np.sum(rows.is_live[rows.images == image]) == self.room for rows in (ours, theirs))
            is_chance = np.sum(self._are_near(inside, inside.min())) <= few(len(inside))
            if not (is_full and is_chance and np.all(self._are_near(np.concatenate(singles), inside.min()))):
                return False
        single = np.concatenate(
            [
                rows.scores[at[~np.isin(rows.images[at], replaced)]]
                for rows, at in ((ours, missing), (theirs, additional))
            ]
        )
        if single.size > few(int(ours.is_live.sum())):
            return False
        return not single.size or (self.lowest is not None and bool(np.all(self._are_near(single, self.lowest))))


def _look_up(scores: Array, images: Places, classes: Array, boxes: Array) -> Floats:
    """Return the scores of what is chosen; NaN where there is no such image, class or box."""
    places = np.stack([images, classes.astype(np.int64), boxes.astype(np.int64)])
    is_there = np.all((places >= 0) & (places < np.array(scores.shape)[:, None]), axis=0)
    found = scores[tuple(np.where(is_there, places, 0))].astype(np.float64) if scores.size else np.zeros(len(images))
    return np.where(is_there, found, np.nan)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])
