"""Which answers end the search for a way to load a model: what rounding and the source's own noise explain."""

import numpy as np
import pytest

from modelport.verification.reference import Reference, Sample
from modelport.verification.verdict.nearness import is_near
from unit.verification.answered import reference_of
from unit.verification.detecting import ASKED, look, padded, swapped, take

ANSWER = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)


def off(array, relative):
    """Return an array that differs by this relative RMS."""
    moved = array.astype(np.float64) * (1 + relative * np.where(np.arange(array.size) % 2, 1, -1).reshape(array.shape))
    return moved.astype(array.dtype)


def near(expected, found, *repeats, precision="float32", edge=None):
    def sample(array, again=(), *, is_edge=False):
        return Sample(({},), ({"y": array},), tuple(({"y": each},) for each in again), is_edge)

    samples = [sample(expected, repeats)]
    answers = [({"y": found},)]
    if edge is not None:
        samples.append(sample(expected, is_edge=True))
        answers.append(({"y": edge},))
    return is_near(Reference(tuple(samples), precision), answers)


@pytest.mark.parametrize(("error", "expected"), [(0, True), (5e-6, True), (5e-5, False), (1, False)])
def test_the_limit_of_single_precision(error, expected):
    assert near(ANSWER, off(ANSWER, error)) is expected
    assert near(ANSWER, off(ANSWER, 0), edge=off(ANSWER, error))  # edges are judge's alone


@pytest.mark.parametrize(
    ("precision", "dtype", "right", "wrong"),
    [("float16", np.float16, 2e-3, 5e-2), ("float16", np.float32, 2e-3, 5e-2), ("bfloat16", np.float32, 2e-2, 0.3)],
)
def test_a_source_of_half_precision_is_near_within_its_own_rounding(precision, dtype, right, wrong):
    answer = ANSWER.astype(dtype)
    assert near(answer, off(answer, right), precision=precision)
    assert not near(answer, off(answer, wrong), precision=precision)


def test_a_noisy_source_is_near_within_what_its_noise_explains():
    for floor, right, wrong in ((2e-6, 3e-5, 2e-4), (5e-5, 9e-5, 2e-4), (1e-3, 9e-4, 2e-3)):
        assert near(ANSWER, off(ANSWER, right), ANSWER, off(ANSWER, floor))
        assert not near(ANSWER, off(ANSWER, wrong), ANSWER, off(ANSWER, floor))


def test_noise_that_has_no_measure_excuses_nothing():
    lost = np.full_like(ANSWER, np.nan)
    assert not near(ANSWER, off(ANSWER, 0.1), lost)
    assert not near(ANSWER, off(ANSWER, 0.1), ANSWER[:4])


def test_labels_are_equal_but_for_those_that_the_source_itself_gives_otherwise():
    labels = np.arange(100)
    assert near(labels, labels)
    assert not near(labels, np.where(labels == 3, 4, labels))
    flips = np.where(labels == 50, 0, labels)
    assert near(labels, np.where(labels == 3, 4, labels), flips)


@pytest.mark.parametrize(
    "found",
    [ANSWER.astype(np.float64), ANSWER[:4], np.where(ANSWER > 2, np.nan, ANSWER), np.zeros_like(ANSWER)],
)
def test_other_types_shapes_and_non_finite_numbers_are_far(found):
    assert not near(ANSWER, found)
    assert near(found, found)


@pytest.mark.parametrize(
    ("change", "expected"), [(swapped, True), (lambda image, _: take(image, slice(1, None)), False)]
)
def test_detections_that_noise_swaps_are_near(change, expected):
    reference = reference_of(lambda inputs: padded(look(inputs)), ASKED)
    answers = [
        tuple(padded([change(image, number) for number, image in enumerate(look(call))]) for call in sample.inputs)
        for sample in reference.samples
    ]
    assert is_near(reference, answers) is expected
