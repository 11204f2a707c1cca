"""Who asks in one turn of the event loop is answered together, in bounded time, and nobody is forgotten."""

import asyncio

import pytest

from modelport_server.transport import turns
from modelport_server.transport.turns import MAX_SECONDS, MOST, Turns


class Clock:
    """Time that passes when somebody is answered."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def groups():
    return []


def play(*moves):
    """Make each move in a turn of the event loop of its own."""

    async def main():
        for move in moves:
            move()
            await asyncio.sleep(0)

    asyncio.run(main())


def turns_of(answer, goes_alone=lambda _: False, *, abort=None):
    return Turns(answer, abort, goes_alone)


def asking(asker, *requests):
    return lambda: [asker.ask(request) for request in requests]


def test_who_is_alone_is_answered_at_once(groups):
    asker = turns_of(groups.append)

    def ask(request):
        asker.ask(request)
        assert groups[-1] == [request]

    play(*(lambda request=request: ask(request) for request in range(3)))
    assert groups == [[0], [1], [2]]


def test_those_who_come_together_are_answered_together(groups):
    asker = turns_of(groups.append)
    play(asking(asker, 1, 2, 3), asking(asker, 4, 5), asking(asker, 6), asking(asker, 7))
    assert groups == [[1], [2, 3], [4, 5], [6], [7]]


def test_groups_are_bounded(groups):
    asker = turns_of(groups.append)
    play(asking(asker, "first", *range(2 * MOST + 1)))
    assert [len(group) for group in groups] == [1, MOST, MOST, 1]


@pytest.mark.parametrize(
    ("seconds", "size"), [(MAX_SECONDS / MOST / 2, MOST), (MAX_SECONDS / 4, 4), (MAX_SECONDS, 1), (1.0, 1)]
)
def test_nobody_waits_long_for_others(monkeypatch, groups, seconds, size):
    clock = Clock()
    monkeypatch.setattr(turns, "clock", clock)

    def answer(group):
        clock.now += seconds * len(group)
        groups.append(group)

    asker = turns_of(answer)
    play(asking(asker, "first", *range(2 * size)))
    assert [len(group) for group in groups] == [1, size, size]


def test_who_goes_alone_is_answered_at_once_behind_those_who_came_before(groups):
    asker = turns_of(groups.append, lambda request: request == "large")
    seen = []

    def move():
        for request in ("first", "small", "other", "large"):
            asker.ask(request)
        seen.extend(groups)
        asker.ask("late")

    play(move)
    assert seen == [["first"], ["small", "other"], ["large"]]
    assert groups[3:] == [["late"]]


@pytest.mark.parametrize("count", [1, 5])
def test_a_failure_ends_those_who_were_to_be_answered_and_nobody_else(groups, count, caplog):
    def answer(group):
        groups.append(group)
        if "bad" in group:
            raise MemoryError

    aborted = []
    asker = turns_of(answer, abort=aborted.append)
    play(*[asking(asker, *["bad"] * count), asking(asker, *["good"] * count)] * 3)
    assert aborted == ["bad"] * count * 3
    assert [each for group in groups for each in group].count("good") == count * 3
    assert "MemoryError" in caplog.text


def test_what_nobody_can_handle_stops_nobody_else(groups):
    def answer(group):
        groups.append(group)
        if "bad" in group:
            raise SystemExit

    asker = turns_of(answer)

    def move():
        with pytest.raises(SystemExit):
            asker.ask("bad")

    play(move, asking(asker, "good", "other"))
    assert groups == [["bad"], ["good"], ["other"]]


def test_who_has_asked_is_answered_before_somebody_else_fails(groups):
    asker = turns_of(groups.append)

    def move():
        asking(asker, 1, 2, 3)()
        asker.flush()
        assert groups == [[1], [2, 3]]

    play(move)
    assert groups == [[1], [2, 3]]


@pytest.mark.parametrize("kind", ["small", "large"])
def test_who_asks_while_being_answered_is_answered_in_the_next_turn(groups, kind):
    depth = deepest = 0

    def answer(group):
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        groups.append(group)
        for number, _ in group:
            if number < 5000:
                asker.ask((number + 1, kind))
        depth -= 1

    asker = turns_of(answer, lambda asked: asked[1] == "large")

    async def main():
        asker.ask((0, kind))
        while len(groups) <= 5000:
            before = len(groups)
            await asyncio.sleep(0)
            assert len(groups) - before <= 2, "others have their turn too"

    asyncio.run(main())
    assert [group[0][0] for group in groups] == list(range(5001))
    assert deepest == 1
