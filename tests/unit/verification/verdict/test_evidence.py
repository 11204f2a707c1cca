"""The gate on small models in numpy: wrong ones that once passed, right ones that were once refused."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import convert_request
from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange, Tolerance
from modelport.api.status import OutputStatus, Signature, Tensor
from modelport.errors import ModelportError
from modelport.storage.manifests import Lengths
from modelport.verification.answers import Company, Tried
from modelport.verification.reference import Reference, Sample
from modelport.verification.verdict.companies import find_companies
from modelport.verification.verdict.evidence import evaluate
from modelport.verification.verdict.golden import check_golden
from unit.verification.answered import measured, questions, reference_of, signature_of, verdict

RANDOM = np.random.default_rng(3)
ONE, TWO = (
    RANDOM.normal(size=shape).astype(np.float32) / np.sqrt(np.float32(shape[0])) for shape in ((16, 64), (64, 12))
)
FAILED, INCONCLUSIVE, UNSTABLE = (
    Reason.VERIFICATION_FAILED,
    Reason.VERIFICATION_INCONCLUSIVE,
    Reason.NUMERICALLY_UNSTABLE,
)
ASKED = questions(16)


def logits(inputs, first=ONE, second=TWO):
    return np.tanh(inputs["x"] @ first) @ second


def reordered(inputs):
    """Return the logits as another kernel sums them."""
    return np.tanh(inputs["x"][:, ::-1] @ ONE[::-1])[:, ::-1] @ TWO[::-1]


def halved(inputs):
    return logits(inputs, ONE.astype(np.float16).astype(np.float32), TWO.astype(np.float16).astype(np.float32))


def softmax(values):
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def sigmoid(values):
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-values.astype(np.float64)))).astype(np.float32)


def other_sigmoid(values):
    return np.float32(0.5) * np.tanh(np.float32(0.5) * values) + np.float32(0.5)


def y(function):
    return lambda inputs: {"y": function(inputs)}


def status(source, candidate, asked=ASKED, **options) -> OutputStatus:
    (output,) = measured(reference_of(source, asked), candidate, **options)[0].facts.outputs
    return output


# --- wrong models ----------------------------------------------------------------------------------------------------


def masked(scores, mask):
    return softmax(scores + np.float32(mask) * (np.arange(12) % 3 == 1))


@pytest.mark.parametrize("mask", [-1e9, -1e4, -3e38])
@pytest.mark.parametrize("wrong", [lambda x: -logits(x), halved], ids=["negated", "halved"])
def test_a_wrong_scorer_under_an_additive_mask_is_refused(mask, wrong):
    source = y(lambda x: masked(logits(x), mask))
    assert verdict(source, y(lambda x: masked(wrong(x), mask)), ASKED) == FAILED
    assert verdict(source, y(lambda x: masked(reordered(x), mask)), ASKED) == ""


@pytest.mark.parametrize("wrong", [lambda x: -logits(x), halved], ids=["negated", "halved"])
def test_errors_of_scores_beside_masks_in_one_output_are_refused(wrong):
    hidden = np.random.default_rng(0).random((11, 12)) < 0.3

    def hide(scores):
        return np.where(hidden[: len(scores)], np.float32(-1e9), scores)

    assert verdict(y(lambda x: hide(logits(x))), y(lambda x: hide(wrong(x))), ASKED) == FAILED
    assert verdict(y(lambda x: hide(logits(x))), y(lambda x: hide(reordered(x))), ASKED) == ""


@pytest.mark.parametrize("hidden", [3, 7, 9])
def test_wrong_scores_and_labels_under_masks_that_hide_any_share_are_refused(hidden):
    def source(inputs, scores=logits, rank=-1):
        values = scores(inputs)
        places = (np.abs(inputs["x"][:, :1]) * 1000 + np.arange(values.shape[1])).astype(int)
        values = np.where(places % 10 < hidden, np.float32(-1e9), values)
        return {"scores": values, "label": np.argsort(values, -1, kind="stable")[:, rank]}

    assert verdict(source, lambda x: source(x, reordered), ASKED) == ""
    assert verdict(source, lambda x: source(x, lambda x: -logits(x)), ASKED) == FAILED
    assert verdict(source, lambda x: source(x, halved), ASKED) == FAILED
    assert verdict(source, lambda x: source(x, rank=-2), ASKED) == FAILED


def detector(scores, change=lambda scores: scores):
    return np.concatenate([sigmoid(scores[:, :4]) * np.float32(640), change(sigmoid(scores[:, 4:] - 3))], -1)


CHANGES = {
    "5 % more": lambda scores: scores * np.float32(1.05),
    "float16": lambda scores: scores.astype(np.float16).astype(np.float32),
    "int8": lambda scores: np.round(scores * 127) / np.float32(127),
    "one class": lambda scores: scores * np.where(np.arange(8) == 3, np.float32(1.01), np.float32(1)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_wrong_scores_beside_boxes_of_640_are_refused(change):
    source = y(lambda x: detector(logits(x)))
    assert verdict(source, y(lambda x: detector(logits(x), change)), ASKED) == FAILED
    assert verdict(source, y(lambda x: detector(reordered(x))), ASKED) == ""


@pytest.mark.parametrize("length", [1_500, 3_000])
def test_one_small_channel_of_thousands_is_refused(length):
    scales = np.logspace(-6, 0, length).astype(np.float32)
    wide = RANDOM.normal(size=(64, length)).astype(np.float32) * scales
    off = np.where(np.arange(length) == length // 6, np.float32(1.01), np.float32(1))
    assert verdict(y(lambda x: logits(x, second=wide)), y(lambda x: logits(x, second=wide) * off), ASKED) == FAILED
    assert verdict(y(lambda x: logits(x, second=wide)), y(lambda x: logits(x, ONE[:, ::-1], wide[::-1])), ASKED) == ""


def test_the_worst_place_is_named():
    scales = np.where(np.arange(12) == 0, np.float32(100_000), np.float32(1))
    off = np.where(np.arange(12) == 11, np.float32(1.44), np.float32(1))
    output = status(y(lambda x: logits(x) * scales), y(lambda x: logits(x) * scales * off))
    assert output.worst.startswith("axis 1, index 11")
    assert float(output.relative_rms) == pytest.approx(0.44, rel=0.01)
    assert float(output.excess) > 1000


@pytest.mark.parametrize("column", range(12))
def test_one_channel_beside_large_ones_is_refused(column):
    scales = (10.0 ** np.linspace(-6, 6, 12)).astype(np.float32)
    off = np.where(np.arange(12) == column, np.float32(1.01), np.float32(1))
    source = y(lambda x: logits(x) * scales)
    assert verdict(source, y(lambda x: logits(x) * scales * off), ASKED) == FAILED
    assert verdict(source, y(lambda x: reordered(x) * scales), ASKED) == ""


def test_labels_are_never_excused_by_a_relative_tolerance():
    def source(inputs):
        scores = logits(inputs)
        return {"y": scores, "label": scores.argmax(-1)}

    def wrong(inputs):
        return {"y": logits(inputs), "label": logits(inputs).argmax(-1) + 1}

    assert verdict(source, wrong, ASKED, tolerance=Tolerance(relative=0.005)) == FAILED
    assert verdict(source, wrong, ASKED, tolerance=Tolerance(absolute=1)) == FAILED
    assert verdict(source, wrong, ASKED, outputs={"label": Tolerance(absolute=1)}) == ""
    assert verdict(source, wrong, ASKED, outputs={"label": Tolerance(relative=0.5)}) == Reason.INVALID_SPEC
    assert verdict(source, source, ASKED, tolerance=Tolerance(relative=0.005)) == ""


def test_a_reference_that_is_half_nan_proves_nothing():
    def source(inputs):
        scores = logits(inputs)
        scores[:, ::2] = np.nan
        return {"y": scores}

    assert verdict(source, source, ASKED) == INCONCLUSIVE
    assert status(source, source).finite == "0.5"


def test_a_few_non_finite_elements_must_be_the_same():
    def source(inputs):
        scores = logits(inputs)
        scores[0, 0], scores[0, 1] = np.nan, np.inf
        return {"y": scores}

    def other(inputs):
        scores = source(inputs)["y"]
        scores[0, 1] = -np.inf
        return {"y": scores}

    asked = questions(16, batches=(11,) * 8)
    assert verdict(source, source, asked) == ""
    assert verdict(source, other, asked) == FAILED
    assert status(source, other, asked).non_finite == 8


@pytest.mark.parametrize("noise", [5e-5, 1e-4, 3e-4, 1e-3])
def test_no_noise_excuses_the_error_of_float16(noise):
    def noisy(inputs):
        scores = logits(inputs)
        random = np.random.default_rng(abs(int(inputs["x"].view(np.int32).sum())))
        return {"y": scores * (1 + noise * random.standard_normal(scores.shape)).astype(np.float32)}

    def wrong(inputs):
        return {"y": logits(inputs) * np.float32(1.001)}

    output = status(noisy, wrong)
    assert float(output.limit) == 1e-4
    assert verdict(noisy, wrong, ASKED) in (FAILED, UNSTABLE)
    assert verdict(noisy, noisy, ASKED) == (UNSTABLE if noise >= 1e-4 else "")
    assert verdict(noisy, noisy, ASKED, tolerance=Tolerance(relative=0.01)) == ""


def test_answers_that_stand_in_for_repeats_do_not_dilute_the_noise():
    source = y(logits)
    noise = np.float32(1 + 1e-6)
    asked = questions(16, batches=(11,) * 8)
    samples = [
        Sample((each,), (source(each),), ((({"y": logits(each) * noise} if number == 0 else source(each)),),))
        for number, each in enumerate(asked)
    ]
    candidate = y(lambda x: logits(x) * np.float32(1 + 15e-6))
    evidence, finding = measured(Reference(tuple(samples)), candidate)
    assert finding is None
    assert float(evidence.facts.outputs[0].noise_floor) == pytest.approx(1e-6, rel=0.1)
    assert measured(Reference(tuple(samples)), y(lambda x: logits(x) * np.float32(1 + 5e-5)))[1] is not None


def test_repeats_of_another_type_are_noise_without_a_measure():
    samples = [
        Sample((each,), (y(logits)(each),), (({"y": logits(each).astype(str).astype(object)},),)) for each in ASKED
    ]
    finding = measured(Reference(tuple(samples)), y(logits))[1]
    assert finding is not None
    assert finding.reason == UNSTABLE


def test_slices_of_an_axis_before_others_count_too():
    off = np.where(np.arange(12) == 5, np.float32(1.0005), np.float32(1))[:, None, None]

    def images(inputs):
        return np.repeat(np.repeat(logits(inputs)[:, :, None, None], 7, 2), 5, 3)

    output = status(y(images), y(lambda x: images(x) * off))
    assert output.worst == "axis 1, index 5"
    assert float(output.relative_rms) == pytest.approx(5e-4, rel=0.01)


def test_one_element_of_many_is_refused_by_the_largest_difference():
    wide = RANDOM.normal(size=(64, 70_000)).astype(np.float32)

    def wrong(inputs):
        scores = logits(inputs, second=wide)
        scores[0, 1500] += np.float32(0.02)
        return {"y": scores}

    output = status(y(lambda x: logits(x, second=wide)), wrong)
    assert float(output.relative_rms) < 5e-6 * 20
    assert float(output.excess) > 1
    assert output.worst == "largest difference"


# --- right models ----------------------------------------------------------------------------------------------------


def with_anchors(scores, anchors):
    return lambda x: {"y": scores(x), "anchors": anchors}


ANCHORS = RANDOM.random((30, 4), np.float32)


@pytest.mark.parametrize("tolerance", [None, Tolerance(relative=0.1)])
def test_a_constant_output_is_verified_if_it_is_equal(tolerance):
    source = with_anchors(logits, ANCHORS)
    assert verdict(source, with_anchors(logits, ANCHORS), ASKED, tolerance=tolerance) == ""
    assert verdict(source, with_anchors(logits, ANCHORS * np.float32(1.001)), ASKED, tolerance=tolerance) == FAILED
    evidence, _ = measured(reference_of(source, ASKED), source)
    assert {each.name: each.comparison for each in evidence.facts.outputs} == {"y": "Numbers", "anchors": "Constant"}


def test_constant_shapes_and_empty_outputs_are_verified():
    def source(inputs, length=12):
        return {"y": logits(inputs), "length": np.array([length]), "none": np.zeros((0, 4), np.float32)}

    assert verdict(source, source, ASKED) == ""
    assert verdict(source, lambda x: source(x, 13), ASKED) == FAILED


def test_a_model_whose_every_output_is_constant_proves_nothing():
    assert verdict(lambda _: {"y": ANCHORS}, lambda _: {"y": ANCHORS}, ASKED) == INCONCLUSIVE
    one = y(lambda x: np.full(len(x["x"]), 3))
    assert verdict(one, one, ASKED) == INCONCLUSIVE


def test_an_output_of_noise_alone_is_unstable_and_no_constant():
    def source(inputs):
        return {"y": logits(inputs), "noise": np.sin(logits(inputs) * np.float32(1e9))}

    def zeroed(inputs):
        return {"y": logits(inputs), "noise": np.zeros_like(logits(inputs))}

    assert verdict(source, zeroed, ASKED) == UNSTABLE
    assert verdict(source, zeroed, ASKED, outputs={"noise": Tolerance(absolute=2)}) == ""
    assert verdict(source, zeroed, ASKED, outputs={"noise": Tolerance(absolute=0.1)}) == FAILED


def test_an_output_that_hardly_varies_proves_nothing():
    source = y(lambda x: 1000 + np.float32(0.01) * logits(x))
    assert verdict(source, source, ASKED) == INCONCLUSIVE
    assert verdict(source, source, ASKED, tolerance=Tolerance(absolute=0.1)) == INCONCLUSIVE


def test_one_label_on_all_samples_is_fine_where_its_scores_vary():
    bias = np.where(np.arange(12) == 4, np.float32(50), np.float32(0))

    def source(inputs, scores=logits, label=0):
        biased = scores(inputs) + bias
        return {"label": biased.argmax(-1) + label, "scores": softmax(biased)}

    assert verdict(source, source, ASKED) == ""
    assert verdict(source, lambda x: source(x, label=1), ASKED) == FAILED
    evidence, _ = measured(reference_of(source, ASKED), source)
    assert {each.name: each.comparison for each in evidence.facts.outputs}["label"] == "Labels"


def test_a_softmax_without_its_subtracted_maximum_is_right():
    def plain(inputs):
        powers = np.exp(logits(inputs))
        return powers / powers.sum(-1, keepdims=True)

    source = y(lambda x: softmax(logits(x)))
    assert verdict(source, y(plain), ASKED) == ""
    assert status(source, y(plain)).comparison == "Softmax"
    assert verdict(source, y(lambda x: softmax(halved(x))), ASKED) == FAILED


def test_a_softmax_over_another_axis_is_refused():
    source = y(lambda x: softmax(logits(x)))
    assert verdict(source, y(lambda x: softmax(logits(x).T).T), ASKED) == FAILED


@pytest.mark.parametrize("gain", [1, 8, 40])
def test_a_sigmoid_of_another_formula_is_right_and_its_errors_show(gain):
    source = y(lambda x: sigmoid(logits(x) * np.float32(gain)))
    assert verdict(source, y(lambda x: other_sigmoid(reordered(x) * np.float32(gain))), ASKED) == ""
    assert verdict(source, y(lambda x: other_sigmoid(halved(x) * np.float32(gain))), ASKED) == FAILED


def test_a_saturated_sigmoid_is_judged_by_its_values():
    saturated = y(lambda x: sigmoid(logits(x) * np.float32(1e4)))
    assert status(saturated, saturated).comparison == "Numbers"
    assert verdict(saturated, y(lambda x: sigmoid(-logits(x) * np.float32(1e4))), ASKED) == FAILED
    assert verdict(saturated, saturated, ASKED) == ""


def test_scores_of_almost_zero_are_not_judged_finer_than_their_rounding():
    source = y(lambda x: detector(logits(x), lambda _: sigmoid(logits(x)[:, 4:] - 7)))
    assert verdict(source, y(lambda x: detector(logits(x), lambda _: other_sigmoid(logits(x)[:, 4:] - 7))), ASKED) == ""


def test_densities_are_no_probabilities_and_judged_by_their_own_size():
    source = y(lambda x: np.exp(logits(x) - 40))
    assert status(source, source).comparison == "Numbers"
    assert verdict(source, y(lambda x: np.exp(logits(x) * np.float32(1.01) - 40)), ASKED) == FAILED


def test_channels_that_are_zero_or_noise_alone_refuse_nothing():
    def source(inputs, scores=logits):
        values = scores(inputs)
        noise = (values + np.float32(100)) - np.float32(100) - values
        dead = np.maximum(values - 1000, 0)
        return {"y": np.concatenate([values, noise, dead], -1)}

    assert verdict(source, lambda x: source(x, reordered), ASKED) == ""
    assert verdict(source, lambda x: source(x, lambda x: logits(x) * np.float32(1.001)), ASKED) == FAILED


def test_a_channel_of_zeros_must_stay_zero():
    def source(inputs, dead=0.0):
        values = logits(inputs)
        return {"y": np.concatenate([values, np.full((len(values), 1), dead, np.float32)], -1)}

    assert verdict(source, lambda x: source(x, 1e-8), ASKED) == ""
    assert verdict(source, lambda x: source(x, 1e-5), ASKED) == FAILED


def test_ragged_outputs_are_compared_one_by_one():
    def found(scores):
        return lambda x: {"y": scores(x)[np.abs(logits(x)[:, 0]) > 0.3], "all": logits(x)}

    source = found(logits)
    assert verdict(source, source, ASKED, signature=None) == ""
    assert verdict(source, found(halved), ASKED) == FAILED


def test_an_output_of_another_length_fails_with_both_lengths():
    with pytest.raises(
        ModelportError, match=r"expected outputs \['y float32\[1, 12\]'\], found \['y float32\[1, 11\]'\]"
    ):
        measured(reference_of(y(logits), ASKED), y(lambda x: logits(x)[:, :11]))


@pytest.mark.parametrize("lowest", [np.finfo(np.float64).min, -np.inf])
def test_masks_of_the_lowest_float64_hide_nothing(lowest):
    hidden = np.arange(11 * 12).reshape(11, 12) % 12 == np.arange(11)[:, None]  # one of each row

    def hide(scores):
        return np.where(hidden[: len(scores)], lowest, scores.astype(np.float64))

    assert verdict(y(lambda x: hide(logits(x))), y(lambda x: hide(reordered(x))), ASKED) == ""
    assert verdict(y(lambda x: hide(logits(x))), y(lambda x: hide(halved(x))), ASKED) == FAILED


def test_empty_and_single_outputs_are_compared_on_edges_too():
    def source(inputs):
        return {"y": logits(inputs), "none": np.zeros((len(inputs["x"]), 0), np.float32), "sum": logits(inputs).sum()}

    evidence, finding = measured(reference_of(source, ASKED, edges=ASKED[:3]), source)
    assert finding is None
    assert evidence.facts.edges == ""


# --- half precision --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_a_source_of_half_precision_is_judged_in_its_own_units(dtype):
    def through(inputs, scores=logits):
        hidden = np.tanh(inputs["x"].astype(np.float32) @ ONE.astype(dtype).astype(np.float32)).astype(dtype)
        return {"y": (hidden.astype(np.float32) @ TWO.astype(dtype).astype(np.float32)).astype(dtype)}

    def exact(inputs):
        hidden = np.tanh(inputs["x"].astype(np.float32) @ ONE)
        return {"y": (hidden @ TWO).astype(dtype)}

    def wrong(inputs):
        return {"y": (logits(inputs) * np.float32(1.2)).astype(dtype)}

    asked = [{"x": each["x"].astype(np.float16)} for each in ASKED]
    assert verdict(through, exact, asked) == ""
    assert verdict(through, wrong, asked) == FAILED
    widened = lambda function: lambda x: {"y": function(x)["y"].astype(np.float32)}  # noqa: E731
    precision = np.dtype(dtype).name
    assert verdict(widened(through), widened(exact), asked, precision=precision) == ""
    assert verdict(widened(through), widened(wrong), asked, precision=precision) == FAILED
    assert verdict(widened(exact), widened(through), ASKED) == FAILED


# --- structure -------------------------------------------------------------------------------------------------------


def test_an_answer_of_another_type_order_or_name_fails():
    reference = reference_of(lambda x: {"a": logits(x), "b": logits(x)}, ASKED)
    for wrong in (
        lambda x: {"b": logits(x), "a": logits(x)},
        lambda x: {"a": logits(x), "c": logits(x)},
        lambda x: {"a": logits(x), "b": logits(x).astype(np.float64)},
        lambda x: {"a": logits(x), "b": logits(x)[None]},
        lambda x: {"a": logits(x)},
    ):
        with pytest.raises(ModelportError, match="expected outputs") as caught:
            measured(reference, wrong)
        assert caught.value.reason == FAILED


def test_a_lost_length_that_follows_from_the_inputs_numbers_is_named():
    def chosen(x):
        return logits(x)[:, : 3 + int(x["x"].sum() > 0)]

    reference = reference_of(y(chosen), ASKED)
    with pytest.raises(ModelportError, match=r"; axis 1 of y is as long as the inputs' numbers say"):
        measured(reference, y(lambda x: logits(x)[:, :4]))
    with pytest.raises(ModelportError, match="expected outputs") as caught:
        measured(reference, y(lambda x: chosen(x)[:1]))
    assert "numbers say" not in caught.value.message


def test_a_signature_that_the_source_contradicts_fails_the_conversion():
    reference = reference_of(y(logits), ASKED)
    inputs = [Tensor(name="x", dtype="float32", shape=["batch", 16])]
    for shape, dtype in (
        (["batch", 11], "float32"),
        (["batch", 12], "float16"),
        (["n", "n"], "float32"),
        ([1], "float32"),
    ):
        signature = Signature(inputs=inputs, outputs=[Tensor(name="y", dtype=dtype, shape=shape)])
        with pytest.raises(ModelportError, match="contradicts") as caught:
            measured(reference, y(logits), signature=signature)
        assert caught.value.reason == Reason.CONVERSION_FAILED


def test_fewer_rows_out_than_in_contradict_the_name_of_their_length():
    reference = reference_of(y(lambda x: logits(x)[:1]), ASKED)
    signature = Signature(
        inputs=[Tensor(name="x", dtype="float32", shape=["batch", 16])],
        outputs=[Tensor(name="y", dtype="float32", shape=["batch", 12])],
    )
    with pytest.raises(ModelportError, match=r"with batch = 2, float32\[1, 12\] found"):
        measured(reference, y(lambda x: logits(x)[:1]), signature=signature)


def test_an_unasked_sample_or_call_fails():
    reference = reference_of(y(logits), ASKED)
    answers = tuple(sample.outputs for sample in reference.samples)
    for few in (answers[:-1], (*answers[:-1], ())):
        with pytest.raises(ModelportError, match="expected answers"):
            evaluate(reference, Tried(few), signature_of(reference), convert_request())


# --- sequences of calls ----------------------------------------------------------------------------------------------


def test_every_call_of_a_sequence_counts():
    def calls(inputs, gain=1.0, late=1.0):
        state = np.zeros((2, 12), np.float32)
        answers = []
        for number, each in enumerate(inputs):
            state = np.tanh(state * np.float32(gain) + logits(each))
            answers.append({"y": state * np.float32(late if number > 5 else 1)})
        return tuple(answers)

    asked = [tuple(questions(16, batches=(2,) * 8)[i:] + questions(16, batches=(2,) * 8)[:i]) for i in range(8)]
    samples = tuple(
        Sample(each, calls(each), (calls([{"x": np.nextafter(call["x"], np.float32(9))} for call in each]),))
        for each in asked
    )
    reference = Reference(samples)
    signature = signature_of(reference)

    def found(**change):
        answers = Tried(tuple(calls(each, **change) for each in asked))
        return float(evaluate(reference, answers, signature, convert_request()).facts.outputs[0].excess)

    assert found() == 0
    assert found(gain=1.001) > 1
    assert found(late=1.001) > 1


# --- what else follows -----------------------------------------------------------------------------------------------


def test_outputs_stand_worst_first():
    def source(inputs):
        return {name: logits(inputs) for name in "abcdefghijklm"}

    def wrong(inputs):
        return source(inputs) | {"k": logits(inputs) * np.float32(2), "c": logits(inputs) * np.float32(1.1)}

    evidence, _ = measured(reference_of(source, ASKED), wrong)
    assert [each.name for each in evidence.facts.outputs][:2] == ["k", "c"]
    assert len(evidence.facts.outputs) == 13


def test_differences_on_edges_are_told_and_refused_only_when_asked():
    edges = [{"x": np.zeros((4, 16), np.float32)}, {"x": np.full((4, 16), 1e6, np.float32)}]

    def normalised(inputs, epsilon=0.0):
        values = inputs["x"] @ ONE
        with np.errstate(invalid="ignore"):
            return {"y": values / (np.linalg.norm(values, axis=-1, keepdims=True) + np.float32(epsilon))}

    reference = reference_of(normalised, ASKED, edges=edges)
    candidate = lambda x: {"y": np.nan_to_num(normalised(x)["y"])}  # noqa: E731
    evidence, finding = measured(reference, candidate)
    assert finding is None
    assert evidence.facts.edges == "output y: 4 of 8 rows differ (256 elements NaN or infinite in one alone)"
    assert evidence.facts.samples == 8
    assert measured(reference, candidate, edges="Enforce")[1].reason == FAILED
    assert measured(reference, normalised, edges="Enforce")[0].facts.edges == ""


def test_differences_near_the_end_of_the_type_are_told_so():
    def roots(inputs, scale=1.0):
        with np.errstate(over="ignore"):
            return {"y": np.sqrt(np.mean(np.square(inputs["x"] * np.float32(scale)), -1)) / np.float32(scale)}

    edges = [{"x": np.full((1, 16), value, np.float32)} for value in (1e30, 3e38)]
    reference = reference_of(lambda x: roots(x, 1e-20), ASKED, edges=edges)
    assert measured(reference, lambda x: roots(x, 1e-15))[0].facts.edges == (
        "output y: 1 of 2 rows differ, 1 of them near the largest number of the type "
        "(1 elements NaN or infinite in one alone)"
    )
    assert measured(reference, roots)[0].facts.edges == (
        "output y: 2 of 2 rows differ, 1 of them near the largest number of the type "
        "(2 elements NaN or infinite in one alone)"
    )


def test_an_edge_without_an_answer_is_told():
    reference = reference_of(y(logits), ASKED, edges=[{"x": np.zeros((5, 16), np.float32)}])
    evidence, finding = measured(reference, lambda x: {} if len(x["x"]) == 5 else {"y": logits(x)})
    assert evidence.facts.edges == "no answer to 1 of 1 calls"
    assert finding is None


def test_rows_are_independent_if_every_company_agrees():
    reference = reference_of(y(logits), ASKED, lengths={"batch": (1, 11)})
    rows = logits(ASKED[3])
    agreeing = Company({"y": rows}, {"y": reordered(ASKED[3])})
    wrong_row = rows.copy()
    wrong_row[3, 2] *= np.float32(1.01)
    nan = rows.copy()
    nan[0, 0] = np.nan
    evidence, _ = measured(reference, y(logits), companies=[agreeing, agreeing])
    assert evidence.has_independent_rows
    assert evidence.lengths == {"batch": Lengths(min=1, max=None)}
    for other in (wrong_row, nan, rows[:-1], rows.cumsum(0)):
        evidence, _ = measured(reference, y(logits), companies=[agreeing, Company({"y": rows}, {"y": other})])
        assert not evidence.has_independent_rows
        assert evidence.lengths == {"batch": Lengths(min=1, max=11)}
    assert not measured(reference, y(logits))[0].has_independent_rows


STRANGE_ROWS = {
    "none": np.zeros((0, 12), np.float32),
    "a number": np.zeros((), np.float32),
    "no columns": np.zeros(3, np.float32),
    "other columns": np.zeros((3, 99), np.float32),
    "more axes": np.zeros((3, 2, 6), np.float32),
    "strings": np.full((3, 12), "a", object),
    "integers": np.zeros((3, 12), np.int64),
}


@pytest.mark.parametrize("rows", STRANGE_ROWS.values(), ids=STRANGE_ROWS)
def test_rows_of_another_form_prove_nothing(rows):
    reference = reference_of(y(logits), ASKED)
    assert not measured(reference, y(logits), companies=[Company({"y": rows}, {"y": rows})])[0].has_independent_rows


@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_rows_that_are_too_long_to_be_kept_whole_are_compared_by_what_is_kept(factor):
    def source(inputs):
        maps = np.repeat(logits(inputs)[:, :, None], 6_000, axis=2)  # 72,000 elements of a row
        return {"maps": maps, "label": maps.argmax(1)}

    def mixed(inputs):
        return source({"x": inputs["x"] * np.float32(factor if len(inputs["x"]) > 1 else 1)})

    reference = reference_of(source, ASKED)
    companies = find_companies(mixed, reference, signature_of(reference))
    assert measured(reference, source, companies=companies)[0].has_independent_rows == (factor == 1)


def test_a_declared_end_of_the_batch_holds_for_independent_rows_too():
    reference = reference_of(y(logits), ASKED, lengths={"batch": (1, 11)})
    agreeing = Company({"y": logits(ASKED[3])}, {"y": logits(ASKED[3])})
    limits = {"batch": DimensionRange(max=11)}
    evidence, _ = measured(reference, y(logits), companies=[agreeing], dimensions=limits)
    assert evidence.has_independent_rows
    assert evidence.lengths == {"batch": Lengths(min=1, max=11)}


def test_golden_samples_are_small_and_allow_for_another_machine():
    def source(inputs, scores=logits):
        values = scores(inputs)
        return {"scores": values, "label": values.argmax(-1)}

    evidence, _ = measured(reference_of(source, ASKED), source)
    assert [len(each.inputs[0]["x"]) for each in evidence.golden] == [1, 1]
    check_golden(evidence.golden, lambda x: source(x, reordered), [])
    with pytest.raises(ModelportError, match="output scores differs"):
        check_golden(evidence.golden, lambda x: source(x, halved), [])
    with pytest.raises(ModelportError, match=r"output label differs.*1 of the labels"):
        check_golden(evidence.golden, lambda x: source(x) | {"label": source(x)["label"] + 1}, [])


# --- properties ------------------------------------------------------------------------------------------------------

REFERENCE = reference_of(y(logits), ASKED)
SEED = st.integers(0, 2**32 - 1)


@settings(max_examples=25, deadline=None)
@given(seed=SEED, exponent=st.floats(-9, -6.5))
def test_noise_of_float32_passes(seed, exponent):
    random = np.random.default_rng(seed)
    candidate = y(
        lambda x: (logits(x) * (1 + 10**exponent * random.standard_normal((len(x["x"]), 12)))).astype(np.float32)
    )
    assert measured(REFERENCE, candidate)[1] is None


@settings(max_examples=25, deadline=None)
@given(column=st.integers(0, 11), factor=st.sampled_from([0.0, 0.99, 1.01, -1.0, 1.0005]))
def test_any_scaling_of_one_channel_is_refused(column, factor):
    off = np.where(np.arange(12) == column, np.float32(factor), np.float32(1))
    assert measured(REFERENCE, y(lambda x: logits(x) * off))[1].reason == FAILED


@settings(max_examples=25, deadline=None)
@given(seed=SEED, axis=st.sampled_from([0, 1]))
def test_any_other_order_of_rows_or_channels_is_refused(seed, axis):
    def permuted(inputs):
        values = logits(inputs)
        order = np.random.default_rng(seed).permutation(values.shape[axis])
        return {"y": values.take(order, axis)}

    is_same = all(np.array_equal(permuted(each)["y"], logits(each)) for each in ASKED)
    finding = measured(REFERENCE, y(lambda x: permuted(x)["y"]))[1]
    assert (finding is None) == is_same
