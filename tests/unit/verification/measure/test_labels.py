"""Labels are exact, but where the source itself is unsure."""

import numpy as np
import pytest

from modelport.verification.measure.labels import LabelRule

SCORES = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
SCORES[7, :2] = 3.0, 3.0 - 1e-6  # a tie, but for noise


def call(labels, scores=SCORES):
    return {"label": np.asarray(labels), "scores": scores}


def wrong(expected, found, margin=1e-5, repeats=()):
    rule = LabelRule.of("label", [expected], {"scores": margin})
    return np.flatnonzero(rule.wrong(expected, found, repeats)).tolist()


def replaced(labels, row, label):
    other = np.array(labels)
    other[row] = label
    return other


TOP = SCORES.argmax(-1)


@pytest.mark.parametrize(
    "name_of",
    [lambda top: top, lambda top: np.array(["a", "b", "c", "d", "e"], object)[top], lambda top: 10 * top + 3],
    ids=["places", "strings", "classes"],
)
def test_a_runner_up_within_noise_is_as_right(name_of):
    labels = name_of(TOP)
    names = name_of(np.arange(5))
    expected = call(labels)
    assert wrong(expected, call(labels)) == []
    assert wrong(expected, call(replaced(labels, 7, names[1]))) == []
    assert wrong(expected, call(replaced(labels, 7, names[1])), margin=1e-8) == [7]
    assert wrong(expected, call(replaced(labels, 7, names[2]))) == [7]
    assert wrong(expected, call(replaced(labels, 8, names[(TOP[8] + 1) % 5]))) == [8]
    assert wrong(expected, call(name_of((TOP + 1) % 5))) == [each for each in range(200) if each != 7 or TOP[7] != 0]


def test_the_smallest_and_a_kept_axis_count_too():
    nearest = SCORES.argmin(-1)[:, None]
    order = np.sort(SCORES, -1)
    row = int(np.argmin(order[:, 1] - order[:, 0]))
    second = int(np.argsort(SCORES[row])[1])
    margin = float(order[row, 1] - order[row, 0]) * 1.01
    assert wrong(call(nearest), call(replaced(nearest, row, second)), margin) == []
    assert wrong(call(nearest), call(replaced(nearest, row, second)), margin / 2) == [row]


def test_a_label_that_the_source_gives_as_well_is_right():
    labels = np.array([1, 2, 3])
    expected = {"label": labels, "scores": np.zeros((3,), np.float32)}
    again = {"label": np.array([1, 5, 3])}
    assert wrong(expected, {"label": np.array([1, 5, 3])}, repeats=[again]) == []
    assert wrong(expected, {"label": np.array([1, 6, 3])}, repeats=[again]) == [1]
    assert wrong(expected, {"label": np.array([5, 2, 3])}, repeats=[again]) == [0]


def test_indices_may_swap_where_their_values_are_equal_but_for_noise():
    values = np.array([[9.0, 5.0, 5.0 - 1e-6, 1.0]], np.float32)
    expected = {"label": np.array([[4, 0, 2, 1]]), "scores": values}
    assert wrong(expected, {"label": np.array([[4, 2, 0, 1]])}) == []
    assert wrong(expected, {"label": np.array([[0, 4, 2, 1]])}) == [0, 1]
    assert wrong(expected, {"label": np.array([[4, 0, 2, 3]])}) == [3]


def test_labels_of_nothing_are_right():
    assert wrong(call(np.zeros(0, int), np.zeros((0, 5), np.float32)), {"label": np.zeros(0, int)}) == []


def test_labels_beside_numbers_of_another_shape_are_not_near_the_top():
    rule = LabelRule.of("label", [call(TOP)], {"scores": 1e-5})
    for rows, columns in ((150, 5), (200, 1), (200, 0)):
        expected = call(TOP, SCORES[:rows, :columns])
        assert rule.wrong(expected, call((TOP + 1) % 5)).all()


def test_indices_of_long_rows_are_not_compared_in_pairs():
    """Of 200,000 indices that all are others, those at the one tie may have changed places."""
    values = -np.arange(200_000.0, dtype=np.float32)[None]
    values[0, 7] = values[0, 6]
    order = np.random.default_rng(0).permutation(values.size)[None]
    given = np.roll(order, 1, axis=1)
    given[0, 6:8] = order[0, [7, 6]]
    assert np.flatnonzero(~rule_of(order, values).wrong(call(order, values), call(given, values))).tolist() == [6, 7]
    names = order.astype(str).astype(object)
    given = given.astype(str).astype(object)
    assert np.flatnonzero(~rule_of(names, values).wrong(call(names, values), call(given, values))).tolist() == [6, 7]


def rule_of(labels, scores):
    return LabelRule.of("label", [call(labels, scores)], {"scores": 1e-5})
