"""States of recurrent models: fed back, reset, and asked for where they look undeclared."""

import numpy as np
import pytest

from builders import convert_request
from modelport.api.reasons import Reason
from modelport.api.spec import Input, State
from modelport.errors import ModelportError
from modelport.verification.calls import run_calls
from modelport.verification.source.model import Source, ask_source

INPUTS = [Input(name="x", shape=["batch", 4]), Input(name="h", shape=[1, "batch", 4])]
STATES = [State(input="h", output="hn")]


def cell(tensors):
    state = np.tanh(tensors["x"] + 0.5 * tensors["h"])
    return {"y": state[0] * 2, "hn": state}


def test_calls_feed_their_outputs_back():
    calls = (
        {"x": np.ones((1, 4), np.float32), "h": np.zeros((1, 1, 4), np.float32)},
        {"x": np.zeros((1, 4), np.float32)},
    )
    answers = run_calls(cell, calls, STATES)
    assert answers[1]["hn"][0, 0, 0] == pytest.approx(np.tanh(0.5 * np.tanh(1.0)))


def test_sequences_start_from_zeros_and_go_on_with_what_was_answered():
    reference = ask_source(Source(INPUTS, cell), convert_request(states=STATES), [])
    assert len(reference.usual) == 8
    assert sum(len(sample.inputs) >= 8 for sample in reference.usual) == 2
    for sample in reference.usual:
        assert not sample.inputs[0]["h"].any()
        assert all("h" not in call for call in sample.inputs[1:])
        state = sample.inputs[0]["h"]
        for call, outputs in zip(sample.inputs, sample.outputs, strict=True):
            state = cell({**call, "h": state})["hn"]
            np.testing.assert_array_equal(outputs["hn"], state)


def test_sequences_have_repeats_of_all_their_calls():
    reference = ask_source(Source(INPUTS, cell), convert_request(states=STATES), [])
    assert {len(sample.repeats) for sample in reference.usual} == {4}
    assert all(len(repeat) == len(sample.inputs) for sample in reference.usual for repeat in sample.repeats)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State(input="h", output="hm"), "no output hm; did you mean hn"),
        (State(input="g", output="hn"), "no input g; the model has: x, h"),
        (State(input="h", output="y"), r"h takes float32\[1, 1, 4\], output y gives float32\[1, 4\]"),
    ],
)
def test_states_that_the_model_has_not_are_refused(state, words):
    with pytest.raises(ModelportError, match=words) as caught:
        ask_source(Source(INPUTS, cell), convert_request(states=[state]), [])
    assert caught.value.reason == Reason.INVALID_SPEC


def test_what_looks_like_a_state_is_told():
    caveats = ask_source(Source(INPUTS, cell), convert_request(), []).caveats
    assert any("input h looks like a recurrent state" in each and "{input: h, output: hn}" in each for each in caveats)


def test_states_are_paired_with_the_last_answers_in_their_order():
    inputs = [*INPUTS, Input(name="c", shape=[1, "batch", 4])]

    def lstm(tensors):
        state = cell(tensors)["hn"]
        return {"output_0": state + 1, "output_1": state, "output_2": state + tensors["c"]}

    caveats = ask_source(Source(inputs, lstm), convert_request(), []).caveats
    assert ["{input: h, output: output_1}" in caveats[0], "{input: c, output: output_2}" in caveats[1]] == [True, True]


def test_a_refusal_says_which_inputs_look_like_states():
    def refuse(_tensors):
        raise ValueError("expected a state of another shape")

    with pytest.raises(ModelportError, match=r"h looks like a recurrent state.*spec\.source\.states") as caught:
        ask_source(Source(INPUTS, refuse), convert_request(), [])
    assert caught.value.reason == Reason.INPUTS_NEEDED
