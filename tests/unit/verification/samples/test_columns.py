"""Tables, by column: what the user says, what the user's data shows, what trees compare with, and what is missing."""

import numpy as np
import pytest

from modelport.api.reasons import Reason
from modelport.api.spec import Column, Input, State, Values
from modelport.errors import ModelportError
from modelport.verification.hints import Hint
from modelport.verification.samples.columns import limits_of
from modelport.verification.samples.plan import make_plan
from modelport.verification.samples.probing import Prober

NAN = float("nan")
AGE, INCOME, KIND = Column(range=[0, 120]), Column(range=[0, 1e6]), Column(categories=[0, 1, 4])


def table(*columns, dtype="float32", width=None, **options):
    width = sum(column.count for column in columns) if width is None else width
    return Input(name="x", dtype=dtype, shape=["batch", width], values=Values(columns=list(columns), **options))


def plain(width=3, dtype="float32"):
    return Input(name="x", dtype=dtype, shape=["batch", width])


def answer(tensors):
    return {"y": tensors["x"]}


def plan(each, infer=answer, **options):
    return make_plan([each], {}, Prober(infer), count=8, **options)


def usual(each, **options):
    return np.concatenate([ways[0][0]["x"] for ways in plan(each, **options).usual])


def edges(each, **options):
    return [calls[0]["x"] for calls in plan(each, **options).edges]


# --- stated -----------------------------------------------------------------------------------------------------------


def test_each_column_fills_its_own_range_or_categories():
    rows = usual(table(AGE, INCOME, KIND))
    assert 0 <= rows[:, 0].min() < 10
    assert 110 < rows[:, 0].max() <= 120
    assert 0 <= rows[:, 1].min() < 1e5
    assert 9e5 < rows[:, 1].max() <= 1e6
    assert set(rows[:, 2]) == {0, 1, 4}


def test_edges_keep_to_the_columns_and_take_the_ends_of_each():
    found = np.concatenate(edges(table(AGE, INCOME, KIND)))
    assert (found[:, 0].min(), found[:, 0].max()) == (0, 120)
    assert (found[:, 1].min(), found[:, 1].max()) == (0, 1e6)
    assert set(found[:, 2]) == {0, 1, 4}


def test_a_few_of_many_columns_are_stated_by_count_and_the_others_take_the_range_of_the_input():
    rows = usual(table(Column(count=5), AGE, Column(count=94), range=[-3, -2]))
    assert rows[:, 5].max() > 100
    others = np.delete(rows, 5, axis=1)
    assert (others >= -3).all()
    assert (others <= -2).all()


def test_columns_without_numbers_are_standard_normal_and_met_with_nan_at_the_edges():
    rows = usual(table(Column(), AGE))
    assert abs(rows[:, 0].std() - 1) < 0.4
    found = np.concatenate(edges(table(Column(), AGE)))
    assert np.isnan(found[:, 0]).any()
    assert not np.isnan(found[:, 1]).any()


def test_columns_of_integers_are_indices_of_tables_of_their_own():
    rows = usual(table(Column(range=[0, 6]), Column(categories=[8, 9]), dtype="int64"))
    assert set(rows[:, 0]) == set(range(7))
    assert set(rows[:, 1]) == {8, 9}


def test_integers_that_are_not_stated_are_still_asked_for():
    def embed(tensors):
        if tensors["x"][:, 0].min() < 0 or tensors["x"][:, 0].max() > 30 or not {*tensors["x"][:, 1]} <= {8, 9}:
            raise IndexError("out of range")
        return answer(tensors)

    rows = usual(table(Column(), Column(categories=[8, 9]), dtype="int64"), infer=embed)
    assert len({*rows[:, 0]} & set(range(31))) > 28
    assert (rows[:, 0].min(), rows[:, 0].max()) == (0, 30)


def test_integers_take_stated_categories_alone():
    rate = Input(name="x", dtype="int64", shape=[1], values=Values(categories=[8_000, 16_000]))
    assert {int(value) for value in usual(rate)} == {8_000, 16_000}
    assert {int(array[0]) for array in edges(rate)} == {8_000, 16_000}


@pytest.mark.parametrize(
    ("dtype", "lowest", "highest"),
    [("int64", 1.6e9, 1.7e9), ("uint64", 2.0**63, 1.75 * 2**63), ("int64", -(2.0**40), -1)],
)
def test_integers_fill_a_stated_range_however_wide_it_is_and_never_leave_it(dtype, lowest, highest):
    each = Input(name="x", dtype=dtype, shape=["batch"], values=Values(range=[lowest, highest]))
    made = plan(each)
    found = np.concatenate([ways[0][0]["x"] for ways in made.usual]).astype(float)
    assert ((found - lowest) / (highest - lowest)).std() > 0.2
    asked = np.concatenate([found, *(calls[0]["x"].astype(float) for calls in made.edges)])
    assert (asked.min(), asked.max()) == (lowest, highest)
    assert not made.caveats


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_numbers_may_fill_all_of_their_type(dtype):
    largest = limits_of(dtype)[1]
    each = Input(name="x", dtype=dtype, shape=["batch", 8], values=Values(range=[-largest, largest]))
    asked = np.concatenate([usual(each), *edges(each)]).astype(np.float64)
    assert np.isfinite(asked).all()
    assert (asked.min(), asked.max()) == (-largest, largest)


def test_columns_count_along_the_last_axis_of_a_series():
    series = Input(name="x", shape=["batch", "time", 2], values=Values(columns=[AGE, KIND]))
    for ways in plan(series).usual:
        ages, kinds = np.moveaxis(ways[0][0]["x"], -1, 0)
        assert ages.min() >= 0
        assert ages.max() <= 120
        assert set(kinds.ravel()) <= {0, 1, 4}


@pytest.mark.parametrize(
    ("each", "says"),
    [
        (table(AGE, KIND, width=3), r"one for each index of the last axis of \['batch', 3\].* found 2"),
        (table(AGE, width="columns"), "which must have a fixed length"),
        (table(Column(range=[5, 2])), r"values\.columns\[0\]\.range: 5 is above 2"),
        (table(AGE, Column(range=[0, 256]), dtype="uint8"), r"columns\[1\]\.range: expected integers within 0 and 255"),
        (table(Column(categories=[0.5, 1]), dtype="int64"), r"columns\[0\]\.categories: expected integers"),
        (table(Column(range=[0, 1e6]), dtype="float16"), r"expected numbers within -65504\.0"),
        (table(Column(range=[0, NAN])), r"columns\[0\]\.range: expected numbers .* found \[0, nan\]"),
        (table(Column(categories=[0, NAN])), r"columns\[0\]\.categories: expected numbers .* found \[0, nan\]"),
        (table(AGE, dtype="string"), "expected no values: they are numbers, and the input takes strings"),
    ],
)
def test_values_that_cannot_be_are_refused(each, says):
    with pytest.raises(ModelportError, match=says) as caught:
        plan(each)
    assert caught.value.reason == Reason.INVALID_SPEC
    assert len(caught.value.message) <= 500


def test_values_of_a_state_are_refused():
    with pytest.raises(ModelportError, match="input x: expected no values: a state is zero first"):
        plan(table(AGE), states=[State(input="x", output="y")])


# --- seen in the user's data ------------------------------------------------------------------------------------------

DATA = [{"x": np.array([[20, 0.5, 3], [64, 2.5, 0], [31, NAN, 0]], np.float32)}]


def test_generated_numbers_lie_where_those_of_the_users_data_do():
    rows = usual(plain(), data=DATA)
    assert set(rows[:, 0]) == {20, 31, 64}
    assert 0.5 <= rows[:, 1].min() < 0.7
    assert 2.3 < rows[:, 1].max() <= 2.5
    assert set(rows[:, 2]) == {0, 3}


def test_a_column_that_never_changes_in_the_users_data_is_standard_normal():
    rows = usual(plain(2), data=[{"x": np.array([[1, 0], [2, 0]], np.float32)}])
    assert len(set(rows[:, 1])) > 30


def test_what_data_shows_is_no_limit_at_the_edges():
    assert any(np.isnan(array).any() for array in edges(plain(), data=DATA))


def test_what_the_user_states_goes_before_what_the_data_shows():
    rows = usual(table(AGE, Column(count=2)), data=DATA)
    assert rows[:, 0].max() > 64
    assert set(rows[:, 2]) == {0, 3}


def test_an_image_lies_in_the_range_of_the_users_data():
    image = Input(name="x", shape=["batch", 3, 8, 8])
    seen = np.linspace(0, 255, 192, dtype=np.float32).reshape(1, 3, 8, 8)
    rows = usual(image, data=[{"x": seen}])
    assert rows.min() >= 0
    assert 200 < rows.max() <= 255


def test_columns_of_a_series_that_are_not_stated_lie_where_those_of_the_users_data_do():
    series = Input(name="x", shape=["batch", "time", 2], values=Values(columns=[AGE, Column()]))
    seen = np.stack([np.linspace(0, 9, 8), np.linspace(-40.5, -30.5, 8)], axis=-1, dtype=np.float32)[None]
    second = np.concatenate([ways[0][0]["x"][..., 1].ravel() for ways in plan(series, data=[{"x": seen}]).usual])
    assert -40.5 <= second.min() < -39
    assert -32 < second.max() <= -30.5


def test_a_series_of_any_length_lies_in_the_range_of_the_users_data():
    series = Input(name="x", shape=["batch", "time"])
    rows = np.concatenate(
        [ways[0][0]["x"].ravel() for ways in plan(series, data=[{"x": np.float32([[-40, 90]])}]).usual]
    )
    assert -40 <= rows.min() < -20
    assert 70 < rows.max() <= 90


# --- told by trees ----------------------------------------------------------------------------------------------------


def test_a_range_goes_beyond_all_thresholds():
    column = usual(plain(2), hints={"x": Hint(thresholds=((18.0, 66.0),))})[:, 0]
    others = column[np.abs(column[:, None] - np.array([18, 66])).min(1) > 1e-3]
    assert others.min() < 18
    assert others.max() > 66
    assert ((others > 18) & (others < 66)).any()


def test_thresholds_of_columns_that_the_user_does_not_state_are_passed_over():
    rows = usual(plain(2), hints={"x": Hint(thresholds=((18.0,), (), (66.0,)))}, data=[{"x": DATA[0]["x"][:, :2]}])
    assert np.float32(18) in rows[:, 0]
    assert np.float32(66) not in rows


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_thresholds_that_tell_missing_numbers_alone_leave_the_others_among_usual_ones(dtype):
    rows = usual(plain(2, dtype), hints={"x": Hint(thresholds=((18.0, 66.0, 1e300, float("inf")),))})
    assert np.isfinite(rows).all()
    others = rows[:, 0][(rows[:, 0] > 19) & (rows[:, 0] < 65)]
    assert len(others) > 5


def test_thresholds_are_asked_within_a_stated_range_alone():
    column = usual(table(AGE, Column()), hints={"x": Hint(thresholds=((18.0, 400.0),))})[:, 0]
    assert np.float32(18) in column
    assert column.max() <= 120


def test_missing_numbers_are_usual_where_the_model_knows_them():
    rows = usual(table(AGE, Column(), KIND), hints={"x": Hint(missing=((NAN,), (-999.0,)))})
    share = np.isnan(rows[:, 0]).mean()
    assert 0.02 < share < 0.4
    assert 0.02 < (rows[:, 1] == -999).mean() < 0.4
    assert not np.isnan(rows[:, 1:]).any()
