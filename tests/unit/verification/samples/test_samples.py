"""Samples, by their properties: what they take their lengths and values from, and that they are the same every time."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange, Input, Values
from modelport.errors import ModelportError
from modelport.verification.hints import Hint
from modelport.verification.samples.lengths import find_batch
from modelport.verification.samples.limits import Cost
from modelport.verification.samples.plan import make_plan
from modelport.verification.samples.probing import Prober

IMAGE = Input(name="image", shape=["batch", 3, "height", "width"], values=Values(range=[-1, 1]))
SERIES = Input(name="x", shape=["batch", "time"])
TABLE = np.random.default_rng(1).standard_normal((1_000, 3)).astype(np.float32)


def plan(inputs, infer=lambda tensors: {"y": next(iter(tensors.values()))}, dimensions=None, count=8, **options):
    return make_plan(inputs, dimensions or {}, Prober(infer), count=count, **options)


def usual(*args, **options):
    return [ways[0][0] for ways in plan(*args, **options).usual]


def asked(name, *args, **options):
    return {int(value) for sample in usual(*args, **options) for value in sample[name].ravel()}


def usual_bytes(*args, **options):
    return [{name: array.tobytes() for name, array in sample.items()} for sample in usual(*args, **options)]


def lengths(axis, *args, **options):
    return {next(iter(sample.values())).shape[axis] for sample in usual(*args, **options)}


# --- lengths ----------------------------------------------------------------------------------------------------------

limits = st.builds(
    lambda low, extra, step: DimensionRange(min=low, max=low + extra, multiple_of=step),
    st.integers(1, 70),
    st.integers(0, 60),
    st.sampled_from([1, 2, 8, 32]),
)


@settings(max_examples=25, deadline=None)
@given(height=limits, width=limits, count=st.integers(8, 12))
def test_lengths_keep_their_limits_vary_and_take_both_ends(height, width, count):
    ranges = {"height": height, "width": width}
    allowed = {
        name: [each for each in range(limit.min, limit.max + 1) if each % limit.multiple_of == 0]
        for name, limit in ranges.items()
    }
    if not all(allowed.values()):
        with pytest.raises(ModelportError) as caught:
            plan([IMAGE], dimensions=ranges, count=count)
        assert caught.value.reason == Reason.INVALID_SPEC
        return
    samples = [sample["image"] for sample in usual([IMAGE], dimensions=ranges, count=count)]
    assert len(samples) == count
    for axis, name in ((2, "height"), (3, "width")):
        found = {each.shape[axis] for each in samples}
        assert found <= set(allowed[name])
        assert {min(allowed[name]), max(allowed[name])} <= found
        assert len(found) >= min(3, len(allowed[name]))


def test_the_batch_takes_one_two_and_more_than_models_split_it_by():
    assert lengths(0, [SERIES]) == {1, 2, 3, 33}


def test_a_batch_of_large_images_takes_eleven():
    assert lengths(0, [Input(name="x", shape=["batch", 3, 224, 224])]) == {1, 2, 3, 11}


def test_a_declared_batch_is_asked_at_its_end_too():
    assert lengths(0, [SERIES], dimensions={"batch": DimensionRange(max=64)}) == {1, 2, 3, 33, 64}


def test_a_dimension_without_an_end_takes_one_long_length():
    found = lengths(1, [SERIES])
    assert {1, 1_024} <= found
    assert any(length % 2 and length > 1 for length in found)


def test_large_lengths_are_asked_one_dimension_at_a_time():
    shapes = [sample["image"].shape for sample in usual([IMAGE])]
    assert all(sum(length > 32 for length in shape) <= 1 for shape in shapes)


def test_a_limit_inside_an_undeclared_dimension_is_found_and_told():
    def positions(tensors):
        return {"y": tensors["x"] + np.arange(40.0)[np.arange(tensors["x"].shape[1])]}

    found = plan([SERIES], positions)
    assert max(ways[0][0]["x"].shape[1] for ways in found.usual) == 40
    assert "time: the source refuses lengths above 40" in found.caveats[0]


def test_a_limit_inside_a_declared_dimension_is_refused():
    def positions(tensors):
        return {"y": tensors["x"] + np.arange(40.0)[np.arange(tensors["x"].shape[1])]}

    with pytest.raises(ModelportError, match="dimension time: the source model accepts 32, but not 64") as caught:
        plan([SERIES], positions, dimensions={"time": DimensionRange(max=64)})
    assert caught.value.reason == Reason.INPUTS_NEEDED


def test_one_name_is_one_length():
    inputs = [
        Input(name="ids", dtype="int64", shape=["batch", "length"]),
        Input(name="mask", dtype="int64", shape=["batch", "length"]),
    ]
    samples = usual(inputs)
    assert all(sample["ids"].shape == sample["mask"].shape for sample in samples)


def test_unlimited_lengths_are_raised_until_the_model_accepts():
    def fully_convolutional(tensors):
        if min(tensors["image"].shape[2:]) < 12:
            raise ValueError("kernel is larger than its input")
        return {"y": tensors["image"]}

    shapes = [sample["image"].shape[2:] for sample in usual([IMAGE], fully_convolutional)]
    assert {length for shape in shapes for length in shape} == {16, 17, 19, 24, 32, 1_024}
    assert any(height != width for height, width in shapes)


def test_a_net_that_halves_its_input_gets_lengths_that_it_accepts():
    def halving(tensors):
        if any(length % 8 for length in tensors["image"].shape[2:]):
            raise ValueError("sizes do not match")
        return {"y": tensors["image"]}

    shapes = [sample["image"].shape[2:] for sample in usual([IMAGE], halving)]
    assert {length for shape in shapes for length in shape} == {8, 16, 1_024}


def test_a_dimension_that_takes_one_length_alone_is_asked_with_that():
    def fixed(tensors):
        if tensors["x"].shape[1] != 576:
            raise ValueError("expected 576 samples of sound")
        return {"y": tensors["x"]}

    found = plan([SERIES], fixed)
    assert {ways[0][0]["x"].shape[1] for ways in found.usual} == {576}
    assert "refuses lengths above 576" in found.caveats[0]


def test_two_names_of_one_length_grow_together():
    inputs = [Input(name="x", shape=["batch", 4]), Input(name="h", shape=[2, "rows", 4])]
    samples = usual(inputs, lambda tensors: {"y": np.stack([tensors["x"], *tensors["h"]])})
    assert {(sample["x"].shape[0], sample["h"].shape[1]) for sample in samples} == {(n, n) for n in (1, 2, 3, 33)}


def test_a_model_that_accepts_nothing_is_told():
    def refuse(_tensors):
        raise ValueError("expected 4 channels")

    with pytest.raises(ModelportError, match="expected 4 channels") as caught:
        plan([IMAGE], refuse)
    assert caught.value.reason == Reason.INPUTS_NEEDED


def test_a_batch_of_one_alone_is_told():
    def single(tensors):
        if tensors["image"].shape[0] > 1:
            raise ValueError("batch of one")
        return {"y": tensors["image"]}

    with pytest.raises(ModelportError, match="dimension batch: the source model accepts 1, but not 2"):
        plan([IMAGE], single, dimensions={"height": DimensionRange(), "width": DimensionRange()})


def test_a_batch_of_one_refused_in_training_is_told():
    def normalising(tensors):
        if tensors["x"].shape[0] == 1:
            raise ValueError("Expected more than 1 value per channel when training, got input size [1, 4]")
        return {"y": tensors["x"]}

    with pytest.raises(ModelportError, match=r"accepts 2, but not 1.*evaluation mode") as caught:
        plan([Input(name="x", shape=["batch", 4])], normalising)
    assert caught.value.reason == Reason.INPUTS_NEEDED


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([["batch", 3]], "batch"),
        ([["n", 3], ["n", "m"]], "n"),
        ([["n", 3], ["m", 3]], None),
        ([[1, 3]], None),
        ([["n"], []], "n"),
        ([[10, "batch", 20], [1, "batch", 20]], "batch"),
        ([["time", "batch", 20]], "batch"),
    ],
)
def test_the_batch_is_called_so_or_comes_first_everywhere(shapes, expected):
    assert find_batch([Input(name=f"x{n}", shape=shape) for n, shape in enumerate(shapes)]) == expected


# --- integers ---------------------------------------------------------------------------------------------------------

IDS = Input(name="ids", dtype="int64", shape=["batch", 64])


def embed(tensors):
    if np.any(tensors["ids"] < 0):
        raise IndexError("index out of range in self")
    return {"y": TABLE[tensors["ids"]]}


def test_a_table_is_read_everywhere_because_the_source_is_asked_how_long_it_is():
    found = asked("ids", [IDS], embed)
    assert len(found) > 900
    assert (min(found), max(found)) == (0, 999)


def test_a_hint_says_how_long_a_table_is_without_asking():
    found = asked("ids", [IDS], hints={"ids": Hint(-7, 6)})
    assert found == set(range(7))


@pytest.mark.parametrize(
    ("dtype", "hint", "ends"),
    [("uint8", Hint(-7, 6), (0, 6)), ("int8", Hint(-1_000, 999), (0, 127)), ("uint8", Hint(-1_000, 999), (0, 255))],
)
def test_a_table_is_read_as_far_as_the_type_of_its_ids_goes(dtype, hint, ends):
    found = asked("ids", [Input(name="ids", dtype=dtype, shape=["batch", "time"])], hints={"ids": hint})
    assert (min(found), max(found)) == ends


def test_a_table_that_counts_from_its_end_is_asked_so_at_the_edges_alone():
    found = plan([IDS], lambda tensors: {"y": TABLE[tensors["ids"]]})
    assert min(ways[0][0]["ids"].min() for ways in found.usual) == 0
    below = {int(value) for calls in found.edges for value in calls[0]["ids"].flat if value < 0}
    assert {-1, -2, -3, -1_000} <= below


@pytest.mark.parametrize(("dtype", "ends"), [("uint8", (0, 255)), ("int8", (-128, 127))])
def test_images_take_the_whole_of_their_type(dtype, ends):
    found = asked("x", [Input(name="x", dtype=dtype, shape=["batch", 3, 8, 8])])
    assert (min(found), max(found)) == ends
    assert len(found) == 256


def test_numbers_to_compute_with_are_negative_small_and_wide():
    found = asked("x", [Input(name="x", dtype="int32", shape=["batch", 16])])
    assert {-9, -1, 0, 1, 9, -5_000, 5_000} <= found


def test_lengths_lie_within_their_axis_and_above_zero():
    def packed(tensors):
        if np.any(tensors["lengths"] < 1) or np.any(tensors["lengths"] > tensors["x"].shape[1]):
            raise ValueError("Length of all samples has to be greater than 0")
        return {"y": tensors["x"]}

    inputs = [SERIES, Input(name="lengths", dtype="int64", shape=["batch"])]
    samples = usual(inputs, packed)
    pairs = [(int(length), sample["x"].shape[1]) for sample in samples for length in sample["lengths"]]
    assert all(1 <= length <= most for length, most in pairs)
    assert any(length == most > 100 for length, most in pairs)
    assert any(1 < length < most for length, most in pairs)


def test_an_integer_that_makes_the_answer_long_stays_small():
    def count(tensors):
        return {"y": np.arange(int(tensors["n"]))}

    assert max(asked("n", [Input(name="n", dtype="int64", shape=[])], count)) <= 16


def test_an_integer_that_is_counted_to_stays_small_and_is_told(monkeypatch):
    monkeypatch.setattr("modelport.verification.samples.integers.SECONDS", 0.02)

    def counting(tensors):
        return {"y": np.float64([sum(range(min(int(tensors["count"].max()), 10_000_000)))])}

    count = Input(name="count", shape=[1], dtype="int64")
    assert max(asked("count", [count], counting)) == 16
    assert plan([count], counting).caveats == ["input count: answers take as long as it says; up to 16 were asked"]


def test_a_processor_that_others_use_makes_nothing_smaller(monkeypatch):
    monkeypatch.setattr("modelport.verification.samples.integers.SECONDS", 0.01)
    monkeypatch.setattr("modelport.verification.samples.limits.LENGTH", Cost(4 << 20, 0.01))

    def waiting(tensors):
        if tensors["ids"].max() > 500 or tensors["ids"].shape[0] > 30:
            time.sleep(0.03)
        return {"y": TABLE[tensors["ids"]]}

    ids = Input(name="ids", shape=["batch", "time"], dtype="int64")
    assert usual_bytes([ids], waiting) == usual_bytes([ids], lambda tensors: {"y": TABLE[tensors["ids"]]})


def test_a_length_that_takes_long_is_told(monkeypatch):
    monkeypatch.setattr("modelport.verification.samples.limits.LENGTH", Cost(4 << 20, 0.0))
    made = plan([SERIES])
    assert "dimension time: lengths up to 32 were verified; longer ones take too long" in made.caveats


@pytest.mark.parametrize("wanted", [(1, 0, 1), (0, 0, 0)])
def test_integers_are_first_asked_alike_and_mixed(wanted):
    inputs = [Input(name=name, shape=[2], dtype="int64") for name in "abc"]

    def only(tensors):
        if any((array != value).any() for array, value in zip(tensors.values(), wanted, strict=True)):
            raise ValueError("other numbers")
        return {"y": tensors["a"]}

    assert [int(array.max()) for array in usual(inputs, only)[0].values()] == list(wanted)


def test_a_source_that_refuses_everything_slowly_is_not_asked_for_ever(monkeypatch):
    monkeypatch.setattr("modelport.verification.samples.probing.PATIENCE", 0.0)
    inputs = [Input(name=f"ids_{number}", shape=["batch", 1_024, "time"], dtype="int64") for number in range(21)]
    count = 0

    def refuse(_tensors):
        nonlocal count
        count += 1
        raise ValueError("no number is right")

    with pytest.raises(ModelportError, match="no number is right") as caught:
        plan(inputs, refuse)
    assert caught.value.reason == Reason.INPUTS_NEEDED
    assert count < 10


def test_a_range_of_the_users_is_used_to_both_ends():
    tokens = Input(name="tokens", dtype="int64", shape=["batch", 64], values=Values(range=[-3, 3]))
    assert asked("tokens", [tokens]) == set(range(-3, 4))


def test_integers_that_nothing_tells_about_are_asked_for_with_an_example():
    def choosy(tensors):
        if tensors["rate"] not in {8_000, 16_000}:
            raise ValueError("Supported sampling rates: [8000, 16000]")
        return {"y": tensors["rate"]}

    with pytest.raises(ModelportError, match=r"values: \{range: \[0, 99\]\}") as caught:
        plan([Input(name="rate", dtype="int64", shape=[])], choosy)
    assert caught.value.reason == Reason.INPUTS_NEEDED
    assert "rate" in caught.value.message


@pytest.mark.parametrize("limits", [[0, 256], [0.2, 0.8], [5, 2]])
def test_a_range_that_cannot_be_is_refused(limits):
    tokens = Input(name="tokens", dtype="uint8", shape=["batch", 4], values=Values(range=limits))
    with pytest.raises(ModelportError) as caught:
        plan([tokens])
    assert caught.value.reason == Reason.INVALID_SPEC


# --- masks, floats, strings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "dtype"), [("attention_mask", "int64"), ("shown", "bool")])
def test_masks_show_all_some_and_hide_tails_and_rows(name, dtype):
    mask = Input(name=name, dtype=dtype, shape=["batch", "time"])
    arrays = [ways[0][0][name].astype(int) for ways in plan([mask]).usual]
    assert {0, 1} == {int(value) for array in arrays for value in array.ravel()}
    assert any(array.all() for array in arrays)
    assert any(array.shape[0] > 1 and not array[-1].any() and array[0].any() for array in arrays)
    assert any((np.diff(array, axis=1) < 0).any() and not (np.diff(array, axis=1) > 0).any() for array in arrays)


@settings(max_examples=30, deadline=None)
@given(low=st.floats(-1e3, 1e3), width=st.floats(0, 1e3), dtype=st.sampled_from(["float32", "float64"]))
def test_values_keep_their_range_at_the_edges_too(low, width, dtype):
    each = Input(name="x", dtype=dtype, shape=["n", 5, 7], values=Values(range=[low, low + width]))
    found = plan([each])
    slack = 1e-6 * max(1.0, abs(low), abs(low + width))
    for calls in (*(ways[0] for ways in found.usual), *found.edges):
        assert calls[0]["x"].dtype == dtype
        assert np.all(np.abs(calls[0]["x"] - low - width / 2) <= width / 2 + slack)


def test_samples_are_the_same_every_time_and_differ_from_one_another():
    first, second = (usual([IMAGE]) for _ in range(2))
    assert all(np.array_equal(one["image"], other["image"]) for one, other in zip(first, second, strict=True))
    assert len({float(sample["image"][0, 0, 0, 0]) for sample in first}) == 8


def test_strings_come_from_the_vocabulary():
    colours = Input(name="colour", dtype="string", shape=["batch", 1])
    samples = usual([colours], hints={"colour": Hint(strings=("red", "blue"))})
    assert {text for sample in samples for text in sample["colour"].ravel()} == {"red", "blue"}


def test_strings_without_a_vocabulary_need_samples():
    with pytest.raises(ModelportError, match=r"numpy\.savez") as caught:
        plan([Input(name="colour", dtype="string", shape=["batch", 1])])
    assert caught.value.reason == Reason.SAMPLES_NEEDED


def test_edges_have_ties_zeros_large_values_and_what_is_no_number():
    arrays = [calls[0]["x"] for calls in plan([Input(name="x", shape=["batch", 6])]).edges]
    rows = [row for array in arrays for row in array]
    assert any(len(set(row.tolist())) == 1 for row in rows)
    assert any(np.any(np.signbit(row) & (row == 0)) for row in rows)
    assert any(np.isfinite(row).all() and np.abs(row).max() >= 1e4 for row in rows)
    assert any(8 < np.abs(array).max() < 100 for array in arrays)
    for special in (np.isnan, np.isposinf, np.isneginf):
        assert any(special(row).any() and not special(row).all() for row in rows)


QUESTIONS = """
import hashlib
from modelport.api.spec import Column, Input, Values
from modelport.verification.hints import Hint
from modelport.verification.samples.plan import make_plan
from modelport.verification.samples.probing import Prober

columns = [Column(categories=[3, 1, 2]), Column(count=2), Column(range=[0, 9])]
inputs = [
    Input(name="row", shape=["batch", 4], values=Values(columns=columns)),
    Input(name="mask", shape=["batch", "time"]),
    Input(name="ids", dtype="int64", shape=["batch", "time"]),
    Input(name="colour", dtype="string", shape=["batch"]),
]
hints = {"row": Hint(thresholds=((1.0,), (2.0,)), missing=((-999.0, float("nan")),)), "colour": Hint(strings=("b", "a"))}
plan = make_plan(inputs, {}, Prober(lambda tensors: {"y": tensors["ids"]}), count=8, hints=hints)
asked = [*(calls for ways in plan.usual for calls in ways), *plan.edges, *plan.ends]
for tensors in (tensors for calls in asked for tensors in calls):
    print(hashlib.sha256(b"".join(repr(array.tolist()).encode() for array in tensors.values())).hexdigest())
"""


def test_other_processes_ask_the_same():
    found = [
        subprocess.run(
            [sys.executable, "-c", QUESTIONS],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found[0] == found[1]
    assert len(set(found[0])) > 40
