"""Masks of floats: what shows and what hides, and numbers among them where a mask may be none."""

import numpy as np
import pytest

from modelport.api.spec import Input, Values
from modelport.verification.hints import Hint
from modelport.verification.samples.plan import make_plan
from modelport.verification.samples.probing import Prober


def samples(each, hint=None, infer=lambda tensors: {"y": next(iter(tensors.values()))}):
    made = make_plan([each], {}, Prober(infer), count=8, hints={each.name: hint} if hint else {})
    return [ways[0][0][each.name] for ways in made.usual]


def masks(arrays, shown, hidden):
    return [array == hidden for array in arrays if set(np.unique(array)) <= {np.float32(shown), np.float32(hidden)}]


def hides_all_ways(found):
    return {
        "all": any(not hides.any() for hides in found),
        "row": any(hides[-1].all() for hides in found if len(hides) > 1),
        "tail": any(hides.any() and not (np.diff(hides.astype(int), axis=-1) < 0).any() for hides in found),
        "some": any((np.diff(hides.astype(int), axis=-1) < 0).any() for hides in found),
    }


ALL_WAYS = {"all": True, "row": True, "tail": True, "some": True}


def test_what_is_a_mask_is_one_in_all_samples():
    arrays = samples(Input(name="m", shape=["batch", "time"]), Hint(is_mask=True))
    found = masks(arrays, 1, 0)
    assert len(found) == 8
    assert hides_all_ways(found) == ALL_WAYS


@pytest.mark.parametrize(
    ("each", "hint", "pair"),
    [
        (Input(name="attention_mask", shape=["batch", "time"]), None, (1, 0)),
        (Input(name="m", shape=["batch", 1, "time", "time"]), Hint(is_added=True), (0, -1e9)),
        (Input(name="m", dtype="float16", shape=["batch", "time"]), Hint(is_added=True), (0, -1e4)),
        (Input(name="m", shape=["batch", "time"]), Hint(is_mask=True, is_number=True), (1, 0)),
        (Input(name="mask", dtype="uint8", shape=["batch", 1, 8, 8]), None, (1, 0)),
    ],
)
def test_what_may_be_a_mask_is_one_in_some_samples_and_numbers_in_others(each, hint, pair):
    arrays = samples(each, hint)
    found = masks(arrays, *pair)
    assert hides_all_ways(found) == ALL_WAYS
    numbers = [array for array in arrays if len(np.unique(array)) > 2]
    assert len(numbers) == 3
    assert all(np.isfinite(array).all() for array in arrays)


@pytest.mark.parametrize(
    ("name", "is_mask"),
    [
        ("attention_mask", True),
        ("token_mask", True),
        ("mask_1", True),
        ("bool_masked", True),
        ("masked_lm_positions", False),
        ("maskedPositions", False),
        ("input_ids_masked", False),
        ("mask_token_id", False),
    ],
)
def test_integers_are_a_mask_by_name_unless_they_are_what_is_masked(name, is_mask):
    found = np.concatenate(
        [array.ravel() for array in samples(Input(name=name, dtype="int64", shape=["batch", "time"]))]
    )
    assert ({*found} == {0, 1}) == is_mask


@pytest.mark.parametrize("values", [Values(range=[0, 1]), Values(categories=[0, 1])])
def test_a_mask_of_integers_stays_one_where_the_user_states_what_it_holds(values):
    arrays = samples(Input(name="attention_mask", dtype="int64", shape=["batch", "time"], values=values))
    assert hides_all_ways(masks(arrays, 1, 0)) == ALL_WAYS


def test_numbers_that_the_user_states_go_before():
    mask = Input(name="mask", shape=["batch", "time"], values=Values(range=[0.25, 0.75]))
    assert all(((array >= 0.25) & (array <= 0.75)).all() for array in samples(mask))


def test_the_source_is_asked_otherwise_where_it_gives_no_finite_numbers():
    def ways(hint=None):
        mask = Input(name="mask", shape=["batch", 4])
        made = make_plan(
            [mask], {}, Prober(lambda tensors: {"y": tensors["mask"]}), count=8, hints={"mask": hint or Hint()}
        )
        return [[set(np.unique(calls[0]["mask"])) <= {0, 1} for calls in asked] for asked in made.usual]

    assert ways(Hint(is_mask=True)) == [[True] * 5] * 8
    as_masks, as_numbers = [True] * 5 + [False], [False] + [True] * 5
    assert ways() == [as_numbers if number in {1, 4, 6} else as_masks for number in range(8)]
