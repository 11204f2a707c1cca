"""Measured errors against computations by hand."""

import math
import time

import ml_dtypes
import numpy as np
import pytest

from modelport.verification.measure import difference, share_text, spread
from modelport.verification.measure.linear import bulk_limit, make_yardstick, pool, short_axes
from modelport.verification.measure.metrics import metric
from modelport.verification.measure.precision import SINGLE, is_float, precision_of
from modelport.verification.measure.probabilities import Space, find_space, log_error

RANDOM = np.random.default_rng(5)


def test_relative_rms_is_pooled_over_samples_not_averaged():
    small, large = np.array([1.0, 1.0]), np.array([100.0, 0.0])
    measured = difference([small, large], [small + 1, large])
    assert measured.relative_rms == pytest.approx(math.sqrt(2 / (2 + 10_000)))
    assert measured.max_absolute == 1.0


def test_small_differences_are_not_lost_in_float32():
    reference = np.full(10_000, 1e3, np.float32)
    other = np.nextafter(reference, np.float32(np.inf))
    assert difference([reference], [other]).relative_rms == pytest.approx(6.1e-8, rel=0.01)


def test_non_finite_elements_must_be_the_same():
    reference = np.array([np.nan, np.inf, -np.inf, 1.0, 2.0], np.float32)
    other = np.array([np.nan, np.inf, np.inf, np.nan, 2.0], np.float32)
    measured = difference([reference], [other])
    assert measured.non_finite == 2
    assert measured.relative_rms == 0.0
    assert measured.equal == 0.6


@pytest.mark.parametrize(
    ("reference", "other", "expected"),
    [([0.0], [0.0], 0.0), ([0.0], [1.0], math.inf), ([math.nan], [math.nan], math.nan), ([], [], math.nan)],
)
def test_ends(reference, other, expected):
    assert difference([np.array(reference)], [np.array(other)]).relative_rms == pytest.approx(expected, nan_ok=True)


def test_strings_are_equal_or_not():
    assert difference([np.array(["a", "b"], object)], [np.array(["a", "c"], object)]).equal == 0.5


def test_spread_of_constant_outputs_is_zero_and_shapes_are_cropped():
    assert spread([np.ones((1, 4)), np.ones((3, 4))]) == 0.0
    assert spread([np.array([[3.0, 9.0]]), np.array([[1.0], [7.0]])]) == pytest.approx(2 / 3)
    assert spread([np.array([1, 2]), np.array([1, 3])]) == 0.5


def test_a_share_is_never_rounded_up():
    assert [share_text(each) for each in (1.0, 2_999_999 / 3_000_000, math.nan)] == ["1", "0.999999", "nan"]


@pytest.mark.parametrize("shape", [(3, 4, 5), (1 << 20, 4), (4,), ()])
def test_slices_are_those_of_a_loop(shape):
    one = RANDOM.normal(size=shape)
    two = one + 1e-3 * RANDOM.normal(size=shape)
    axes = short_axes([one], is_batched=False)
    measured = pool([(one, two), (2 * one, two)], axes)
    assert measured.error[0] == pytest.approx(np.sqrt(np.mean([(one - two) ** 2, (2 * one - two) ** 2])))
    place = 1
    for axis, length in axes:
        for index in range(length):
            parts = [(part.take(index, axis), two.take(index, axis)) for part in (one, 2 * one)]
            assert measured.error[place] == pytest.approx(np.sqrt(np.mean([(a - b) ** 2 for a, b in parts])))
            assert measured.rms[place] == pytest.approx(np.sqrt(np.mean([a**2 for a, _ in parts])))
            assert measured.largest[place] == pytest.approx(max(np.abs(a - b).max() for a, b in parts))
            place += 1
    assert place == len(measured.count)


def test_long_axes_and_the_batch_are_not_sliced():
    tensors = [np.zeros((2, 5, 1 << 16, length), np.bool_) for length in (7, 8)]
    assert short_axes(tensors, is_batched=True) == ((1, 5),)
    assert short_axes(tensors, is_batched=False) == ((0, 2), (1, 5))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0] * 90 + [-1e9] * 10, True),
        (RANDOM.normal(size=1000), False),
        (np.exp(3 * RANDOM.normal(size=9999)), False),
    ],
    ids=["mask", "normal", "heavy"],
)
def test_the_bulk_is_what_a_wide_gap_parts_from_the_rest(values, expected):
    limit = bulk_limit([np.array(values)])
    assert (1 < limit < 1e9) if expected else limit == math.inf


def test_the_limit_follows_the_noise_up_to_a_cap():
    tensor = RANDOM.normal(size=(100, 100)).astype(np.float32)

    def limit(noise):
        again = tensor.astype(np.float64) + noise * RANDOM.normal(size=tensor.shape)
        return make_yardstick([tensor], [[(tensor, again)]], (), SINGLE).limit

    assert limit(0) == limit(1e-7) == 5e-6
    assert limit(1e-6) == pytest.approx(2e-5, rel=0.05)
    assert limit(1e-5) == limit(1e-2) == 1e-4


def test_half_precision_has_its_own_units():
    assert precision_of(np.dtype(np.float64), "float32") is SINGLE
    assert precision_of(np.dtype(np.float32), "float16").base == pytest.approx(5 * np.finfo(np.float16).eps)
    assert precision_of(np.dtype(np.float16), "bfloat16").base == pytest.approx(
        5 * float(ml_dtypes.finfo("bfloat16").eps)
    )
    assert is_float(np.dtype(ml_dtypes.bfloat16))
    assert not is_float(np.dtype(bool))


def softmax(logits, axis=-1):
    powers = np.exp(logits - logits.max(axis, keepdims=True))
    return (powers / powers.sum(axis, keepdims=True)).astype(np.float32)


LOGITS = RANDOM.normal(size=(50, 9)) * 3


def test_probabilities_are_recognised_by_their_values():
    assert find_space([softmax(LOGITS)], SINGLE) == Space("Softmax", 1)
    assert find_space([softmax(LOGITS, 0), softmax(LOGITS[:7], 0)], SINGLE) == Space("Softmax", 0)
    assert find_space([softmax(LOGITS) * np.float32(0.5)], SINGLE) == Space("Sigmoid", 0)
    assert find_space([softmax(LOGITS), softmax(LOGITS) * np.float32(1.2)], SINGLE) is None
    assert find_space([LOGITS], SINGLE) is None
    assert find_space([(LOGITS > 0).astype(np.float32)], SINGLE) is None
    assert find_space([np.full((3, 2), np.nan)], SINGLE) is None
    assert find_space([np.zeros((0, 2))], SINGLE) is None


def test_the_error_in_log_space_is_that_of_the_logits():
    wrong = LOGITS + 1e-3 * RANDOM.normal(size=LOGITS.shape)
    error = (wrong - LOGITS) - (wrong - LOGITS).mean(-1, keepdims=True)
    expected = np.sqrt(np.mean(error**2) / np.mean((LOGITS - LOGITS.mean(-1, keepdims=True)) ** 2))
    found = log_error([(softmax(LOGITS), softmax(wrong))], Space("Softmax", 1), SINGLE)
    assert found.relative == pytest.approx(expected, rel=0.01)


def test_what_is_zero_in_both_is_left_out_and_what_is_zero_in_one_is_wrong():
    hidden = np.where(np.arange(9) % 2, -1e9, 0)
    one = softmax(LOGITS + hidden)
    space = Space("Softmax", 1)
    assert log_error([(one, one)], space, SINGLE).relative == 0
    assert log_error([(one, softmax(-LOGITS + hidden))], space, SINGLE).relative > 1
    assert log_error([(one, softmax(LOGITS))], space, SINGLE).relative > 0.9


def test_metrics_by_hand():
    one, other = np.array([[1.0, 2.0], [4.0, 3.0]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    assert metric("top1", [(one, other)]) == 0.5
    assert metric("cosine", [(one, other)]) == pytest.approx(0.6)
    assert math.isnan(metric("iou", [(one, other)]))
    boxes = np.array([[0.0, 0.0, 2.0, 2.0]])
    assert metric("iou", [(boxes, boxes + np.array([0, 0, 0, 2.0]))]) == 0.5
    assert metric("iou", [(boxes * 0, boxes * 0)]) == 1
    assert math.isnan(metric("top1", [(np.array([1, 2]), np.array([1, 2]))]))
    assert math.isnan(metric("cosine", [(np.zeros((0, 3)), np.zeros((0, 3)))]))


def test_large_outputs_take_little_more_time_than_reading_them():
    large = RANDOM.random((16, 85, 80, 80), np.float32)
    axes = short_axes([large], is_batched=True)
    started = time.process_time()
    pool([(large, large + np.float32(1e-3))], axes)
    assert time.process_time() - started < 8  # a loop over 245 slices takes longer
