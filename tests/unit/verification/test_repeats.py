"""The source again: noise is kept, another question is not."""

import numpy as np
import pytest

from modelport.api import DimensionRange, Input
from modelport.verification.sameness import is_other
from modelport.verification.source import Source, ask_source
from unit.verification.sources import request

FEATURES = [Input(name="x", shape=["batch", 4])]
TOKENS = [Input(name="x", dtype="int64", shape=["batch", 4])]
WEIGHTS = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
MOVED, HALVED, ALONE, PERMUTED = range(4)


def noise(run, inputs=FEATURES, output="y", **source):
    """Return the relative RMS of each kind of repeat, pooled over the samples."""
    samples = ask_source(Source(inputs, run, **source), request(), []).usual
    kinds = {len(sample.repeats) for sample in samples}
    assert len(kinds) == 1
    plain = np.concatenate([sample.outputs[0][output].ravel() for sample in samples]).astype(float)
    found = []
    for kind in range(kinds.pop()):
        again = np.concatenate([sample.repeats[kind][0][output].ravel() for sample in samples])
        found.append(float(np.sqrt(np.sum((again - plain) ** 2) / np.sum(plain**2))))
    return found


def test_a_plain_model_has_noise_of_float32():
    assert 0 < noise(lambda tensors: {"y": tensors["x"] @ WEIGHTS})[MOVED] < 1e-6


def test_an_ill_conditioned_model_has_much_noise_when_its_inputs_move():
    assert noise(lambda tensors: {"y": np.sin(tensors["x"] * 1e5)})[MOVED] > 1e-3


def by_company(tensors, effect):
    rows = len(tensors["x"])
    return {"y": tensors["x"] @ WEIGHTS.astype(np.float32) * np.float32(1 + effect * (rows % 5))}


def test_integers_do_not_move_but_their_batches_are_split_and_permuted():
    def uneven(tensors):
        order = np.arange(1, len(tensors["x"]) + 1)[:, None]
        rows = np.float32(1 + 1e-5 * (len(tensors["x"]) % 5)) * (1 + 1e-6 * order)
        return {"y": (tensors["x"] * rows).astype(np.float32)}

    found = noise(uneven, TOKENS)
    assert found[MOVED] == 0
    assert all(1e-7 < found[kind] < 1e-3 for kind in (HALVED, ALONE, PERMUTED))


def test_batches_are_split():
    assert noise(lambda tensors: by_company(tensors, 1e-5))[ALONE] > 1e-6


@pytest.mark.parametrize(
    "dependent",
    [
        lambda x: np.cumsum(x, axis=0),
        lambda x: x - x.mean(0, keepdims=True),
        lambda x: x.sum(0, keepdims=True),
        lambda x: x.sum(0),
        lambda x: x[np.abs(x[:, 0]) > 0.5],
    ],
    ids=["cumsum", "mean", "sum", "reduced", "ragged"],
)
def test_rows_that_depend_on_one_another_are_no_noise(dependent):
    found = noise(lambda tensors: {"y": dependent(tensors["x"].astype(np.float32))})
    assert max(found[HALVED:]) < 1e-6


def test_an_output_with_dependent_rows_does_not_hide_the_noise_of_another():
    def model(tensors):
        return {"total": tensors["x"].sum(0), **by_company(tensors, 1e-5)}

    assert noise(model)[ALONE] > 1e-6


def test_a_batch_on_the_second_axis_is_split_there():
    def recurrent(tensors):
        rows = tensors["x"].shape[1]
        return {"y": np.cumsum(tensors["x"], axis=0) * np.float32(1 + 1e-5 * (rows % 5))}

    found = noise(recurrent, [Input(name="x", shape=[10, "batch", 20])])
    assert all(1e-7 < found[kind] < 1e-3 for kind in (HALVED, ALONE))


def test_a_batch_that_the_source_does_not_take_is_not_asked_again():
    def pairs(tensors):
        if len(tensors["x"]) < 2:
            raise ValueError("expected at least two rows")
        return {"y": tensors["x"] @ WEIGHTS}

    limits = {"batch": DimensionRange(min=2)}
    samples = ask_source(Source(FEATURES, pairs), request(dimensions=limits), []).usual
    assert all(len(sample.repeats) == 4 for sample in samples)


def test_half_precision_is_noise_of_its_own_size():
    def half(tensors):
        rows = len(tensors["x"])
        return {"y": (tensors["x"] * np.float16(1 + 2e-3 * (rows % 5))).astype(np.float16)}

    inputs = [Input(name="x", dtype="float16", shape=["batch", 4])]
    assert noise(half, inputs, precision="float16")[ALONE] > 1e-4


def test_the_users_own_samples_are_moved_alone():
    data = [{"x": np.ones((7, 4), np.float32)}]
    reference = ask_source(Source(FEATURES, lambda tensors: by_company(tensors, 1e-5)), request(), data)
    moved, *others = reference.usual[-1].repeats
    assert not np.array_equal(moved[0]["y"], reference.usual[-1].outputs[0]["y"])
    assert all(np.array_equal(each[0]["y"], reference.usual[-1].outputs[0]["y"]) for each in others)


def test_large_answers_are_repeated_in_fewer_ways(monkeypatch):
    monkeypatch.setattr("modelport.verification.repeats.MAX_BYTES", 2_000)
    samples = ask_source(Source(FEATURES, lambda tensors: {"y": tensors["x"] @ WEIGHTS}), request(), []).usual
    assert {len(sample.repeats) for sample in samples} == {3}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], False),
        ([1.0, 2.0], [1.0, 2.1], True),
        ([1.0, np.nan], [1.0, np.nan], False),
        ([1.0, np.nan], [1.0, 2.0], True),
        ([1.0, np.inf], [1.0, -np.inf], True),
        ([0.0, 0.0], [0.0, 0.0], False),
        ([1, 2], [1, 3], True),
        (["a"], ["b"], True),
    ],
)
def test_answers_differ_by_more_than_noise(one, other, expected):
    arrays = [np.array(each, object if isinstance(each[0], str) else None) for each in (one, other)]
    assert is_other(*arrays, 1e-4) == expected
