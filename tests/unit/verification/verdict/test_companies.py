"""Rows alone and in company: models whose rows are their own, and all the ways in which they are not."""

import numpy as np
import pytest

from modelport.api.status import Signature, Tensor
from modelport.verification.reference import Reference, Sample
from modelport.verification.verdict import companies as module
from modelport.verification.verdict.companies import MOST_ELEMENTS, find_companies, joined_dimension

FEATURES = 4
WEIGHTS = np.random.default_rng(1).standard_normal((FEATURES, 5)).astype(np.float32)
LIMIT = 2e-5


def signature(inputs, outputs):
    return Signature(
        inputs=[Tensor(name=name, dtype="float32", shape=shape) for name, shape in inputs.items()],
        outputs=[Tensor(name=name, dtype="float32", shape=shape) for name, shape in outputs.items()],
    )


def reference_of(*inputs):
    return Reference(tuple(Sample((each,), ({},)) for each in inputs))


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


ROWS = signature({"x": ["batch", FEATURES]}, {"y": ["batch", FEATURES]})
ROWS_ASKED = reference_of(*({"x": normal(batch, FEATURES)} for batch in (1, 2, 4, 9)))
SERIES = signature({"x": ["batch", "time", FEATURES]}, {"y": ["batch", "time", FEATURES]})
SERIES_ASKED = reference_of(*({"x": normal(batch, time, FEATURES)} for batch in (1, 2, 9) for time in (1, 4, 12, 32)))
MASKED = signature({"x": ["batch", "time", FEATURES], "mask": ["batch", "time"]}, {"y": ["batch", "time", FEATURES]})


def masked(batch, time):
    lengths = np.random.default_rng([batch, time]).integers(1, time, size=(batch, 1), endpoint=True)
    return {"x": normal(batch, time, FEATURES), "mask": (np.arange(time) < lengths).astype(np.int64)}


MASKED_ASKED = reference_of(*(masked(batch, time) for batch in (2, 3, 9) for time in (5, 8)))


def is_dependent(company):
    """Say what step judge must see."""
    return company.alone.keys() != company.together.keys() or any(
        alone.shape != company.together[name].shape or error(alone, company.together[name]) > LIMIT
        for name, alone in company.alone.items()
    )


def error(expected, found):
    if not np.array_equal(np.isnan(expected), np.isnan(found)):
        return np.inf
    scale = np.sqrt(np.nanmean(np.square(expected, dtype=float)))
    return np.nanmax(np.abs(expected.astype(float) - found)) / max(scale, 1e-30)


def softmax(x, axis):
    shifted = np.exp(x - x.max(axis, keepdims=True))
    return shifted / shifted.sum(axis, keepdims=True)


def norm(x, axis):
    return (x - x.mean(axis, keepdims=True)) / (x.std(axis, keepdims=True) + np.float32(1e-5))


def split_by_8(x):
    return np.concatenate([x[start : start + 8] - x[start] for start in range(0, len(x), 8)])


def smoothed(x):
    padded = np.pad(x, ((1, 1), (0, 0)))
    return padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4


MIXED = {
    "cumsum": lambda x: x.cumsum(0),
    "cumsum backwards": lambda x: x[::-1].cumsum(0)[::-1],
    "filter": smoothed,
    "difference": lambda x: np.diff(x, axis=0, prepend=x[:1]),
    "sum": lambda x: x + x.sum(0),
    "mean": lambda x: x - x.mean(0),
    "max": lambda x: x - x.max(0),
    "largest if positive": lambda x: x - np.maximum(x, 0).max(0),
    "gram": lambda x: x @ x.T @ x,
    "attention over rows": lambda x: softmax(x @ x.T, 1) @ x,
    "sort": lambda x: np.sort(x, 0),
    "rank": lambda x: x.argsort(0).argsort(0),
    "batch norm in training mode": lambda x: norm(x, 0),
    "softmax over rows": lambda x: softmax(x, 0),
    "columns of length one": lambda x: x / np.linalg.norm(x, axis=0),
    "one scale for all": lambda x: np.round(x / np.abs(x).max() * 127) / 127 * np.abs(x).max(),
    "reversed": lambda x: x[::-1],
    "split by 8": split_by_8,
    "first eight": lambda x: x[:8],
    "if batch > 4": lambda x: x if len(x) <= 4 else x * 2,
    "if batch > 16": lambda x: x if len(x) <= 16 else x * 2,
    "points found": lambda x: x[x[:, 0] > 0],
    "rows that differ": lambda x: np.unique(x, axis=0),
    "a number": lambda x: x.sum(),
    "a row less": lambda x: x[1:],
}


@pytest.mark.parametrize("name", MIXED)
def test_rows_that_depend_on_one_another_show(name):
    companies = find_companies(lambda inputs: {"y": MIXED[name](inputs["x"])}, ROWS_ASKED, ROWS)
    assert any(is_dependent(each) for each in companies)


def test_a_sum_that_nothing_but_nan_or_large_numbers_disturb():
    tiny = np.float32(1e-9)
    companies = find_companies(lambda inputs: {"y": inputs["x"] + tiny * inputs["x"].sum()}, ROWS_ASKED, ROWS)
    assert [is_dependent(each) for each in companies].count(True) == 1, "a sum hides from all but NaN"


def padded_to_the_longest(inputs):
    longest = inputs["mask"].sum(1).max()
    return {"y": inputs["x"][:, :longest]}


def attention(inputs):
    scores = inputs["x"] @ inputs["x"].swapaxes(1, 2)
    with np.errstate(invalid="ignore"):
        return {"y": softmax(np.where(inputs["mask"][:, None] > 0, scores, -1e9).astype(np.float32), 2) @ inputs["x"]}


def hides_what_all_hide(inputs):
    return {"y": inputs["x"] * inputs["mask"].max(0)[None, :, None].astype(np.float32)}


@pytest.mark.parametrize("model", [padded_to_the_longest, hides_what_all_hide])
def test_rows_that_depend_on_the_lengths_of_others_show(model):
    assert any(is_dependent(each) for each in find_companies(model, MASKED_ASKED, MASKED))


def test_rows_that_are_mixed_from_some_length_on_show():
    def model(inputs):
        x = inputs["x"]
        return {"y": x - x.mean(0) if x.shape[1] > 4 else x}

    assert any(is_dependent(each) for each in find_companies(model, SERIES_ASKED, SERIES))


def convolution(inputs):
    padded = np.pad(inputs["x"], ((0, 0), (1, 1), (0, 0)))
    return {"y": padded[:, :-2] / 4 + padded[:, 1:-1] / 2 + padded[:, 2:] / 4}


def lstm(inputs):
    gates = normal(2 * FEATURES, 4 * FEATURES, seed=5)
    h = c = np.zeros((len(inputs["x"]), FEATURES), np.float32)
    told = []
    with np.errstate(over="ignore", invalid="ignore"):
        for step in inputs["x"].swapaxes(0, 1):
            i, f, o, g = np.split(np.concatenate([step, h], 1) @ gates, 4, 1)
            i, f, o = (1 / (1 + np.exp(-each)) for each in (i, f, o))
            c = f * c + i * np.tanh(g)
            h = o * np.tanh(c)
            told.append(h)
    return {"y": np.stack(told, 1)}


@pytest.mark.parametrize(
    ("model", "asked", "described"),
    [
        (lambda inputs: {"y": norm(inputs["x"], 1)}, ROWS_ASKED, ROWS),
        (lambda inputs: {"y": softmax(inputs["x"], 1)}, ROWS_ASKED, ROWS),
        (lambda inputs: {"y": np.sort(inputs["x"], 1)}, ROWS_ASKED, ROWS),
        (convolution, SERIES_ASKED, SERIES),
        (lstm, SERIES_ASKED, SERIES),
        (attention, MASKED_ASKED, MASKED),
    ],
)
def test_rows_that_are_their_own_do_not(model, asked, described):
    companies = find_companies(model, asked, described)
    assert len(companies) >= 11
    assert not [each for each in companies if is_dependent(each)]


class Asked:
    """Answers rows one by one; keeps what it was asked."""

    def __init__(self):
        self.inputs = []

    def __call__(self, inputs):
        self.inputs.append(inputs["x"])
        return {"y": inputs["x"] * 2}


def test_company_of_all_kinds_before_and_after_in_batches_up_to_33():
    model = Asked()
    companies = find_companies(model, ROWS_ASKED, ROWS)
    alone, together = model.inputs[:4], model.inputs[4:]
    assert [len(each) for each in alone] == [1] * 4
    assert len(together) == len(companies) == 11
    assert {len(each) for each in together} == {2, 3, 4, 8, 9, 17, 33}
    own = np.concatenate(alone)
    for batch, company in zip(together, companies, strict=True):
        assert (batch[:, None] == own[None]).all(2).any(), "some rows are those that were asked alone"
        np.testing.assert_array_equal(company.alone["y"], company.together["y"])
    assert any(np.isnan(each).any() for each in together)
    assert any((each == 0).all(1).any() for each in together)
    assert any(np.abs(np.nan_to_num(each)).max() > 50 for each in together)


def test_rows_are_no_smaller_than_asked_for_in_memory(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 2 << 20)
    width = module.MOST_BYTES // 4 // 5
    asked = reference_of({"x": np.zeros((1, width), np.float32)})
    model = Asked()
    companies = find_companies(model, asked, signature({"x": ["n", width]}, {"y": ["n", width]}))
    assert max(len(each) for each in model.inputs) == 3
    assert {each.alone["y"].shape[1] for each in companies} == {MOST_ELEMENTS}, "of large rows a part is kept"


def test_a_failure_in_company_is_dependence_unless_the_company_fails_alone():
    def none_with_nan(inputs):
        if np.isnan(inputs["x"]).any():
            raise ValueError("NaN")
        return {"y": inputs["x"]}

    def at_most_eight(inputs):
        if len(inputs["x"]) > 8:
            raise ValueError("too many")
        return {"y": inputs["x"]}

    careful = find_companies(none_with_nan, ROWS_ASKED, ROWS)
    assert len(careful) == 10
    assert not [each for each in careful if is_dependent(each)]
    narrow = find_companies(at_most_eight, ROWS_ASKED, ROWS)
    assert [each.together == {} for each in narrow].count(True) == 3


def test_a_model_that_takes_no_row_alone_proves_nothing():
    def two(inputs):
        if len(inputs["x"]) < 2:
            raise ValueError("expected more than one value")
        return {"y": inputs["x"]}

    assert find_companies(two, ROWS_ASKED, ROWS) == ()


def test_strings_and_integers_have_company_of_their_own_values():
    asked = reference_of({"x": np.array([["a", "b"], ["c", "d"]], object), "n": np.array([[3], [5]], np.int64)})
    seen = {"x": set(), "n": set()}

    def model(inputs):
        for name, values in seen.items():
            values.update(inputs[name].ravel().tolist())
        return {"y": inputs["x"]}

    companies = find_companies(model, asked, signature({"x": ["b", 2], "n": ["b", 1]}, {"y": ["b", 2]}))
    assert len(companies) == 9, "neither large nor NaN"
    assert seen == {"x": {"a", "b", "c", "d", ""}, "n": {3, 5, 0}}


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        ([["n", 4]], [["n", 3]], "n"),
        ([["n", 4], ["n"]], [["n", 3]], "n"),
        ([["n", "t"]], [["n", "t", 8]], "n"),
        ([["n", 4], ["m"]], [["n", 3]], None),
        ([[1, 4]], [[1, 3]], None),
        ([["n", 4]], [["k", 3]], None),
        ([["n", 4]], [[3]], None),
        ([["n", 4], []], [["n"]], None),
        ([["n", "n"]], [["n", 3]], None),
    ],
)
def test_the_dimension_to_join_along(inputs, outputs, expected):
    described = signature(
        {f"i{number}": shape for number, shape in enumerate(inputs)},
        {f"o{number}": shape for number, shape in enumerate(outputs)},
    )
    assert joined_dimension(described) == expected
    if expected is None:
        assert find_companies(lambda inputs: inputs, ROWS_ASKED, described) == ()
