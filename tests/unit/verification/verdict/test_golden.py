"""Golden samples as files, and asked on another machine."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from modelport.api.reasons import Reason
from modelport.api.spec import State
from modelport.errors import ModelportError
from modelport.verification.calls import run_calls
from modelport.verification.reference import Reference, Sample
from modelport.verification.verdict.golden import Golden, check_golden, choose_golden, read_golden, write_golden
from unit.verification.answered import measured, questions

OUTPUTS = {"scores": np.array([[0.2, 0.5, 0.5 - 1e-7], [0.1, 0.8, 0.1]], np.float32), "label": np.array([1, 1])}
GOLDEN = Golden(
    ({"x": np.ones(3, np.float32), "state": np.zeros(2, np.float32)},), (OUTPUTS,), {"scores": 1e-4, "label": 0.0}
)


def test_they_come_back_as_written_and_equal_contents_make_equal_bytes(tmp_path):
    outputs = OUTPUTS | {"half": np.arange(4).astype(ml_dtypes.bfloat16), "name": np.array(["red"], object)}
    golden = Golden((*GOLDEN.inputs, {"x": np.zeros(3, np.float32)}), (outputs, outputs), dict.fromkeys(outputs, 0.25))
    for name in ("a", "b"):
        write_golden(tmp_path / name, [golden, golden])
    assert (tmp_path / "a/0.npz").read_bytes() == (tmp_path / "b/1.npz").read_bytes()
    for read in read_golden(tmp_path / "a"):
        assert [list(call) for call in read.inputs] == [["x", "state"], ["x"]]
        assert read.tolerances == golden.tolerances
        for call, (name, array) in itertools.product(read.outputs, outputs.items()):
            assert call[name].dtype == array.dtype
            assert np.array_equal(call[name], array)


def test_none_are_a_mismatch(tmp_path):
    with pytest.raises(ModelportError) as caught:
        read_golden(tmp_path)
    assert caught.value.reason == Reason.GOLDEN_MISMATCH


@pytest.mark.parametrize("golden", [Golden((), (OUTPUTS,), GOLDEN.tolerances), Golden(GOLDEN.inputs, ({},), {})])
def test_one_without_a_question_or_an_answer_is_none(golden, tmp_path):
    write_golden(tmp_path, [golden])
    with pytest.raises(ModelportError, match="no question, or no answer") as caught:
        read_golden(tmp_path)
    assert caught.value.reason == Reason.GOLDEN_MISMATCH


def test_the_two_smallest_are_chosen():
    answered = [(({"x": np.zeros(length)},), ({"y": np.array([length])},)) for length in (5, 2, 9, 1)]
    assert [int(each.outputs[0]["y"][0]) for each in choose_golden(answered, {"y": 0.0})] == [1, 2]


def test_sequences_are_chosen_before_single_calls_and_cut():
    answered = [((tensors,) * calls, (tensors,) * calls) for calls in (1, 8, 2) for tensors in [{"x": np.zeros(calls)}]]
    assert [len(each.inputs[0]["x"]) for each in choose_golden(answered, {"x": 0.0})] == [2, 8]
    assert {(len(each.inputs), len(each.outputs)) for each in choose_golden(answered, {"x": 0.0})} == {(2, 2)}


@pytest.mark.parametrize("nothing", [np.zeros((0, 4)), np.zeros((3, 4)), np.array([""], object)])
def test_answers_of_nothing_are_chosen_last(nothing):
    something = np.array([[0.0, 2.0]]) if nothing.dtype != object else np.array(["a"], object)
    answered = [(({"x": np.zeros(length)},), ({"y": array},)) for length in (1, 2, 3, 4) for array in [nothing]]
    answered += [(({"x": np.zeros(length)},), ({"y": something},)) for length in (9, 8)]
    assert [len(each.inputs[0]["x"]) for each in choose_golden(answered, {"y": 0.0})] == [8, 9]
    assert [len(each.inputs[0]["x"]) for each in choose_golden(answered[:5], {"y": 0.0})] == [9, 1]


STATES = [State(input="h", output="hn")]


def cell(tensors):
    state = np.tanh(tensors["x"] + 0.5 * tensors["h"])
    return {"y": 2 * state, "hn": state}


def test_states_are_fed_back():
    ones = {"x": np.ones(4, np.float32)}
    inputs = (ones | {"h": np.zeros(4, np.float32)}, ones)
    golden = [Golden(inputs, run_calls(cell, inputs, STATES), {"y": 1e-4, "hn": 1e-4})]
    check_golden(golden, cell, STATES)
    for wrong in (
        lambda tensors: cell(tensors | {"h": tensors["h"] * 0}),
        lambda tensors: cell(tensors) | {"hn": tensors["h"]},
    ):
        with pytest.raises(ModelportError) as caught:
            check_golden(golden, wrong, STATES)
        assert caught.value.reason == Reason.GOLDEN_MISMATCH
    with pytest.raises(ModelportError, match=r"golden sample 0, call 2: output y differs"):
        check_golden(golden, lambda tensors: cell(tensors | {"h": tensors["h"] * 0}), STATES)
    with pytest.raises(ModelportError, match=r"golden sample 0: expected output hn float32\[4\]"):
        check_golden(golden, lambda tensors: {"y": cell(tensors)["y"]}, STATES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"scores": OUTPUTS["scores"] * np.float32(1.00001)}, ""),
        ({"label": np.array([2, 1])}, ""),
        ({"label": np.array([0, 1])}, r"label differs.*0\.5 of the labels"),
        ({"label": np.array([1, 2])}, r"label differs.*0\.5 of the labels"),
        ({"scores": OUTPUTS["scores"] * np.float32(1.001)}, r"scores differs.*relative RMS 0\.001"),
        ({"scores": OUTPUTS["scores"] * np.nan}, "6 elements are NaN"),
        ({"scores": OUTPUTS["scores"][:1]}, r"expected output scores float32\[2, 3\]"),
        ({"scores": OUTPUTS["scores"].astype(np.float64)}, r"expected output scores float32\[2, 3\]"),
    ],
)
def test_another_machine_may_round_otherwise_and_nothing_else(change, words):
    if not words:
        check_golden([GOLDEN], lambda _: OUTPUTS | change, [])
        return
    with pytest.raises(ModelportError, match=words) as caught:
        check_golden([GOLDEN], lambda _: OUTPUTS | change, [])
    assert caught.value.reason == Reason.GOLDEN_MISMATCH


def test_an_array_that_cannot_be_served_is_refused(tmp_path):
    complex_outputs = Golden(GOLDEN.inputs, ({"y": np.ones(2, np.complex64)},), {"y": 1e-4})
    with pytest.raises(ModelportError, match=r"complex64.*real and imaginary") as caught:
        write_golden(tmp_path, [complex_outputs])
    assert caught.value.reason == Reason.CONVERSION_FAILED


def test_evidence_of_sequences_leaves_their_first_two_calls():
    asked = [tuple({"x": each["x"]} for each in questions(3, batches=(size, size, size))) for size in (5, 2, 3)]
    source = lambda inputs: {"y": np.cumsum(inputs["x"], axis=1)}  # noqa: E731
    samples = tuple(Sample(calls, tuple(source(each) for each in calls)) for calls in asked)
    golden = measured(Reference(samples), source)[0].golden
    assert [[len(call["x"]) for call in each.inputs] for each in golden] == [[2, 2], [3, 3]]
    assert [len(each.outputs) for each in golden] == [2, 2]
