"""Tables for trees: asked at thresholds, where a comparison that is wrong by one unit in the last place shows."""

import numpy as np

from builders import convert_request
from modelport.api.spec import Input
from modelport.verification.source.model import Hint, Source, ask_source

THRESHOLD = np.float32(0.3)


def tree(tensors):
    return {"y": np.where(tensors["x"][:, 1] <= THRESHOLD, np.float32(1), np.float32(2))}


def test_asked_at_thresholds_and_judged_without_noise():
    hint = Hint(thresholds=((), (float(THRESHOLD),)))
    source = Source([Input(name="x", shape=["batch", 3])], tree, hints={"x": hint})
    samples = ask_source(source, convert_request(), []).usual
    columns = np.concatenate([sample.inputs[0]["x"] for sample in samples])
    below, above = (np.nextafter(THRESHOLD, np.float32(end)) for end in (-1, 1))
    assert {THRESHOLD, below, above} <= set(columns[:, 1])
    assert not {THRESHOLD, below, above} & {*columns[:, 0], *columns[:, 2]}
    assert all(np.array_equal(each[0]["y"], sample.outputs[0]["y"]) for sample in samples for each in sample.repeats)
