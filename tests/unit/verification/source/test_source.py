"""The source model asked: chance, two builds, the user's own samples, and the signature that its answers show."""

import itertools

import numpy as np
import pytest

from builders import convert_request
from modelport.api.reasons import Reason
from modelport.api.spec import Input, Verification
from modelport.errors import ModelportError, describe_error
from modelport.verification.source.model import Source, ask_source, describe_outputs

FEATURES = [Input(name="x", shape=["batch", 4])]
WEIGHTS = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)


def linear(tensors):
    return {"y": tensors["x"] @ WEIGHTS}


def ask(run, data=(), inputs=FEATURES, verification=None, **source):
    return ask_source(Source(inputs, run, **source), convert_request(verification=verification or Verification()), data)


@pytest.mark.parametrize("count", [8, 64])
def test_as_many_samples_as_wanted_are_asked_with_edges_beside_them(count):
    reference = ask(linear, verification=Verification(samples=count))
    assert len(reference.usual) == count
    assert len(reference.edges) >= 5
    assert not any(sample.repeats for sample in reference.edges)
    assert dict(reference.lengths) == {"batch": (1, 33)}


# --- what the old samples did not show --------------------------------------------------------------------------------


def differs(reference, candidate):
    return any(
        not np.array_equal(outputs["y"], candidate(inputs)["y"], equal_nan=True)
        for sample in reference.usual
        for inputs, outputs in zip(sample.inputs, sample.outputs, strict=True)
    )


def test_a_table_whose_rows_are_zeroed_but_for_two_is_seen():
    table = np.random.default_rng(2).standard_normal((1_000, 8)).astype(np.float32)
    zeroed = np.where(np.arange(1_000)[:, None] < 2, table, 0)
    reference = ask(
        lambda tensors: {"y": table[tensors["x"]]}, inputs=[Input(name="x", dtype="int64", shape=["batch", 16])]
    )
    assert differs(reference, lambda tensors: {"y": zeroed[tensors["x"]]})


def test_an_image_of_bytes_read_with_a_sign_is_seen():
    reference = ask(
        lambda tensors: {"y": tensors["x"] / 255}, inputs=[Input(name="x", dtype="uint8", shape=["batch", 64])]
    )
    assert differs(reference, lambda tensors: {"y": tensors["x"].view(np.int8) / 255})


def test_a_division_that_truncates_negative_numbers_is_seen():
    inputs = [Input(name="x", dtype="int64", shape=["batch", 6])]
    reference = ask(lambda tensors: {"y": tensors["x"] // 4}, inputs=inputs)
    assert differs(reference, lambda tensors: {"y": np.fix(tensors["x"] / 4).astype(np.int64)})


@pytest.mark.parametrize("limit", [4, 8, 16, 32])
def test_rows_lost_above_a_limit_are_seen(limit):
    def candidate(tensors):
        y = tensors["x"] @ WEIGHTS
        y[limit:] = 0
        return {"y": y}

    assert differs(ask(linear), candidate)


def test_a_window_of_the_traced_length_is_seen():
    inputs = [Input(name="x", shape=["batch", "time"])]
    reference = ask(lambda tensors: {"y": tensors["x"].mean(1)}, inputs=inputs)
    assert differs(reference, lambda tensors: {"y": tensors["x"][:, :64].mean(1)})


def attention(hidden):
    def run(tensors):
        shown = tensors["mask"].astype(bool)
        with np.errstate(invalid="ignore", divide="ignore"):
            weights = np.where(shown, np.exp(tensors["x"]), 0)
            y = weights / weights.sum(1, keepdims=True)
        return {"y": np.where(shown.any(1, keepdims=True), y, hidden).astype(np.float32)}

    return run


MASKED = [Input(name="x", shape=["batch", "time"]), Input(name="mask", dtype="bool", shape=["batch", "time"])]


def test_a_whole_row_is_masked_where_the_source_gives_numbers_for_it():
    assert differs(ask(attention(0.0), inputs=MASKED), attention(0.48))


def test_no_row_is_masked_where_the_source_gives_none():
    reference = ask(attention(np.nan), inputs=MASKED)
    assert all(np.isfinite(sample.outputs[0]["y"]).all() for sample in reference.usual)
    assert any(not sample.inputs[0]["mask"].all() for sample in reference.usual)


def test_a_mask_that_hides_with_ones_is_asked_for_numbers():
    def inverted(tensors):
        return attention(np.nan)({**tensors, "mask": ~tensors["mask"]})

    reference = ask(inverted, inputs=MASKED)
    assert all(np.isfinite(sample.outputs[0]["y"]).all() for sample in reference.usual)


# --- edges ------------------------------------------------------------------------------------------------------------


def nans(reference):
    return [sample for sample in reference.edges if np.isnan(sample.inputs[0]["x"]).any()]


def test_nan_is_kept_where_the_source_gives_numbers_for_it():
    assert nans(ask(lambda tensors: {"y": np.nan_to_num(tensors["x"], nan=0.5)}))
    assert nans(ask(lambda tensors: {"y": np.argsort(tensors["x"], axis=-1)}))
    assert not nans(ask(lambda tensors: {"y": tensors["x"].sum(keepdims=True)}))


def test_nan_that_is_passed_on_is_asked_beside_a_usual_row_and_seen_where_it_is_lost():
    asked = nans(ask(lambda tensors: {"y": tensors["x"].max(-1)}))
    assert asked
    for sample in asked:
        expected = sample.outputs[0]["y"]
        assert np.isfinite(expected[0])
        assert not np.array_equal(np.fmax.reduce(sample.inputs[0]["x"], -1), expected, equal_nan=True)


def test_a_kind_of_edge_that_the_source_refuses_does_not_lose_the_others():
    def careful(tensors):
        if not np.isfinite(tensors["x"]).all():
            raise ValueError("Input contains NaN")
        return {"y": tensors["x"]}

    reference = ask(careful)
    assert not nans(reference)
    assert any(np.abs(sample.inputs[0]["x"]).max() >= 1e4 for sample in reference.edges)


def test_ties_are_asked():
    def first(tensors):
        return {"y": tensors["x"].argmax(-1)}

    def last(tensors):
        return {"y": 3 - tensors["x"][:, ::-1].argmax(-1)}

    reference = ask(first)
    assert not differs(reference, last)
    assert any(not np.array_equal(sample.outputs[0]["y"], last(sample.inputs[0])["y"]) for sample in reference.edges)


# --- chance -----------------------------------------------------------------------------------------------------------


def test_chance_is_told_with_the_suspects():
    random = np.random.default_rng(0)

    def dropping(tensors):
        return {"y": tensors["x"] * random.integers(0, 2, tensors["x"].shape)}

    with pytest.raises(ModelportError, match="drop1") as caught:
        ask(dropping, find_random_operations=lambda: ["drop1 (Dropout in training mode)"])
    assert caught.value.reason == Reason.NON_DETERMINISTIC


def test_chance_in_labels_is_told():
    random = np.random.default_rng(0)
    with pytest.raises(ModelportError) as caught:
        ask(lambda tensors: {"y": random.integers(0, 9, len(tensors["x"]))})
    assert caught.value.reason == Reason.NON_DETERMINISTIC


def test_a_model_that_counts_its_calls_is_told():
    calls = itertools.count()

    def counting(tensors):
        return {"y": tensors["x"] * (1 if next(calls) < 30 else 2)}

    with pytest.raises(ModelportError, match="buffer state") as caught:
        ask(counting, find_random_operations=lambda: ["buffer state (changed by the model)"])
    assert caught.value.reason == Reason.NON_DETERMINISTIC


def test_two_builds_that_answer_differently_name_what_is_in_no_file():
    other = WEIGHTS.copy()
    other[0, 0] += 1e-3
    with pytest.raises(
        ModelportError, match=r"differ between two builds of the model: blocks\.0\.weight are in no"
    ) as caught:
        ask(
            linear,
            rebuild=lambda: lambda tensors: {"y": tensors["x"] @ other},
            find_unstored=lambda: ["blocks.0.weight"],
        )
    assert caught.value.reason == Reason.WEIGHTS_MISMATCH


def test_two_builds_that_answer_alike_pass():
    assert ask(linear, rebuild=lambda: linear, find_unstored=lambda: ["unused"]).usual


# --- what is told -----------------------------------------------------------------------------------------------------


def test_complex_answers_are_refused_by_name():
    with pytest.raises(ModelportError, match="output y: complex numbers") as caught:
        ask(lambda tensors: {"y": np.fft.fft(tensors["x"])})
    assert caught.value.reason == Reason.CONVERSION_FAILED


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("mat1 and mat2 shapes cannot be multiplied (2x5 and 4x3)", "mat1 and mat2 shapes cannot be multiplied"),
        ("\n)  (type 'Tensor')\n", r")  (type 'Tensor')"),
        (
            "Unsupported: ONNX export of operator unfold\n)  (type 'Tensor')",
            "Unsupported: ONNX export of operator unfold",
        ),
        (
            "Found the following conflicts between ranges:\n    - Received Dim.DYNAMIC, but found a static shape of 12",
            "Error: Received Dim.DYNAMIC, but found a static shape of 12",
        ),
        ("the model failed to load:", "the model failed to load:"),
        (")\n(x)\nthe index is out of range", "the index is out of range"),
        (
            "[E] Non-zero status code returned while running Gather node. Name:'g' Status Message: indices out of bounds",
            "indices out of bounds",
        ),
        (
            (
                "Exception encountered when calling layer 'crop' (type Cropping1D).\n\ncropping must be smaller.\n\n"
                "Call arguments received by layer 'crop' (type Cropping1D):\n  • inputs=None"
            ),
            "Error: cropping must be smaller.",
        ),
        (
            (
                "Error when deserializing class 'Dense' using config={'units': 3}.\n\nException encountered: Unknown "
                "activation function: 'leak'."
            ),
            "Error: Unknown activation function: 'leak'.",
        ),
        (
            (
                'Graph execution error:\n\nDetected at node take defined at (most recent call last):\n  File "run.py", line '
                "19, in start\n\nindices[0,0] = -1 is not in [0, 149)"
            ),
            "Error: indices[0,0] = -1 is not in [0, 149)",
        ),
        ("", ""),
    ],
)
def test_errors_keep_the_sentence_that_tells(message, expected):
    found = describe_error(ValueError(message))
    assert found.startswith("ValueError")
    assert expected in found
    assert len(found) < 200


def test_a_refusal_of_values_is_told():
    seen = []

    def choosy(tensors):
        seen.append(tensors["x"].flat[0])
        if seen[-1] != seen[0]:
            raise ValueError("expected values above zero")
        return {"y": tensors["x"]}

    with pytest.raises(ModelportError, match=r"above zero.*values") as caught:
        ask(choosy)
    assert caught.value.reason == Reason.INPUTS_NEEDED


# --- the user's own samples -------------------------------------------------------------------------------------------


def test_data_is_asked_beside_the_generated_samples():
    data = [{"x": np.full((3, 4), 7, np.float32)}]
    reference = ask(linear, data)
    assert len(reference.usual) == 9
    np.testing.assert_array_equal(reference.usual[-1].outputs[0]["y"], linear(data[0])["y"])


def test_strings_of_the_data_are_asked_where_the_model_tells_none():
    colours = [Input(name="colour", dtype="string", shape=["batch", 1])]
    data = [{"colour": np.array([["red"], ["blue"]], object)}]
    reference = ask(lambda tensors: {"y": tensors["colour"] == "red"}, data, inputs=colours)
    assert {text for sample in reference.usual for text in sample.inputs[0]["colour"].ravel()} == {"red", "blue"}


# --- the signature ----------------------------------------------------------------------------------------------------


def test_the_signature_follows_from_the_answers():
    def model(tensors):
        x = tensors["x"]
        return {"same": x, "fixed": x[:1, :2] * 0, "own": np.repeat(x, 2, axis=0), "scalar": x.sum()}

    outputs = describe_outputs(FEATURES, ask(model).samples)
    assert [(each.name, each.shape) for each in outputs] == [
        ("same", ["batch", 4]),
        ("fixed", [1, 2]),
        ("own", ["own_0", 4]),
        ("scalar", []),
    ]


def test_dimensions_of_the_signature_are_not_mistaken_for_one_another():
    inputs = [Input(name="x", shape=["batch", 3, "height", "width"])]

    def model(tensors):
        x = tensors["x"]
        return {"y": x.mean((0, 1, 3)), "z": x.transpose(3, 0, 1, 2), "n": x.reshape(len(x), -1)}

    outputs = describe_outputs(inputs, ask(model, inputs=inputs).samples)
    assert [each.shape for each in outputs] == [["height"], ["width", "batch", 3, "height"], ["batch", "n_1"]]


def test_messages_fit_into_a_status():
    names = ["n" * 60, *(f"input_{number}" for number in range(20))]
    inputs = [Input(name=name, dtype="int64", shape=["batch", 4, 4]) for name in names]

    def refuse(_tensors):
        raise ValueError("a long story " * 50)

    with pytest.raises(ModelportError) as caught:
        ask(refuse, inputs=inputs)
    assert len(caught.value.message) <= 500
    assert "values: {range: [0, 99]}" in caught.value.message
