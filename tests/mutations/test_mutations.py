"""Every broken conversion is refused: each kind of mistake in each model where it can be made."""

import collections

import pytest

from modelport.reasons import Reason
from mutations.distribution import broken, judge_mistake
from mutations.mistakes import MISTAKES
from mutations.models import MODELS, REAL

pytestmark = pytest.mark.packages


@pytest.mark.parametrize("model", MODELS)
def test_refused(model, subtests):
    for mistake in MISTAKES:
        with subtests.test(mistake):
            verdict = judge_mistake(model, mistake)
            if verdict is not None:
                assert verdict.reason in (Reason.VERIFICATION_FAILED, Reason.RUNTIME_UNSUPPORTED), verdict


def test_there_are_enough():
    made = collections.Counter(
        mistake for make in REAL for mistake in MISTAKES if broken(make.__name__, mistake) is not None
    )
    assert len([mistake for mistake, count in made.items() if count >= 8]) >= 30
    assert sum(made.values()) >= 400
