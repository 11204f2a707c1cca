"""The source model asked: noise floors, chance, and the signature that its answers show."""

import numpy as np
import pytest

from modelport.api import Input, Verification
from modelport.contract import ConvertRequest, ModelportError
from modelport.reasons import Reason
from modelport.verification.reference import Answer
from modelport.verification.source import Source, ask_source, describe_outputs
from modelport.verification.verify import verify

FEATURES = [Input(name="x", shape=["batch", 4])]
REQUEST = ConvertRequest(
    artifact_key="a",
    verification_key="v",
    source_digest="d",
    source_format="onnx",
    hops=[],
    verification=Verification(),
)
WEIGHTS = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)


def linear(tensors) -> Answer:
    return Answer({"y": tensors["x"] @ WEIGHTS}, {})


def ask(run, suspects=list):
    return ask_source(Source(FEATURES, run, suspects), REQUEST)


def test_a_plain_model_has_a_floor_of_float32():
    reference = ask(linear)
    assert len(reference.samples) == 8
    assert 0 < reference.floors.outputs["y"] < 1e-6


def test_an_ill_conditioned_model_has_a_high_floor():
    reference = ask(lambda tensors: Answer({"y": np.sin(tensors["x"] * 1e5)}, {}))
    assert reference.floors.outputs["y"] > 1e-3


def test_batches_are_split():
    def careless(tensors):
        noise = 1 + 1e-5 * (len(tensors["x"]) == 4)
        return Answer({"y": tensors["x"] @ WEIGHTS * np.float32(noise)}, {})

    assert ask(careless).floors.outputs["y"] > 1e-6


def test_a_first_axis_that_is_no_batch_is_not_taken_for_noise():
    def recurrent(tensors):
        return Answer({"y": np.cumsum(tensors["x"], axis=0)}, {})

    assert ask(recurrent).floors.outputs["y"] < 1e-6


def test_chance_is_told_with_the_suspects():
    random = np.random.default_rng(0)

    def dropping(tensors):
        return Answer({"y": tensors["x"] * random.integers(0, 2, tensors["x"].shape)}, {})

    with pytest.raises(ModelportError, match="drop1") as caught:
        ask(dropping, lambda: ["drop1 (Dropout in training mode)"])
    assert caught.value.reason == Reason.NON_DETERMINISTIC


def test_chance_in_labels_is_told():
    random = np.random.default_rng(0)
    with pytest.raises(ModelportError) as caught:
        ask(lambda tensors: Answer({"y": random.integers(0, 9, len(tensors["x"]))}, {}))
    assert caught.value.reason == Reason.NON_DETERMINISTIC


def test_the_signature_follows_from_the_answers():
    def model(tensors):
        x = tensors["x"]
        return Answer({"same": x, "fixed": x[:1, :2] * 0, "own": np.repeat(x, 2, axis=0), "scalar": x.sum()}, {})

    outputs = describe_outputs(FEATURES, ask(model).samples)
    assert [(each.name, each.shape) for each in outputs] == [
        ("same", ["batch", 4]),
        ("fixed", [1, 2]),
        ("own", ["own_0", 4]),
        ("scalar", []),
    ]


def test_the_same_model_verifies():
    evidence = verify(ask(linear), lambda inputs: linear(inputs).outputs)
    assert evidence.facts.samples == 8
    assert evidence.facts.max_absolute_error == "0"
    assert len(evidence.golden) == 2


@pytest.mark.parametrize(
    ("infer", "words"),
    [
        (lambda x: {"z": x @ WEIGHTS}, "expected outputs"),
        (lambda x: {"y": x @ WEIGHTS, "z": x}, "expected outputs"),
        (lambda x: {"y": (x @ WEIGHTS).astype(np.float64)}, "float64"),
        (lambda x: {"y": (x @ WEIGHTS)[:, :2]}, "expected outputs"),
        (lambda x: {"y": x.reshape(1, 4) @ WEIGHTS}, "the converted model fails"),
    ],
    ids=["name", "more", "type", "shape", "refusal"],
)
def test_answers_that_cannot_be_compared_fail(infer, words):
    with pytest.raises(ModelportError, match=words) as caught:
        verify(ask(linear), lambda inputs: infer(inputs["x"]))
    assert caught.value.reason == Reason.VERIFICATION_FAILED


def test_the_order_of_outputs_counts():
    reference = ask(lambda tensors: Answer({"a": tensors["x"], "b": tensors["x"] * 2}, {}))
    with pytest.raises(ModelportError, match="expected outputs"):
        verify(reference, lambda inputs: {"b": inputs["x"] * 2, "a": inputs["x"]})
