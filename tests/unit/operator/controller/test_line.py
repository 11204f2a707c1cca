"""The line for Jobs: its order, its places, and who may begin; checked against a plain sort of who would come when."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport_operator.controller.controller import Key
from modelport_operator.controller.line import Limits, Line
from modelport_operator.facts import Turn


def line_of(waiting, running=(), **limits):
    """Return a line of names such as 'a/1', in the order in which they began to wait."""
    line = Line(Limits(**limits))
    for name in running:
        line.hold(key(name))
    for since, name in enumerate(waiting):
        line.wait(key(name), since)
    return line


def key(name):
    return Key(*name.split("/"))


def told(keys):
    return ["/".join(each) for each in keys]


def test_within_a_namespace_it_goes_by_time():
    line = line_of(["a/3", "a/1", "a/2"], jobs=2)
    assert told(line.next()) == ["a/3", "a/1"]


def test_a_namespace_that_asks_for_more_does_not_get_more():
    line = line_of(["a/1", "a/2", "a/3", "a/4", "b/1", "c/1"], jobs=4)
    assert told(line.next()) == ["a/1", "b/1", "c/1", "a/2"]


def test_who_runs_less_comes_first():
    line = line_of(["a/1", "b/1"], ["a/x", "a/y"], jobs=3)
    assert told(line.next()) == ["b/1"]
    line.hold(key("b/1"))
    line.release(key("a/x"))
    assert told(line.next()) == ["a/1"]


def test_a_namespace_at_its_limit_is_passed_over_and_holds_up_nobody():
    line = line_of(["a/1", "a/2", "b/1"], ["a/x"], jobs=3, per_namespace=1)
    assert told(line.next()) == ["b/1"]
    assert line.turn(key("a/2")) == Turn(may_begin=False, place=2, waiting=2, running=1, limit=1, of_namespace=True)


def test_places_are_told_with_what_is_waited_for():
    line = line_of(["a/1", "a/2", "b/1", "b/2"], ["a/x", "b/x"], jobs=2)
    turns = {name: line.turn(key(name)) for name in ("a/1", "b/1", "a/2", "b/2")}
    assert [turn.place for turn in turns.values()] == [1, 2, 3, 4]
    assert turns["b/1"] == Turn(may_begin=False, place=2, waiting=4, running=2, limit=2)


def test_who_has_room_keeps_it_whatever_the_limit_is_by_now():
    line = line_of(["a/1"], ["a/x", "a/y", "b/x"], jobs=1)
    assert line.turn(key("a/x")).may_begin
    assert line.next() == []
    for name in ("a/x", "a/y"):
        line.release(key(name))
        assert line.next() == []
    line.release(key("b/x"))
    assert told(line.next()) == ["a/1"]


def test_who_leaves_has_lost_its_place():
    line = line_of(["a/1", "a/2"], jobs=1)
    line.leave(key("a/1"))
    line.leave(key("a/1"))
    assert (told(line.next()), line.waiting) == (["a/2"], 1)
    line.wait(key("a/1"), 5)
    assert told(line.next()) == ["a/2"]


def test_the_same_second_is_told_apart_by_name():
    line = Line(Limits(jobs=1))
    for name in ("a/2", "a/1"):
        line.wait(key(name), 7)
    assert told(line.next()) == ["a/1"]


@pytest.mark.parametrize(
    ("waiting", "running", "limits", "spare"),
    [
        ([], [], {}, True),
        ([], ["a/x"], {"jobs": 2}, True),
        ([], ["a/x", "b/x"], {"jobs": 2}, False),
        (["b/1"], ["a/x"], {"jobs": 2}, False),
        (["b/1"], ["b/x"], {"jobs": 3, "per_namespace": 1}, True),
        ([], ["a/x"], {"per_namespace": 1}, False),
        (["b/1"], ["b/x", "a/me"], {"jobs": 1}, True),
    ],
)
def test_what_waits_in_no_line_gets_room_that_nobody_waits_for(waiting, running, limits, spare):
    assert line_of(waiting, running, **limits).has_spare(key("a/me")) is spare


NAMES = st.sampled_from([f"{namespace}/{number}" for namespace in "abc" for number in range(6)])


@settings(deadline=None)
@given(
    waiting=st.lists(NAMES, unique=True, max_size=14),
    running=st.sets(st.sampled_from([f"{namespace}/r{number}" for namespace in "abc" for number in range(3)])),
    jobs=st.integers(0, 6),
    per_namespace=st.integers(0, 3),
)
def test_places_are_those_of_one_order(waiting, running, jobs, per_namespace):
    line = line_of(waiting, sorted(running), jobs=jobs, per_namespace=per_namespace)
    counts = {namespace: sum(name.startswith(namespace) for name in running) for namespace in "abc"}
    ranks = []
    for since, name in enumerate(waiting):
        before = sum(each[0] == name[0] for each in waiting[:since])
        ranks.append((counts[name[0]] + before, since, name))
    order = [name for _, _, name in sorted(ranks)]
    free = [name for rank, _, name in sorted(ranks) if not per_namespace or rank < per_namespace]
    begin = free[: max(jobs - len(running), 0)] if jobs else free
    assert told(line.next()) == begin
    full = {namespace for namespace in "abc" if per_namespace and counts[namespace] >= per_namespace}
    others = [name for name in order if name[0] not in full]
    for name in set(waiting) - set(begin):
        group = [each for each in order if each[0] == name[0]] if name[0] in full else others
        turn = line.turn(key(name))
        assert (turn.place, turn.waiting, turn.of_namespace) == (group.index(name) + 1, len(group), name[0] in full)
        assert not turn.may_begin
