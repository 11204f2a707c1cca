"""Small answers wait for each other, but not for long, and none is lost."""

import asyncio
import time

import pytest

from modelport_server.rest.outbox import MAX_BYTES, MAX_SECONDS, Outbox


class Transport:
    """Notes what is written, in one list for all."""

    def __init__(self, written, name):
        self.written, self.name = written, name
        self.closing = False
        self.then = None

    def is_closing(self):
        return self.closing

    def write(self, content):
        self.written.append((self.name, content))
        if self.then is not None:
            then, self.then = self.then, None
            then()


@pytest.fixture
def written():
    return []


def in_turn(play):
    """Play in one turn of an event loop, then let it end."""

    async def main():
        play()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())


def test_the_first_is_written_at_once_and_others_when_the_turn_ends(written):
    outbox, a, b = Outbox(), Transport(written, "a"), Transport(written, "b")

    def play():
        outbox.write(a, b"1")
        assert written == [("a", b"1")]
        outbox.write(b, b"2")
        outbox.write(a, b"3")
        assert len(written) == 1

    in_turn(play)
    in_turn(lambda: outbox.write(b, b"4"))
    assert written == [("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", b"4")]


def test_many_bytes_are_not_kept_back(written):
    outbox, a = Outbox(), Transport(written, "a")

    def play():
        outbox.write(a, b"1")
        outbox.write(a, b"2")
        outbox.write(a, bytes(MAX_BYTES))
        assert len(written) == 3

    in_turn(play)


def test_nothing_is_kept_back_for_long(written):
    outbox, a = Outbox(), Transport(written, "a")

    def play():
        outbox.write(a, b"1")
        time.sleep(2 * MAX_SECONDS)
        outbox.write(a, b"2")
        assert len(written) == 2

    in_turn(play)


def test_what_closes_is_left_out(written):
    outbox, a, b = Outbox(), Transport(written, "a"), Transport(written, "b")

    def play():
        for each in (a, b, a):
            outbox.write(each, b"1")
        a.closing = True

    in_turn(play)
    assert written == [("a", b"1"), ("b", b"1")]


def test_what_is_written_meanwhile_comes_behind(written):
    outbox, a = Outbox(), Transport(written, "a")

    def meanwhile():
        outbox.write(a, b"4")
        outbox.flush()

    def play():
        for number in (b"1", b"2", b"3"):
            outbox.write(a, number)
        a.then = meanwhile

    in_turn(play)
    assert [content for _, content in written] == [b"1", b"2", b"3", b"4"]
