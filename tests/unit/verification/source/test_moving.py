"""One unit in the last place: nothing to most numbers, and another question where a number is a code."""

import ml_dtypes
import numpy as np
import pytest

from modelport.verification.source.moving import can_move, move_input

RANDOM = np.random.default_rng(1)


def test_columns_of_codes_and_masks_stay_and_others_move():
    table = np.float32([[1.5, 2, 0.25], [2, 4, 0], [3, 0, 1]])
    moved = move_input(table, RANDOM)
    assert (moved[:, 0] != table[:, 0]).all()
    assert (moved[:, 1] == table[:, 1]).all()
    assert moved[0, 2] != table[0, 2]
    assert moved.dtype == np.float32


@pytest.mark.parametrize(
    ("dtype", "large"), [(np.float32, 3e7), (np.float64, 1e16), (np.float16, 3000), (ml_dtypes.bfloat16, 300)]
)
def test_large_numbers_move_where_their_type_has_whole_ones_alone(dtype, large):
    table = np.array([[large], [2 * large]], dtype)
    assert (move_input(table, RANDOM) != table).all()
    small = (table / dtype(100)).astype(int).astype(dtype)
    assert (move_input(small, RANDOM) == small).all()


def test_numbers_without_axes_and_what_is_no_float():
    assert move_input(np.float32(2.5), RANDOM) != 2.5
    assert move_input(np.float32(2), RANDOM) == 2
    assert move_input(np.array(["a"], object), RANDOM)[0] == "a"


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0,)])
def test_nothing_does_not_move(shape):
    nothing = np.zeros(shape, np.float32)
    assert move_input(nothing, RANDOM).shape == shape
    assert not can_move(nothing)


def test_missing_numbers_stay_beside_those_that_move():
    moved = move_input(np.float32([[np.nan], [0.5]]), RANDOM)
    assert np.isnan(moved[0, 0])
    assert moved[1, 0] != np.float32(0.5)


def test_what_can_move():
    assert can_move(np.float32([[0, 1], [1, 0.5]]))
    assert can_move(np.float32(0.5))
    for still in (
        np.float32([[0, 1], [2, np.nan]]),
        np.zeros((2, 2), np.float32),
        np.arange(3),
        np.array(["a"], object),
    ):
        assert not can_move(still)
        assert np.array_equal(move_input(still, RANDOM), still, equal_nan=still.dtype.kind == "f")
