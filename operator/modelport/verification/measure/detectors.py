"""Find out, by the source's own answers, which outputs describe detections.

Models that merely look alike (boxes for each anchor, four probabilities beside the largest of them) must not be let off
anything, so all has to fit: corners in order, scores within [0, 1] that are sorted, or of a number that follows from the
data. When in doubt it is no detector.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelport.api.base import Dtype
from modelport.verification.arrays import Array, Tensors
from modelport.verification.measure import same
from modelport.verification.measure.detection_rows import Place, Rows, count_live, find_lowest
from modelport.verification.measure.detections import Detector
from modelport.verification.measure.metrics import CORNERS
from modelport.verification.measure.precision import is_float, precision_of
from modelport.verification.reference import Reference

ENOUGH = 8
"""Detections, scores of theirs, and scores below one before them, that are no coincidence."""
MARGIN = 2e-4
UNITS = 8
"""The same in units of the scores' precision, where that is coarser."""
MOST_AXES = 3
"""Axes before, and with, that of the detections."""


class _Columns(NamedTuple):
    """Where one tensor has all."""

    boxes: int
    scores: int
    classes: int | None = None
    images: int | None = None
    width: int | None = None
    """How many columns there are; None: others may follow, such as landmarks."""


_LAYOUTS = (
    _Columns(images=0, boxes=1, scores=6, classes=5, width=7),
    _Columns(images=0, boxes=3, scores=2, classes=1, width=7),
    _Columns(boxes=2, scores=1, classes=0, width=6),
    _Columns(boxes=0, scores=5, classes=4, width=6),
    _Columns(boxes=0, scores=4, classes=5),
    _Columns(boxes=0, scores=4),
)
"""Those of a known width first: their first column is a number that others do not begin with."""


class _Answers(NamedTuple):
    """What the source was asked, and what it answered."""

    asked: Sequence[Tensors]
    calls: Sequence[Tensors]
    precision: Dtype

    def all(self, name: str, holds: Callable[[Array], bool]) -> bool:
        """Return whether something holds for an output of each call."""
        return all(holds(call[name]) for call in self.calls)


def detector_of(reference: Reference) -> Detector | None:
    """Return the detector that the source is, if it is one."""
    asked = [inputs for sample in reference.usual for inputs in sample.inputs]
    answers = [outputs for sample in reference.usual for outputs in sample.outputs]
    return find_detector(asked, answers, reference.precision)


def find_detector(asked: Sequence[Tensors], calls: Sequence[Tensors], precision: Dtype = "float32") -> Detector | None:
    """Return the detector whose answers `calls` are, if it is one; `asked` are the inputs of each.

    `precision` is what the source computes with.

    Boxes are x1, y1, x2, y2 or y1, x1, y2, x2 in [..., n, 4], beside scores and classes in [..., n] or [..., n, 1], or
    all are columns of one tensor; or numbers of image, class and box in [..., n, 3] choose among scores. Classes may be
    left out, what comes before n are images, and n may be padded by scores of 0 or -1.
    """
    answers = _Answers(asked, calls, precision)
    for axis in range(MOST_AXES):
        candidates = [*_packed(answers, axis), *_apart(answers, axis), *_chosen(answers, axis)]
        found = [detector for each in candidates if (detector := _complete(each, answers))]
        by_order = [each for each in found if _is_sorted([each.rows(call) for call in calls])]
        if by_order or len({each.scores for each in found}) == 1:
            return (by_order or found)[0]
    return None


def _packed(answers: _Answers, axis: int) -> Iterator[Detector]:
    for name, first in answers.calls[0].items():
        if first.ndim != axis + 2 or not is_float(first.dtype):
            continue
        for layout in _LAYOUTS:
            least = max(layout.boxes + CORNERS, layout.scores + 1, (layout.classes or 0) + 1)
            if first.shape[-1] == layout.width or (layout.width is None and first.shape[-1] >= least):
                classes, images = (
                    None if column is None else Place(name, column) for column in (layout.classes, layout.images)
                )
                yield Detector((name,), axis, Place(name, layout.boxes), Place(name, layout.scores), classes, images)


def _apart(answers: _Answers, axis: int) -> Iterator[Detector]:
    firsts = {name: array for name, array in answers.calls[0].items() if array.ndim > axis}
    boxes = [name for name, array in firsts.items() if array.shape[axis + 1 :] == (CORNERS,) and is_float(array.dtype)]
    flat = [name for name, array in firsts.items() if boxes and array.shape[axis + 1 :] in ((), (1,))]
    scores = [name for name in flat if answers.all(name, _is_score)]
    labels = [name for name in flat if answers.all(name, _is_label)]
    labels.sort(key=lambda name: is_float(firsts[name].dtype))  # scores of 0 and 1 alone look like labels
    for box, score in itertools.product(boxes, scores):
        if not _complete(Detector((box, score), axis, Place(box), Place(score)), answers):
            continue  # whatever the classes: of a hundred outputs are ten thousand pairs
        others = [name for name in labels if name != score]
        for label in others or [""]:
            outputs = tuple(filter(None, (box, score, label)))
            yield Detector(outputs, axis, Place(box), Place(score), Place(label) if others else None)


def _chosen(answers: _Answers, axis: int) -> Iterator[Detector]:
    firsts = answers.calls[0]
    names = [name for name, each in firsts.items() if each.dtype.kind == "i" and each.shape[axis + 1 :] == (3,)]
    tables = [name for name in firsts if names and answers.all(name, lambda each: each.ndim == 3 and _is_score(each))]  # noqa: PLR2004
    for name, table in itertools.product(names, tables):
        yield Detector((name,), axis, Place(name, 2), Place(table), Place(name, 1), Place(name, 0), is_chosen=True)


def _complete(detector: Detector, answers: _Answers) -> Detector | None:
    """Return the detector with all that belongs to it, if the answers are what a detector answers."""
    axis, calls = detector.axis, answers.calls
    before = [call[detector.boxes.output].shape[: axis + 1] for call in calls]

    def goes_along(name: str) -> bool:
        return all(call[name].shape[: axis + 1] == shape for call, shape in zip(calls, before, strict=True))

    if not all(len(shape) == axis + 1 for shape in before) or not all(
        goes_along(name) and len({call[name].shape[axis + 1 :] for call in calls}) == 1 for name in detector.outputs
    ):
        return None
    rows = [detector.rows(call) for call in calls]
    if not _are_detections(detector, answers, rows):
        return None
    lengths = {shape[axis] for shape in before}
    follows = len(lengths) > 1 and not _is_asked(answers.asked, [shape[axis] for shape in before])
    if not (follows or _is_padded(rows) or _is_sorted(rows)):
        return None
    scores = np.concatenate([each.scores[each.is_live] for each in rows])
    margin = max(MARGIN, UNITS * precision_of(calls[0][detector.scores.output].dtype, answers.precision).unit)

    def counts(name: str) -> bool:
        return all(
            call[name].ndim <= axis + 1
            and (detector.images or call[name].size == math.prod(shape[:axis]))
            and np.array_equal(call[name].ravel(), count_live(each, call[name].size))
            for call, shape, each in zip(calls, before, rows, strict=True)
        )

    others = [name for name in calls[0] if name not in detector.outputs]
    more = [name for name in others if goes_along(name) and _varies([call[name] for call in calls])]
    return detector._replace(
        outputs=(*detector.outputs, *more),
        counts=tuple(name for name in others if name not in more and counts(name)),
        room=lengths.pop() if len(lengths) == 1 and not detector.images else 0,
        margin=margin,
        lowest=find_lowest(scores, margin),
    )


def _are_detections(detector: Detector, answers: _Answers, rows: Sequence[Rows]) -> bool:
    live = [each.is_live for each in rows]
    boxes = np.concatenate([each.boxes[kept] for each, kept in zip(rows, live, strict=True)])
    scores = np.concatenate([each.scores for each in rows])
    if len(boxes) < ENOUGH or not all(each.is_finite and each.is_padded_behind for each in rows):
        return False
    if not _is_score(scores) or np.all(boxes == boxes[0]):
        return False
    if len(np.unique(scores[scores > 0])) < ENOUGH:  # a mask: what is equal everywhere gives nothing its place
        return False
    if detector.is_chosen:
        return _is_sorted([each._replace(images=_groups(each)) for each in rows])
    if np.any(boxes[:, :2] > boxes[:, 2:]):
        return False
    columns = [place for place in (detector.classes, detector.images) if place]
    return all(
        _is_label(detector.columns(call, place)[kept])
        for place in columns
        for call, kept in zip(answers.calls, live, strict=True)
    )


def _groups(rows: Rows) -> npt.NDArray[np.intp]:
    """Return a number for each image and class."""
    return np.unique(np.stack([rows.images, rows.classes]), axis=1, return_inverse=True)[1].reshape(-1)


def _is_asked(asked: Sequence[Tensors], lengths: Sequence[int]) -> bool:
    """Return whether these are always the lengths of an axis of an input."""
    return any(
        all(
            name in each and each[name].shape[axis : axis + 1] == (length,)
            for each, length in zip(asked, lengths, strict=True)
        )
        for name, first in asked[0].items()
        for axis in range(first.ndim)
    )


def _is_padded(rows: Sequence[Rows]) -> bool:
    """Return whether images have different numbers of detections in the same room."""
    pads = [count_live(each, 0) for each in rows if not each.is_live.all()]
    return len(pads) > 0 and len(np.unique(np.concatenate(pads))) > 1


def _is_sorted(rows: Sequence[Rows]) -> bool:
    """Return whether scores fall within each image, and do not just stay the same."""
    steps = np.concatenate([np.diff(each.scores)[each.images[1:] == each.images[:-1]] for each in rows])
    return bool(np.all(steps <= 0)) and int(np.sum(steps < 0)) >= ENOUGH


def _varies(arrays: Sequence[Array]) -> bool:
    return any(one.shape != arrays[0].shape or not same(one, arrays[0]).all() for one in arrays)


def _is_score(array: Array) -> bool:
    return is_float(array.dtype) and bool(np.all(((array >= 0) & (array <= 1)) | (array == -1)))


def _is_label(array: Array) -> bool:
    if is_float(array.dtype):
        return bool(np.all(array == np.rint(array.astype(np.float64))))
    return array.dtype.kind in "biuOU"
