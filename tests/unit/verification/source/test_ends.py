"""Numbers near the end of their type: asked where the source answers with numbers alone, and steadily."""

import numpy as np
import pytest

from builders import convert_request
from modelport.api.spec import Column, Input, Values
from modelport.verification.source.model import Source, ask_source

ROWS = Input(name="x", shape=["batch", 4])


def asked_near_end(answer, each=ROWS, largest=3e38):
    """Return the rows near the end that are kept."""
    source = Source([each], lambda tensors: {"y": np.asarray(answer(tensors["x"]), tensors["x"].dtype)})
    rows = [sample.inputs[0]["x"] for sample in ask_source(source, convert_request(), []).edges]
    with np.errstate(over="ignore"):
        kept = [row for row in rows if np.any(np.isfinite(row) & (np.abs(row.astype(np.float64)) > 0.5 * largest))]
    assert all(row.shape[0] == 1 for row in kept)
    return np.array([row.ravel() for row in kept], np.float64)


def test_both_ends_are_asked_one_row_at_a_time():
    found = asked_near_end(lambda x: x / 8)
    assert sorted((row.max() > 2e38, row.min() < -2e38) for row in found) == [
        (False, True),
        (True, False),
        (True, True),
    ]


@pytest.mark.parametrize(("dtype", "end"), [("float16", 57_642), ("float64", 2.99e38)])
def test_the_end_is_that_of_the_type_or_of_float32(dtype, end):
    found = asked_near_end(lambda x: x / 8, Input(name="x", dtype=dtype, shape=["batch", 4]), end)
    assert len(found) == 3
    assert np.abs(found).max() == pytest.approx(end, rel=0.01)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_a_source_whose_sums_go_beyond_is_not_asked():
    assert len(asked_near_end(lambda x: x @ np.full((4, 3), 2, np.float32))) == 0


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_a_source_that_gives_numbers_at_one_end_is_asked_there():
    found = asked_near_end(lambda x: np.where(x < 0, 0, x * 8))
    assert [(row.max() > 2e38, row.min() < -2e38) for row in found] == [(False, True)]


def test_sums_that_cancel_to_noise_are_not_asked():
    found = asked_near_end(lambda x: x.mean(-1, keepdims=True))
    assert sorted((row.max() > 2e38, row.min() < -2e38) for row in found) == [(False, True), (True, False)]


def test_stated_columns_and_masks_stay_as_they_are():
    values = Values(columns=[Column(range=[0, 1]), Column(count=3)])
    found = asked_near_end(lambda x: x / 8, Input(name="x", shape=["batch", 4], values=values))
    assert len(found)
    assert np.abs(found[:, 0]).max() <= 1
    inputs = [Input(name=name, shape=["batch", 4]) for name in ("x", "mask")]
    source = Source(inputs, lambda tensors: {"y": tensors["x"] + tensors["mask"]})
    masks = [sample.inputs[0]["mask"] for sample in ask_source(source, convert_request(), []).edges]
    assert all(np.nanmax(np.abs(mask[np.isfinite(mask)])) < 1e38 for mask in masks)
