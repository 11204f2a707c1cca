"""Labels: exact, but where the source itself is unsure.

A label is unsure where the source gives another one when asked again, or where the numbers that it was taken from, if
they are an output as well, have a runner-up within their own noise.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from modelport.verification.arrays import Array, Tensors
from modelport.verification.measure import same
from modelport.verification.measure.precision import is_float

FOLLOWS = 0.99
"""Share of the rows in which labels must follow from numbers, to be taken from them."""

Mask = npt.NDArray[np.bool_]


class Origin(NamedTuple):
    """The float output that labels are the largest (or smallest) element of."""

    name: str
    axis: int
    sign: int
    """-1 for the smallest element."""
    places: Mapping[object, int] | None
    """Place along the axis by label; None: the label is the place."""


def find_origin(name: str, calls: Sequence[Tensors]) -> Origin | None:
    """Return where the labels of output `name` come from, if it is among the other outputs of the same calls."""
    labels = [call[name] for call in calls]
    if not sum(each.size for each in labels):
        return None
    for other, first in calls[0].items():
        if not is_float(first.dtype):
            continue
        numbers = [call[other] for call in calls]
        for axis in reversed(range(first.ndim)):
            if all(_reduces(one, axis, label) for one, label in zip(numbers, labels, strict=True)):
                for sign in (1, -1):
                    follows, places = _follow(labels, numbers, axis, sign)
                    if follows:
                        return Origin(other, axis, sign, places)
    return None


class LabelRule(NamedTuple):
    """How one output of labels is judged."""

    name: str
    origin: Origin | None
    margins: Mapping[str, float]
    """By float output: how near two elements are that noise may swap."""

    @classmethod
    def of(cls, name: str, calls: Sequence[Tensors], margins: Mapping[str, float]) -> Self:
        """Find out where the labels come from, by the source's answers."""
        return cls(name, find_origin(name, calls), margins)

    def wrong(self, expected: Tensors, found: Tensors, repeats: Sequence[Tensors] = ()) -> Mask:
        """Return which labels of a call are others, and not as right as the source's own."""
        labels, given = expected[self.name], found[self.name]
        wrong = ~same(labels, given)
        for again in repeats:
            if again[self.name].shape == given.shape:
                wrong &= ~same(again[self.name], given)
        origin = self.origin
        if origin is not None and wrong.any() and _reduces(expected[origin.name], origin.axis, given):
            wrong &= ~_is_near_top(origin, expected[origin.name], given, self.margins[origin.name])
        for other, margin in self.margins.items():
            numbers = expected[other]
            if wrong.any() and labels.ndim and numbers.shape == labels.shape and _is_sorted(numbers):
                wrong &= ~_is_swapped(labels, given, numbers, margin)
        return np.asarray(wrong)


def _reduces(numbers: Array, axis: int, labels: Array) -> bool:
    if numbers.shape[axis] < 2:  # noqa: PLR2004  # the largest of one says nothing
        return False
    rest = numbers.shape[:axis] + numbers.shape[axis + 1 :]
    return labels.shape in (rest, (*numbers.shape[:axis], 1, *numbers.shape[axis + 1 :]))


def _rows(numbers: Array, axis: int, sign: int) -> npt.NDArray[np.float64]:
    moved = np.moveaxis(numbers.astype(np.float64), axis, -1)
    return sign * moved.reshape(-1, numbers.shape[axis])


def _follow(
    labels: Sequence[Array], numbers: Sequence[Array], axis: int, sign: int
) -> tuple[bool, Mapping[object, int] | None]:
    """Return whether labels follow from the numbers, and the place of each one; None if labels are places."""
    tops = np.concatenate([_rows(each, axis, sign).argmax(-1) for each in numbers])
    flat = np.concatenate([each.ravel() for each in labels])
    if flat.dtype.kind in "biu" and np.mean(tops == flat) >= FOLLOWS:
        return True, None
    places: dict[object, int] = {}
    right = 0
    for top in np.unique(tops):
        values, counts = np.unique(flat[tops == top], return_counts=True)
        label = values[int(counts.argmax())]
        if label in places:
            return False, None
        places[label] = int(top)
        right += int(counts.max())
    return right >= FOLLOWS * flat.size and len(places) > 1, places


def _is_near_top(origin: Origin, numbers: Array, given: Array, margin: float) -> Mask:
    rows = _rows(numbers, origin.axis, origin.sign)
    if origin.places is None:
        places = given.ravel().astype(np.int64)
    else:
        places = np.array([origin.places.get(label, -1) for label in given.ravel().tolist()], np.int64)
    known = (places >= 0) & (places < rows.shape[1])
    value = np.take_along_axis(rows, np.where(known, places, 0)[:, None], axis=1)[:, 0]
    near: Mask = known & (value >= rows.max(1, initial=-np.inf) - margin)
    return near.reshape(given.shape)


def _is_sorted(numbers: Array) -> bool:
    if numbers.shape[-1] < 2:  # noqa: PLR2004  # one element has no order
        return False
    steps = np.diff(numbers.astype(np.float64), axis=-1)
    return bool(np.all(steps <= 0) or np.all(steps >= 0))


def _is_swapped(labels: Array, given: Array, numbers: Array, margin: float) -> Mask:
    """Return where a label of the same row was given, whose number differs by noise from the one in this place.

    Numbers are sorted, so that those next to one lie side by side: it takes time for each place, and not for each pair.
    """
    shape, length = labels.shape, labels.shape[-1]
    codes = np.unique(np.concatenate([labels.ravel(), given.ravel()]), return_inverse=True)[1].reshape(2, -1, length)
    values = numbers.reshape(-1, length).astype(np.float64)
    values = -values if values.size and np.all(values[:, 0] >= values[:, -1]) else values
    result: Mask = np.zeros(values.shape, np.bool_)
    for row, (own, other, ascending) in enumerate(zip(*codes, values, strict=True)):
        places = np.flatnonzero(own != other)
        first = np.searchsorted(ascending, ascending[places] - margin, "left")
        behind = np.searchsorted(ascending, ascending[places] + margin, "right")
        known = np.sort(own * length + np.arange(length))  # each label's places, in order
        at = np.searchsorted(known, other[places] * length + first)
        result[row, places] = np.append(known, np.iinfo(known.dtype).max)[at] < other[places] * length + behind
    return result.reshape(shape)
