"""No right conversion is refused: other operator sets, operators taken apart, optimisation, threads, batches."""

import pytest

from mutations.distribution import right_ones
from mutations.gate import pass_gate
from mutations.models import MODELS

pytestmark = pytest.mark.packages


@pytest.mark.parametrize("model", MODELS)
def test_accepted(model, subtests):
    for candidate in right_ones(model):
        with subtests.test(candidate.name):
            verdict = pass_gate(model, **candidate.how)
            assert verdict.reason is None, verdict


def test_there_are_enough():
    assert sum(1 for model in MODELS for _ in right_ones(model)) >= 200
