"""Samples, by their properties: within limits, of several sizes, the same every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.api import DimensionRange, Input, Values
from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.samples import batch_dimension, make_samples

IMAGE = Input(name="image", shape=["batch", 3, "height", "width"], values=Values(range=[-1, 1]))


def accept(_tensors):
    """A model that takes everything."""


limits = st.builds(
    lambda low, extra, step: DimensionRange(min=low, max=low + extra, multiple_of=step),
    st.integers(1, 70),
    st.integers(0, 60),
    st.sampled_from([1, 2, 8, 32]),
)


@settings(max_examples=60, deadline=None)
@given(height=limits, width=limits, count=st.integers(8, 12))
def test_lengths_keep_their_limits_and_vary(height, width, count):
    ranges = {"height": height, "width": width}
    allowed = {
        name: [each for each in range(limit.min, limit.max + 1) if each % limit.multiple_of == 0]
        for name, limit in ranges.items()
    }
    if not all(allowed.values()):
        with pytest.raises(ModelportError) as caught:
            make_samples([IMAGE], ranges, count, accept)
        assert caught.value.reason == Reason.INVALID_SPEC
        return
    samples = [sample["image"] for sample in make_samples([IMAGE], ranges, count, accept)]
    assert len(samples) == count
    assert {each.shape[0] for each in samples} == {1, 2, 3, 4}
    for axis, name in ((2, "height"), (3, "width")):
        found = {each.shape[axis] for each in samples}
        assert found <= set(allowed[name])
        assert min(allowed[name]) in found
        assert len(found) >= min(2, len(allowed[name]))


@settings(max_examples=30, deadline=None)
@given(low=st.floats(-1e3, 1e3), width=st.floats(0, 1e3), dtype=st.sampled_from(["float32", "float64"]))
def test_values_keep_their_range(low, width, dtype):
    high = low + width
    each = Input(name="x", dtype=dtype, shape=["n", 5, 7], values=Values(range=[low, high]))
    for sample in make_samples([each], {}, 8, accept):
        assert sample["x"].dtype == dtype
        slack = 1e-6 * max(1.0, abs(low), abs(high))
        assert np.all(sample["x"] >= low - slack)
        assert np.all(sample["x"] <= high + slack)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64"])
def test_whole_numbers_are_masks_with_a_leading_one(dtype):
    mask = Input(name="mask", dtype=dtype, shape=["batch", "length"])
    arrays = [sample["mask"] for sample in make_samples([mask], {}, 8, accept)]
    assert all(array.dtype == dtype and np.all(array[:, 0] == 1) for array in arrays)
    assert {0, 1} == {int(value) for array in arrays for value in array.ravel()}


def test_indices_take_both_ends_of_their_range():
    tokens = Input(name="tokens", dtype="int64", shape=["batch", 64], values=Values(range=[0, 3]))
    arrays = [sample["tokens"] for sample in make_samples([tokens], {}, 8, accept)]
    assert {0, 1, 2, 3} == {int(value) for array in arrays for value in array.ravel()}


def test_a_range_beyond_the_type_is_refused():
    tokens = Input(name="tokens", dtype="uint8", shape=["batch", 4], values=Values(range=[0, 256]))
    with pytest.raises(ModelportError, match="within 0 and 255"):
        make_samples([tokens], {}, 8, accept)


def test_one_name_is_one_length():
    inputs = [
        Input(name="ids", dtype="int64", shape=["batch", "length"]),
        Input(name="mask", dtype="int64", shape=["batch", "length"]),
    ]
    samples = make_samples(inputs, {}, 8, accept)
    assert all(sample["ids"].shape == sample["mask"].shape for sample in samples)
    assert {1, 2} <= {sample["ids"].shape[1] for sample in samples}


def test_samples_are_the_same_every_time_and_differ_from_one_another():
    first, second = (make_samples([IMAGE], {}, 8, accept) for _ in range(2))
    assert all(np.array_equal(one["image"], other["image"]) for one, other in zip(first, second, strict=True))
    corners = {float(sample["image"][0, 0, 0, 0]) for sample in first}
    assert len(corners) == 8


def test_unlimited_lengths_are_raised_until_the_model_accepts():
    def fully_convolutional(tensors):
        if min(tensors["image"].shape[2:]) < 12:
            raise ValueError("kernel is larger than its input")

    shapes = [sample["image"].shape[2:] for sample in make_samples([IMAGE], {}, 8, fully_convolutional)]
    assert {length for shape in shapes for length in shape} == {16, 17, 19, 24, 32}
    assert any(height != width for height, width in shapes)


def test_a_net_that_halves_its_input_gets_lengths_that_it_accepts():
    def halving(tensors):
        if any(length % 8 for length in tensors["image"].shape[2:]):
            raise ValueError("sizes do not match")

    shapes = [sample["image"].shape[2:] for sample in make_samples([IMAGE], {}, 8, halving)]
    assert {length for shape in shapes for length in shape} == {8, 16}


def test_a_model_that_accepts_nothing_is_told():
    def refuse(_tensors):
        raise ValueError("expected 4 channels")

    with pytest.raises(ModelportError, match="expected 4 channels") as caught:
        make_samples([IMAGE], {}, 8, refuse)
    assert caught.value.reason == Reason.INPUTS_NEEDED


def test_limits_that_the_model_does_not_keep_are_told():
    def single(tensors):
        if tensors["image"].shape[0] > 1:
            raise ValueError("batch of one")

    with pytest.raises(ModelportError, match="dimension batch: the source model accepts 1, but not 2"):
        make_samples([IMAGE], {"height": DimensionRange(), "width": DimensionRange()}, 8, single)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([["batch", 3]], "batch"),
        ([["n", 3], ["n", "m"]], "n"),
        ([["n", 3], ["m", 3]], None),
        ([[1, 3]], None),
        ([["n"], []], None),
    ],
)
def test_the_batch_comes_first_everywhere(shapes, expected):
    assert batch_dimension([Input(name=f"x{n}", shape=shape) for n, shape in enumerate(shapes)]) == expected
