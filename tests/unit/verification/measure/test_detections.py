"""Detections: what noise may do to their order and number, and what it may not."""

import numpy as np
import pytest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.measure.detectors import find_detector
from unit.verification.answered import measured, questions, reference_of

ASKED = questions(9, 3)
KEPT = 0.5


def found(inputs, threshold=KEPT, change=lambda boxes, scores, classes: (boxes, scores, classes)):
    """Return what scores above a threshold, the best first: a detector in small."""
    values = inputs["x"].reshape(-1, 3)
    scores = (1 / (1 + np.exp(-values[:, 0]))).astype(np.float32)
    corner = np.abs(values[:, :2]) * 100
    boxes = np.concatenate([corner, corner + 50 + 10 * np.abs(values[:, 1:])], -1).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] > threshold]
    boxes, scores, classes = change(boxes[order], scores[order], (values[order, 1] > 0).astype(np.int64))
    return {"boxes": boxes, "scores": scores, "classes": classes}


def test_they_are_recognised_by_what_stands_together():
    calls = [found(each) for each in ASKED]
    detector = find_detector(ASKED, calls)
    assert detector is not None
    assert detector.outputs == ("boxes", "scores", "classes")
    assert find_detector(ASKED, [each | {"scores": each["scores"] * 3} for each in calls]) is None
    dense = {
        "boxes": np.zeros((9, 4), "f"),
        "scores": np.tile([0.1, 0.9, 0.2], 3).astype("f"),
        "classes": np.zeros(9, int),
    }
    assert find_detector(ASKED[:2], [dense, dense]) is None


def swap(boxes, scores, classes, at=0):
    order = np.arange(len(scores))
    order[at : at + 2] = order[at : at + 2][::-1]
    return boxes[order], scores[order], classes[order]


def near(boxes, scores, classes):
    scores = scores.copy()
    scores[1:2] = scores[:1] - np.float32(1e-6)
    return boxes, scores, classes


def verdict(candidate, source=found, **options):
    return measured(reference_of(source, ASKED), candidate, **options)[1]


def test_an_order_that_noise_decides_is_right():
    source = lambda x: found(x, change=near)  # noqa: E731
    assert verdict(lambda x: found(x, change=lambda *each: swap(*near(*each))), source) is None
    statuses = measured(reference_of(source, ASKED), source)[0].facts.outputs
    assert {each.comparison for each in statuses} == {"Detections"}


def test_another_order_is_wrong():
    finding = verdict(lambda x: found(x, change=swap))
    assert finding is not None
    assert finding.reason == Reason.VERIFICATION_FAILED


def test_one_at_the_threshold_may_be_missing():
    def near_threshold(boxes, scores, classes):
        scores = scores.copy()
        scores[-1:] = KEPT + 1e-6
        return boxes, scores, classes

    def without_last(*each):
        boxes, scores, classes = near_threshold(*each)
        return boxes[:-1], scores[:-1], classes[:-1]

    source = lambda x: found(x, change=near_threshold)  # noqa: E731
    assert verdict(lambda x: found(x, change=without_last), source) is None


@pytest.mark.parametrize("threshold", [0.45, 0.55, 0.9])
def test_another_threshold_is_wrong(threshold):
    with pytest.raises(
        ModelportError, match=r"detections \(boxes, scores, classes\): \d+ expected, \d+ found"
    ) as caught:
        verdict(lambda x: found(x, threshold))
    assert caught.value.reason == Reason.VERIFICATION_FAILED


@pytest.mark.parametrize(
    "change",
    [
        lambda boxes, scores, classes: (boxes * np.float32(1.001), scores, classes),
        lambda boxes, scores, classes: (boxes, scores * np.float32(0.999), classes),
        lambda boxes, scores, classes: (boxes, scores, 1 - classes),
        lambda boxes, scores, classes: (boxes[:, [1, 0, 3, 2]], scores, classes),
    ],
    ids=["boxes", "scores", "classes", "axes"],
)
def test_wrong_boxes_scores_and_classes_are_refused(change):
    finding = verdict(lambda x: found(x, change=change))
    assert finding is not None
    assert finding.reason == Reason.VERIFICATION_FAILED


@pytest.mark.parametrize("kept", [slice(0, 0), slice(1, None)], ids=["none", "all but the first"])
def test_none_may_be_missing_where_many_have_the_lowest_score(kept):
    def saturated(boxes, scores, classes):
        return boxes, np.maximum(scores, np.float32(0.7)), classes

    def fewer(*each):
        return tuple(array[kept] for array in saturated(*each))

    source = lambda x: found(x, change=saturated)  # noqa: E731
    with pytest.raises(ModelportError, match=r"detections"):
        verdict(lambda x: found(x, change=fewer), source)


def test_more_than_a_few_next_to_the_threshold_are_wrong():
    lowest = min(found(each)["scores"].min(initial=1) for each in ASKED)

    def with_many(boxes, scores, classes):
        added = [
            np.repeat(boxes[-1:], len(scores), 0),
            np.full_like(scores, lowest),
            np.repeat(classes[-1:], len(scores)),
        ]
        return tuple(np.concatenate(pair) for pair in zip((boxes, scores, classes), added, strict=True))

    with pytest.raises(ModelportError, match=r"detections"):
        verdict(lambda x: found(x, change=with_many))
