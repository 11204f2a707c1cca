"""Which weights of a checkpoint are taken without being named, and when nobody can tell."""

import pytest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.pytorch.weights.readings import Wanted, choose, find_readings

NAMES = {"a.weight", "a.bias"}
WEIGHTS = {"a.weight": 1, "a.bias": 2}
OTHERS = {"a.weight": 3, "a.bias": 4}


def look(value):
    return ((), value) if isinstance(value, int) else None


def read(content, *, is_named=False, key=""):
    wanted = Wanted(NAMES, lambda found: found.keys() == NAMES)
    return choose(list(find_readings(content, key, look)), wanted, look, is_named=is_named)


def under(prefix, weights=WEIGHTS):
    return {f"{prefix}{name}": value for name, value in weights.items()}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (WEIGHTS, "all"),
        (under("module."), "all without module."),
        (under("module.model."), "all without module.model."),
        ({"a.module.weight": 1, "a.module.bias": 2}, "all without module"),
        ({"state_dict": under("model."), "epoch": "3"}, "state_dict without model."),
        ({"model": WEIGHTS, "optimizer": {"state": {"0": {"exp_avg": 7}}}}, "model"),
        ({"model": WEIGHTS, "model_ema": OTHERS}, "model"),
        ({"model": WEIGHTS, "state_dict": WEIGHTS}, "model"),
        ({"generator": {"g.weight": 1}, "discriminator": WEIGHTS}, "discriminator"),
    ],
)
def test_the_one_reading_that_fits_is_taken(content, told):
    found = read(content)
    assert (str(found), dict(found.values)) == (told, WEIGHTS)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"model": WEIGHTS, "best": OTHERS}, "several weights .*: model, best"),
        ({"ema": WEIGHTS, "epoch": "3"}, "where it is named alone: ema"),
        ({"state_dict": under("model.") | {"loss.weight": 5}}, "named alone: state_dict.model .*leaves 1 others out"),
        ({"one": {"g.weight": 1}, "two": {"h.weight": 1}}, "none of the weights .*: one, one without g., two"),
    ],
)
def test_a_choice_is_refused_with_all_that_there_is(content, told):
    with pytest.raises(ModelportError, match=rf"{told}.*checkpoint\.key") as caught:
        read(content)
    assert caught.value.reason is Reason.WEIGHTS_MISMATCH


def test_averages_are_read_where_they_are_named():
    assert dict(read(OTHERS, key="ema", is_named=True).values) == OTHERS


def test_what_comes_nearest_is_for_loading_to_tell():
    assert read({"model": {"a.weight": 1}, "optimizer": {"state": {"0": {"exp_avg": 7}}}}).key == "model"
