"""Models that look like detectors and are none: they are compared as numbers, and let off nothing."""

import numpy as np
import pytest

from modelport.verification.measure.detections import Detector
from modelport.verification.measure.detectors import find_detector
from unit.verification.answered import measured, questions, reference_of

ASKED = questions(4, 4, batches=(1, 2, 3, 11, 1, 2, 3, 33))
WEIGHTS = np.random.default_rng(0).normal(size=(16, 64))


def hidden(inputs, count):
    return np.tanh(inputs["x"].reshape(-1, 16) @ WEIGHTS[:, :count]).astype(np.float32)


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return (powers / powers.sum(-1, keepdims=True)).astype(np.float32)


def sigmoid(numbers):
    return (1 / (1 + np.exp(-numbers))).astype(np.float32)


def classifier(inputs):
    scores = softmax(hidden(inputs, 4))
    return {"probabilities": scores, "top": scores.max(-1), "label": scores.argmax(-1)}


def targets(inputs):
    return {"targets": hidden(inputs, 4), "probability": sigmoid(hidden(inputs, 5)[:, 4])}


def features(inputs):
    return {"features": hidden(inputs, 6)}


def table(inputs):
    return {"table": np.abs(hidden(inputs, 60)).reshape(-1, 10, 6)}


def anchors(inputs):
    boxes = np.sort(hidden(inputs, 40).reshape(-1, 10, 4), -1)
    return {"boxes": boxes, "scores": sigmoid(hidden(inputs, 50)[:, 40:])}


def queries(inputs):
    boxes = np.sort(hidden(inputs, 40).reshape(-1, 10, 4), -1)
    scores = softmax(hidden(inputs, 50).reshape(-1, 10, 5))
    return {"boxes": boxes, "scores": scores.max(-1), "labels": scores.argmax(-1)}


def best(inputs):
    scores = softmax(hidden(inputs, 10))
    order = np.argsort(-scores, -1, kind="stable")[:, :5]
    return {
        "values": np.take_along_axis(scores, order, -1),
        "places": order,
        "four": hidden(inputs, 20).reshape(-1, 5, 4),
    }


def tokens(inputs):
    """Answer with a mask behind which nothing is."""
    boxes = np.sort(hidden(inputs, 40).reshape(-1, 10, 4), -1)
    mask = (np.arange(10) <= 10 * sigmoid(inputs["x"].reshape(-1, 16)[:, :1])).astype(np.float32)
    return {"boxes": boxes * mask[..., None], "mask": mask}


def packed_tokens(inputs):
    answer = tokens(inputs)
    return {name: each[answer["mask"] > 0] for name, each in answer.items()}


MODELS = (classifier, targets, features, table, anchors, queries, best, tokens, packed_tokens)


@pytest.mark.parametrize("model", MODELS)
def test_they_are_no_detectors(model):
    assert find_detector(ASKED, [model(each) for each in ASKED]) is None
    statuses = measured(reference_of(model, ASKED), model)[0].facts.outputs
    assert "Detections" not in {each.comparison for each in statuses}


def test_many_outputs_take_little_time(monkeypatch):
    """Of outputs that look like scores and like classes not all pairs are looked at."""
    looked, rows = [], Detector.rows
    monkeypatch.setattr(Detector, "rows", lambda self, tensors: looked.append(1) or rows(self, tensors))

    def flags(inputs):
        numbers = hidden(inputs, 64)
        return {
            "four": numbers[:, :4],
            **{f"flag{each}": (numbers[:, each] > 0).astype(np.float32) for each in range(4, 64)},
        }

    assert find_detector(ASKED, [flags(each) for each in ASKED]) is None
    assert 0 < len(looked) <= 60 * len(ASKED)
