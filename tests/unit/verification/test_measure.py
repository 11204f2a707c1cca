"""Measured errors against computations by hand."""

import math

import numpy as np
import pytest

from modelport.verification.measure import ACTIVATION_GAIN, difference, measure, spread
from modelport.verification.reference import Answer, Floors, Reference, Sample


def reference_of(*answers: Answer, floor: float = 0.0) -> Reference:
    samples = tuple(Sample({"x": np.zeros(1, np.float32)}, answer) for answer in answers)
    first = answers[0]
    return Reference(samples, Floors(dict.fromkeys(first.outputs, floor), dict.fromkeys(first.logits, floor)))


def answer(*values, dtype=np.float32, logits=None) -> Answer:
    found = {} if logits is None else {"y": np.array(logits, np.float32)}
    return Answer({"y": np.array(values, dtype)}, found)


def test_relative_rms_is_pooled_over_samples_not_averaged():
    small, large = np.array([1.0, 1.0]), np.array([100.0, 0.0])
    measured = difference([small, large], [small + 1, large])
    assert measured.relative_rms == pytest.approx(math.sqrt(2 / (2 + 10_000)))
    assert measured.max_absolute == 1.0
    assert measured.scale == pytest.approx(math.sqrt(10_002 / 4))


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


@pytest.mark.parametrize(
    ("reference", "other", "expected"),
    [([0.0], [0.0], 0.0), ([0.0], [1.0], math.inf), ([math.nan], [math.nan], math.nan), ([], [], math.nan)],
)
def test_edges(reference, other, expected):
    assert difference([np.array(reference)], [np.array(other)]).relative_rms == pytest.approx(expected, nan_ok=True)


def test_spread_of_constant_outputs_is_zero_and_shapes_are_cropped():
    assert spread([np.ones((1, 4)), np.ones((3, 4))]) == 0.0
    assert spread([np.array([[3.0, 9.0]]), np.array([[1.0], [7.0]])]) == pytest.approx(2 / 3)


def test_labels_agree_exactly_or_not():
    reference = reference_of(answer(*range(3_000_000), dtype=np.int64))
    wrong = answer(*range(3_000_000), dtype=np.int64)
    wrong.outputs["y"][7] += 1
    (status,) = measure(reference, [wrong])
    assert status.agreement == "0.999999"
    assert status.max_absolute_error == "1"
    (status,) = measure(reference, [answer(*range(3_000_000), dtype=np.int64)])
    assert status.agreement == "1"


def test_errors_that_a_sigmoid_hides_show_in_the_logits():
    logits, wrong = np.array([20.0, 25.0, 30.0]), np.array([20.0, 26.0, 30.0])
    sigmoid = [1 / (1 + np.exp(-each)) for each in (logits, wrong)]
    hidden = difference([sigmoid[0].astype(np.float32)], [sigmoid[1].astype(np.float32)])
    assert hidden.relative_rms < 5e-6
    (status,) = measure(
        reference_of(answer(*sigmoid[0], logits=logits), floor=1e-7), [answer(*sigmoid[1], logits=wrong)]
    )
    assert float(status.relative_rms) == pytest.approx(1 / np.sqrt(np.sum(logits**2)), rel=0.01)


def test_an_error_after_equal_logits_shows_too():
    reference = reference_of(answer(0.1, 0.9, logits=[1, 2]))
    (status,) = measure(reference, [answer(0.9, 0.1, logits=[1, 2])])
    expected = math.sqrt(2 * 0.8**2 / (0.1**2 + 0.9**2)) / (ACTIVATION_GAIN * math.sqrt(2.5))
    assert float(status.relative_rms) == pytest.approx(expected, rel=0.01)


def test_logits_that_one_side_lacks_leave_the_outputs_to_compare():
    reference = reference_of(answer(0.1, 0.9, logits=[1, 2]), floor=1e-7)
    (status,) = measure(reference, [answer(0.1, 0.9)])
    assert status.relative_rms == "0"
    assert status.max_absolute_error == "0"
