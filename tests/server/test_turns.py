"""Who asks in one turn of the event loop is answered together, in bounded time, and nobody is forgotten."""

import asyncio

import pytest

from modelport_server import turns
from modelport_server.turns import MAX_SECONDS, MOST, Turns


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


def asking(asker, *requests):
    return lambda: [asker.ask(request) for request in requests]


def test_who_is_alone_is_answered_at_once(groups):
    asker = Turns(groups.append, lambda _: False)

    def ask(request):
        asker.ask(request)
        assert groups[-1] == [request]

    play(*(lambda request=request: ask(request) for request in range(3)))
    assert groups == [[0], [1], [2]]


def test_those_who_come_together_are_answered_together(groups):
    asker = Turns(groups.append, lambda _: False)
    play(asking(asker, 1, 2, 3), asking(asker, 4, 5), asking(asker, 6), asking(asker, 7))
    assert groups == [[1], [2, 3], [4, 5], [6], [7]]


def test_groups_are_bounded(groups):
    asker = Turns(groups.append, lambda _: False)
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

    asker = Turns(answer, lambda _: False)
    play(asking(asker, "first", *range(2 * size)))
    assert [len(group) for group in groups] == [1, size, size]


def test_who_goes_alone_is_answered_at_once_behind_those_who_came_before(groups):
    asker = Turns(groups.append, lambda request: request == "large")
    seen = []

    def move():
        for request in ("first", "small", "other", "large"):
            asker.ask(request)
        seen.extend(groups)
        asker.ask("late")

    play(move)
    assert seen == [["first"], ["small", "other"], ["large"]]
    assert groups[3:] == [["late"]]


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

    asker = Turns(answer, lambda asked: asked[1] == "large")

    async def main():
        asker.ask((0, kind))
        while len(groups) <= 5000:
            before = len(groups)
            await asyncio.sleep(0)
            assert len(groups) - before <= 2, "others have their turn too"

    asyncio.run(main())
    assert [group[0][0] for group in groups] == list(range(5001))
    assert deepest == 1
