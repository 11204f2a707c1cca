"""Every broken conversion is refused: each kind of mistake in each model where it can be made."""

import collections

import pytest

from modelport.api.reasons import Reason
from mutations.distribution import UNSEEN, broken, broken_ones
from mutations.gate import pass_gate
from mutations.mistakes import MISTAKES
from mutations.models import MODELS, REAL

pytestmark = pytest.mark.packages
REFUSED = (Reason.VERIFICATION_FAILED, Reason.NUMERICALLY_UNSTABLE, Reason.RUNTIME_UNSUPPORTED)


@pytest.mark.parametrize("model", MODELS)
def test_refused(model, subtests):
    for mistake in broken_ones(model):
        with subtests.test(mistake.name):
            verdict = pass_gate(model, **mistake.how)
            assert verdict.reason in REFUSED, verdict
            assert verdict.excess > 1


@pytest.mark.parametrize(("model", "mistake"), UNSEEN)
def test_what_no_sample_shows_is_known(model, mistake):
    assert pass_gate(model, broken(model, mistake)).reason is None, "seen now: take it off the list, and off the docs"


def test_there_are_enough():
    names = [make.__name__ for make in REAL]
    made = collections.Counter(kind for name in names for kind in MISTAKES if broken(name, kind) is not None)
    assert len([kind for kind, count in made.items() if count >= 8]) >= 30
    assert sum(made.values()) >= 400
