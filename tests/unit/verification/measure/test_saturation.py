"""Sigmoids that are saturated but for a few elements, as a detector of text answers: those few decide."""

import numpy as np
import pytest

from modelport.verification.measure.numbers import Rule
from modelport.verification.measure.precision import SINGLE


def sigmoid(logits):
    return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)


@pytest.mark.parametrize(("open_elements", "compared"), [(400, True), (40, False)])
def test_compared_in_log_space_where_enough_elements_are_open(open_elements, compared):
    random = np.random.default_rng(1)
    logits = np.full((4, 100_000), -30, np.float32)
    logits[0, :open_elements] = random.standard_normal(open_elements)
    expected = [sigmoid(each) for each in logits]
    moved = [sigmoid(each * np.float32(1 + 2e-6)) for each in logits]
    rule = Rule.of(expected, [list(zip(expected, moved, strict=True))], SINGLE, is_batched=True)
    assert (rule.space is not None) == compared
    assert rule.errors(list(zip(expected, moved, strict=True))).worst.excess <= 1
    if compared:
        halved = [sigmoid(each.astype(np.float16)) for each in logits]
        worst = rule.errors(list(zip(expected, halved, strict=True))).worst
        assert worst.excess > 1
        assert worst.where == "log space"
