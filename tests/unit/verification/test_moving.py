"""One unit in the last place: nothing to most numbers, and another question where a number is a code."""

import numpy as np

from modelport.verification.moving import can_move, move_input

RANDOM = np.random.default_rng(1)


def test_columns_of_codes_and_masks_stay_and_others_move():
    table = np.float32([[1.5, 2, 0.25], [2, 4, 0], [3, 0, 1]])
    moved = move_input(table, RANDOM)
    assert (moved[:, 0] != table[:, 0]).all()
    assert (moved[:, 1] == table[:, 1]).all()
    assert moved[0, 2] != table[0, 2]
    assert moved.dtype == np.float32


def test_large_numbers_move_although_all_of_them_are_whole():
    table = np.float32([[3e7], [5e8]])
    assert (move_input(table, RANDOM) != table).all()


def test_numbers_without_axes_and_what_is_no_float():
    assert move_input(np.float32(2.5), RANDOM) != 2.5
    assert move_input(np.float32(2), RANDOM) == 2
    assert move_input(np.array(["a"], object), RANDOM)[0] == "a"


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
