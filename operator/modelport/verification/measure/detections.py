"""Detections (what a non-maximum suppression keeps): in an order, and of a number, that noise alone may change.

They are put into the source's order, matched by class and overlap, before they are compared like all else. What has
no match is left out only where noise explains it: its score is next to the lowest one that the source kept at all.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelport.verification.arrays import Array, Tensors
from modelport.verification.measure.metrics import CORNERS, overlap
from modelport.verification.measure.precision import is_float

SAME_BOX = 0.9
"""Overlap of boxes that differ by no more than noise, with much to spare."""
SCORE_MARGIN = 1e-4
"""How near scores are that noise may swap."""
FEW = 0.1
"""Share of the detections, or a single one, that noise may add or take away at a threshold."""

_NOTHING = np.zeros(0)
Places = npt.NDArray[np.intp]


class Detector(NamedTuple):
    """The outputs of one detector: the first axis of all of them counts the detections."""

    boxes: str
    scores: str
    classes: str
    lowest: float
    """The lowest score that the source kept at all; NaN where too many have it to be next to a threshold by chance."""

    @property
    def outputs(self) -> tuple[str, str, str]:
        """Names of the outputs."""
        return self.boxes, self.scores, self.classes

    def match(self, expected: Tensors, found: Tensors) -> tuple[Tensors, Tensors] | None:
        """Return both answers with what is found in both, in one order; None if more than noise lies between."""
        if not all(self._is_whole(each) for each in (expected, found)):
            return None
        pairs, missing, additional = self._pair(expected, found)
        scores = expected[self.scores].astype(np.float64)
        single = np.append(scores[missing], found[self.scores][additional].astype(np.float64))
        is_next_to_lowest = bool(np.all(np.abs(single - self.lowest) <= SCORE_MARGIN))
        if (missing.size and additional.size) or not is_next_to_lowest or single.size > _few(len(scores)):
            return None
        ours, theirs = pairs[:, 0], pairs[:, 1]
        is_inverted = np.triu(theirs[:, None] > theirs[None, :])
        if np.any(is_inverted & (np.abs(scores[ours][:, None] - scores[ours][None, :]) > SCORE_MARGIN)):
            return None
        return self._take(expected, ours), self._take(found, theirs)

    def _take(self, tensors: Tensors, places: Places) -> Tensors:
        return tensors | {name: tensors[name][places] for name in self.outputs}

    def _is_whole(self, tensors: Tensors) -> bool:
        boxes, scores, classes = (tensors.get(name, _NOTHING) for name in self.outputs)
        return (*scores.shape, CORNERS) == boxes.shape and scores.shape == classes.shape and scores.ndim == 1

    def _pair(self, expected: Tensors, found: Tensors) -> tuple[Places, Places, Places]:
        boxes, others = (each[self.boxes].astype(np.float64) for each in (expected, found))
        free = np.ones(len(others), np.bool_)
        pairs = []
        for number in range(len(boxes)):
            usable = free & (found[self.classes] == expected[self.classes][number])
            overlaps = np.where(usable, overlap(boxes[number], others), 0.0)
            best = int(overlaps.argmax()) if len(overlaps) else 0
            if len(overlaps) and overlaps[best] >= SAME_BOX:
                free[best] = False
                pairs.append((number, best))
        matched = np.array(pairs, np.intp).reshape(-1, 2)
        missing = np.setdiff1d(np.arange(len(boxes)), matched[:, 0])
        return matched, missing, np.flatnonzero(free)


def find_detector(calls: Sequence[Tensors]) -> Detector | None:
    """Return the outputs that describe detections, if these are the source's answers: boxes, scores, and classes.

    Boxes are [n, 4], scores within [0, 1] and classes [n], and n follows from the data or scores are sorted.
    """
    names = list(calls[0])
    boxes = [name for name in names if _all(calls, name, lambda each: each.ndim == 2 and each.shape[1] == CORNERS)]  # noqa: PLR2004
    flat = [name for name in names if _all(calls, name, lambda each: each.ndim == 1)]
    scores = [name for name in flat if _all(calls, name, _is_score)]
    classes = [name for name in flat if _all(calls, name, lambda each: each.dtype.kind in "iuOU")]
    if not len(boxes) == len(scores) == len(classes) == 1:
        return None
    kept = np.concatenate([call[scores[0]].astype(np.float64) for call in calls])
    lowest = kept.min(initial=np.inf)
    if np.sum(kept <= lowest + SCORE_MARGIN) > _few(kept.size):
        lowest = np.nan
    found = Detector(boxes[0], scores[0], classes[0], float(lowest))
    lengths = [{len(call[name]) for name in found.outputs} for call in calls]
    is_ragged = len(set().union(*lengths)) > 1
    is_sorted = all(bool(np.all(np.diff(call[found.scores].astype(np.float64)) <= 0)) for call in calls)
    return found if all(len(each) == 1 for each in lengths) and (is_ragged or is_sorted) else None


def _few(count: int) -> float:
    return max(1.0, FEW * count)


def _all(calls: Sequence[Tensors], name: str, holds: Callable[[Array], bool]) -> bool:
    return all(holds(call[name]) for call in calls)


def _is_score(array: Array) -> bool:
    return is_float(array.dtype) and bool(np.all((array >= 0) & (array <= 1)))
