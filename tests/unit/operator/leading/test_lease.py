"""Who may have a Lease, by a clock that is given."""

import pytest

from modelport_operator.leading.lease import Record, Sight, Terms, held, look, may_take, released

TERMS = Terms(duration=15, deadline=10, retry=2)
OTHERS = Record(holder_identity="b", lease_duration_seconds=15, acquire_time="t0", renew_time="t1", lease_transitions=3)


@pytest.mark.parametrize(("duration", "deadline", "retry"), [(10, 10, 2), (15, 2.4, 2), (15, 10, 0), (15, 10, -1)])
def test_terms_that_two_could_lead_by_are_refused(duration, deadline, retry):
    with pytest.raises(ValueError, match=r"lease duration > renew deadline > 1\.2 \* retry period > 0"):
        Terms(duration=duration, deadline=deadline, retry=retry)


@pytest.mark.parametrize("record", [Record(), Record(holder_identity=""), Record(holder_identity="a")])
def test_what_is_free_or_ones_own_may_be_taken(record):
    assert may_take(Sight(record, since=100), "a", now=100)


def test_a_holder_is_believed_for_as_long_as_the_lease_says_since_it_was_seen_to_change():
    sight = look(None, OTHERS, 100)
    assert not may_take(sight, "a", now=114.9)
    assert may_take(sight, "a", now=115)


def test_the_same_record_grows_old_and_a_renewed_one_is_young():
    sight = look(look(None, OTHERS, 100), OTHERS, 110)
    assert sight.since == 100
    renewed = held(OTHERS, "b", TERMS, at="t2")
    assert look(sight, renewed, 110).since == 110


def test_the_times_in_a_record_decide_nothing():
    old = held(OTHERS, "b", TERMS, at="1970-01-01T00:00:00.000000Z")
    young = held(OTHERS, "b", TERMS, at="2999-01-01T00:00:00.000000Z")
    assert [may_take(look(None, each, 100), "a", now=101) for each in (old, young)] == [False, False]
    assert [may_take(look(None, each, 100), "a", now=116) for each in (old, young)] == [True, True]


def test_a_renewal_keeps_when_it_was_taken_and_counts_no_transition():
    renewed = held(OTHERS, "b", TERMS, at="t2")
    assert (renewed.acquire_time, renewed.renew_time, renewed.lease_transitions) == ("t0", "t2", 3)


def test_a_takeover_says_when_and_counts():
    taken = held(OTHERS, "a", TERMS, at="t2")
    assert taken == Record(
        holder_identity="a", lease_duration_seconds=15, acquire_time="t2", renew_time="t2", lease_transitions=4
    )


def test_what_was_given_back_is_free_at_once():
    free = released(OTHERS, at="t2")
    assert may_take(look(None, free, 100), "a", now=100)
    assert free.lease_transitions == 3
