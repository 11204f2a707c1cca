"""The source again: noise is kept, another question is not."""

import ml_dtypes
import numpy as np
import pytest

from builders import convert_request
from modelport.api.spec import DimensionRange, Input, State, Values
from modelport.verification.measure.sameness import is_other
from modelport.verification.source.model import Source, ask_source
from modelport.verification.source.moving import move, move_weights
from unit.verification.answered import measured

FEATURES = [Input(name="x", shape=["batch", 4])]
TOKENS = [Input(name="x", dtype="int64", shape=["batch", 4])]
WEIGHTS = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
MOVED, HALVED, ALONE, PERMUTED = range(4)


def noise(run, inputs=FEATURES, output="y", **source):
    """Return the relative RMS of each kind of repeat, pooled over the samples."""
    samples = ask_source(Source(inputs, run, **source), convert_request(), []).usual
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
    assert len(found) == PERMUTED
    assert all(1e-7 < each < 1e-3 for each in found)


def deep(tensors, weights, dtype=np.float32):
    """Twenty layers that amplify rounding, behind a table of tokens."""
    hidden = weights[0][tensors["x"].astype(int) % 50].astype(dtype)
    for each in weights[1:]:
        hidden = np.tanh(hidden @ each.astype(dtype))
    return {"y": hidden.astype(np.float32), "h": np.zeros((len(hidden), 1), np.float32)}


DEEP = [np.random.default_rng(2).standard_normal(shape).astype(np.float32) for shape in [(50, 64), *[(64, 64)] * 20]]
DEEP[1:] = [2 * each / 8 for each in DEEP[1:]]


def moved_deep():
    random = np.random.default_rng(3)
    weights = [move_weights(each, random) for each in DEEP]
    return lambda tensors: deep(tensors, weights)


STATES = [State(input="h", output="h")]
HIDDEN = Input(name="h", shape=["batch", 1])
CODES = Input(name="x", shape=["batch", 4], values=Values(categories=[0, 1, 7]))


@pytest.mark.parametrize(
    ("inputs", "states"),
    [(TOKENS, []), ([*TOKENS, HIDDEN], STATES), ([CODES], [])],
    ids=["integers", "states", "codes"],
)
def test_weights_move_where_no_input_can(inputs, states):
    limits = {"batch": DimensionRange(max=4)}
    source = Source(inputs, lambda tensors: deep(tensors, DEEP), move_weights=moved_deep)
    reference = ask_source(source, convert_request(dimensions=limits, states=states), [])
    evidence, finding = measured(reference, lambda tensors: deep(tensors, DEEP, np.float64))
    [output] = [each for each in evidence.facts.outputs if each.name == "y"]
    assert finding is None
    assert float(output.relative_rms) > 5e-6, "else it would be right without its noise, too"
    assert float(output.limit) == pytest.approx(min(1e-4, 20 * float(output.noise_floor)), rel=0.01)


def test_weights_do_not_move_where_an_input_does():
    def unwanted():
        raise AssertionError

    inputs = [*FEATURES, Input(name="rate", dtype="int64", shape=[1])]
    assert 0 < noise(lambda tensors: {"y": tensors["x"] @ WEIGHTS}, inputs, move_weights=unwanted)[MOVED] < 1e-6


def test_a_table_that_is_another_one_when_it_moves_is_no_noise():
    def places(below):
        table = np.arange(50.0) - below
        return lambda tensors: {"y": np.cos(table[tensors["x"] % 50].astype(int))}

    assert noise(places(0), TOKENS, move_weights=lambda: places(1e-9))[MOVED] == 0


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


def test_rows_that_hardly_depend_on_one_another_in_one_sample_are_no_noise_there():
    def model(tensors):
        x = tensors["x"].astype(np.float32)
        rows = len(x)
        return {"y": x + np.float32(rows if rows > 2 else 1 + 1e-4 * rows)}

    assert max(noise(model)[HALVED:]) < 1e-6


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
    samples = ask_source(Source(FEATURES, pairs), convert_request(dimensions=limits), []).usual
    assert all(len(sample.repeats) == 4 for sample in samples)


def test_half_precision_is_noise_of_its_own_size():
    def half(tensors):
        rows = len(tensors["x"])
        return {"y": (tensors["x"] * np.float16(1 + 2e-3 * (rows % 5))).astype(np.float16)}

    inputs = [Input(name="x", dtype="float16", shape=["batch", 4])]
    assert noise(half, inputs, precision="float16")[ALONE] > 1e-4


SERIES = [Input(name="x", shape=["batch", "time"])]


def by_place(tensors, dtype, step=1.3):
    """Numbers times a wave of their place: what a long row rounds, no move of its numbers shows."""
    x = tensors["x"].astype(dtype)
    return {"y": x * np.sin(np.arange(x.shape[1], dtype=dtype) * dtype(step))}


def test_what_places_round_is_seen_in_float64_and_excuses_nothing_else():
    def narrowed(tensors, step=1.3):
        return {"y": by_place(tensors, np.float64, step)["y"].astype(np.float32)}

    moved, widened, *_ = noise(lambda x: by_place(x, np.float32), SERIES, run_wide=lambda x: by_place(x, np.float64))
    assert moved < 1e-6
    assert 5e-6 < widened < 1e-4
    for run_wide, reason in ((None, "VerificationFailed"), (lambda x: by_place(x, np.float64), "")):
        source = Source(SERIES, lambda x: by_place(x, np.float32), run_wide=run_wide)
        reference = ask_source(source, convert_request(), [])
        finding = measured(reference, narrowed)[1]
        assert (finding.reason if finding else "") == reason
        for wrong in (np.float16(1.3), 1.300001):
            assert measured(reference, lambda x, step=wrong: narrowed(x, step))[1]


def test_what_float64_shows_above_all_limits_does_not_refuse_an_equal_conversion():
    source = Source(SERIES, lambda x: by_place(x, np.float32), run_wide=lambda x: by_place(x, np.float64))
    reference = ask_source(source, convert_request(dimensions={"time": DimensionRange(max=8000)}), [])
    assert measured(reference, lambda x: by_place(x, np.float32))[1] is None


def test_larger_samples_of_the_user_leave_the_generated_ones_to_float64():
    source = Source(SERIES, lambda x: by_place(x, np.float32), run_wide=lambda x: by_place(x, np.float64))
    data = [{"x": np.full((33, 2000), 1.5, np.float32)}] * 2
    reference = ask_source(source, convert_request(), data)
    assert 5e-6 < float(measured(reference, lambda x: by_place(x, np.float32))[0].facts.outputs[0].noise_floor) < 1e-4


def test_a_model_that_float64_makes_another_one_has_no_such_noise():
    def refuses(tensors):
        raise RuntimeError("expected float32")

    plain = noise(by_company_exactly)
    for run_wide in (refuses, lambda tensors: {"y": 2 * tensors["x"]}, lambda tensors: {"y": tensors["x"][:1]}):
        moved, widened, *others = noise(by_company_exactly, run_wide=run_wide)
        assert (widened, [moved, *others]) == (0, plain)


def by_company_exactly(tensors):
    return by_company(tensors, 1e-5)


def test_the_users_own_samples_are_moved_alone():
    data = [{"x": np.full((7, 4), 1.5, np.float32)}]
    reference = ask_source(Source(FEATURES, lambda tensors: by_company(tensors, 1e-5)), convert_request(), data)
    moved, *others = reference.usual[-1].repeats
    assert not np.array_equal(moved[0]["y"], reference.usual[-1].outputs[0]["y"])
    assert all(np.array_equal(each[0]["y"], reference.usual[-1].outputs[0]["y"]) for each in others)


def test_large_answers_are_repeated_in_fewer_ways(monkeypatch):
    monkeypatch.setattr("modelport.verification.source.repeats.MAX_BYTES", 2_000)
    samples = ask_source(Source(FEATURES, lambda tensors: {"y": tensors["x"] @ WEIGHTS}), convert_request(), []).usual
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


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_all_but_zeros_and_the_largest_numbers_move_by_one_unit(dtype):
    largest = ml_dtypes.finfo(dtype).max
    array = np.array([1, -3, 0, largest, -largest, np.inf, np.nan] * 9, dtype)
    moved = move(array, np.random.default_rng(0))
    assert moved.dtype == array.dtype
    assert np.array_equal(np.isfinite(moved), np.isfinite(array))
    kept = np.tile([False, False, True, False, False, True, True], 9)
    assert np.array_equal(moved[kept].astype(float), array[kept].astype(float), equal_nan=True)
    units = np.abs(moved.view(f"i{moved.itemsize}").astype(int) - array.view(f"i{array.itemsize}").astype(int))
    assert set(units[~kept]) == {0, 1}, "the largest may stay"
    assert set(units[np.tile([True, True, *[False] * 5], 9)]) == {1}


def test_integers_and_vectors_of_weights_do_not_move():
    random = np.random.default_rng(0)
    for each in (np.arange(6).reshape(2, 3), np.array([1.0, 1.0, 2.0, 2.0])):
        assert np.array_equal(move_weights(each, random), each)
