"""When answers of REST are written, and to whom: in the order of their requests, and before somebody else is waited for."""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest
import uvloop

from modelport_server.lifecycle import Lifecycle
from modelport_server.rest.messages import Answer
from modelport_server.rest.server import Server
from modelport_server.transport.limits import Limits
from modelport_server.transport.turns import MOST

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE = Answer((b"a" * 30_000_000,))
"""More than the buffers of two sockets hold."""
SMALL = Answer((b"b",))


class Paths:
    """An application that answers at once, by path."""

    def __init__(self, **answers):
        self.answers = answers
        self.groups = []

    def respond(self, requests):
        self.groups.append(len(requests))
        return [self.answers[request.path[1:]]() for request in requests]


@asynccontextmanager
async def _serving(application, limits=Limits()):  # noqa: B008 - it cannot be changed
    """Listen in this event loop."""
    server = Server(application, Lifecycle("m"), limits)
    await server.open("127.0.0.1", 0)
    try:
        yield server
    finally:
        await server.close(0)


@asynccontextmanager
async def _listening(application):
    """Listen in this event loop; give the port."""
    async with _serving(application) as server:
        yield server.port


BAD = {
    "garbage": (b"\0 garbage\r\n\r\n", 400),
    "too large": (b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n\r\n", 413),
    "upgrade": (GET[:-2] % b"small" + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200),
}


@pytest.mark.parametrize("was_alone", [True, False])
@pytest.mark.parametrize("bad", BAD)
def test_a_refusal_comes_behind_the_answers_of_what_was_sent_before(bad, was_alone):
    content, status = BAD[bad]

    async def story():
        async with _listening(Paths(small=lambda: SMALL, large=lambda: LARGE, later=later)) as port:
            if not was_alone:
                async with _clients(port, 2) as clients:
                    await _asked(clients, [GET % b"small"] * 2)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            names = (b"small", b"small", b"later", b"large", b"small", b"later")
            writer.write(b"".join(GET % name for name in names) + content + GET % b"small")
            received = await asyncio.wait_for(reader.read(), 30)
            writer.close()
            return received

    async def later():
        await asyncio.sleep(0.01)
        return SMALL

    told = uvloop.run(story()).replace(LARGE.pieces[0], b"large").split(b"HTTP/1.1 ")[1:]
    assert [int(each[:3]) for each in told] == [200] * 6 + [status]
    assert [index for index, each in enumerate(told) if each.endswith(b"\r\n\r\nlarge")] == [3]
    assert [index for index, each in enumerate(told) if b"connection: close" in each] == [6]


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, None])
def test_an_answer_that_fails_ends_its_connection(error):
    async def fail():
        if error is None:
            return Answer((None,))
        raise error

    async def story():
        async with _listening(Paths(small=lambda: SMALL, fail=fail)) as port, _clients(port, 2) as clients:
            clients[0].send(GET % b"fail" * 2)
            clients[0].setblocking(False)
            assert not await asyncio.wait_for(asyncio.get_running_loop().sock_recv(clients[0], 99), 30)
            assert (await _asked(clients[1:], [GET % b"small"]))[0].endswith(b"b")

    uvloop.run(story())


def test_a_request_to_speak_something_else_is_told_that_the_connection_ends():
    async def story():
        async with _listening(Paths(small=lambda: SMALL)) as port, _clients(port, 1) as clients:
            return (await _asked(clients, [BAD["upgrade"][0]]))[0]

    told = uvloop.run(story())
    assert b"connection: close" in told
    assert told.endswith(b"b")


def test_what_waits_is_bounded_while_a_client_takes_answers_slowly():
    asking = GET % b"a"

    async def story():
        answer = Answer((bytes(100_000),))
        left, most = b"", 0
        async with _serving(Paths(a=lambda: answer)) as server, _clients(server.port, 1) as (client,):
            client.setblocking(False)
            (connection,) = server._connections
            for _ in range(500):
                left = left or asking * 10_000
                with suppress(BlockingIOError):
                    left = left[client.send(left) :]
                await asyncio.get_running_loop().sock_recv(client, 30_000)
                most = max(most, len(connection._waiting))
            assert not connection._is_ended
        return most

    assert uvloop.run(story()) < 2 * (256 << 10) // len(asking), "as many as the event loop reads at once"


def test_what_came_of_a_refused_body_is_let_go_while_others_are_answered():
    chunked = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"

    async def story():
        release = asyncio.get_running_loop().create_future()

        async def later():
            await release
            return SMALL

        async with _serving(Paths(later=later), Limits(max_body_bytes=100_000)) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(GET % b"later" + chunked + chunk * 5)
            (connection,) = server._connections
            for _ in range(500):
                await asyncio.sleep(0.01)
                if connection._refusal is not None:
                    break
            assert (server._held, server.receiving) == (0, 0)
            release.set_result(None)
            told = await asyncio.wait_for(reader.read(), 30)
            writer.close()
            return told

    told = uvloop.run(story())
    assert [int(each[:3]) for each in told.split(b"HTTP/1.1 ")[1:]] == [200, 413]


def test_a_body_is_asked_for_behind_the_answers_of_what_was_sent_before():
    asking = b"POST /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"

    async def story():
        async with _listening(Paths(small=lambda: SMALL)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for count in (0, 3):
                writer.write(GET % b"small" * count + asking)
                told = await asyncio.wait_for(reader.readuntil(b" 100 Continue\r\n\r\n"), 30)
                assert told.count(b" 200 OK") == count
                writer.write(b"x")
                assert (await reader.readuntil(b"\r\n\r\nb")).startswith(b"HTTP/1.1 200 OK")
            writer.close()

    uvloop.run(story())


@pytest.mark.parametrize("headers", [b"Content-Encoding: gzip\r\n", b""])
def test_what_is_ready_is_written_before_long_work_begins(headers):
    size = 1 if headers else 20_000
    long = b"POST /long HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n" % (size, headers) + b" " * size
    seen = []

    def look():
        seen.append(first.recv(65536, socket.MSG_PEEK))
        return SMALL

    async def story():
        nonlocal first
        async with _listening(Paths(small=lambda: SMALL, long=look)) as port, _clients(port, 3) as clients:
            await _asked(clients, [GET % b"small"] * 3)
            first = clients[0]
            assert all(
                answer.endswith(b"b") for answer in await _asked(clients, [GET % b"small", GET % b"small", long])
            )

    first = None
    uvloop.run(story())
    assert len(seen) == 1
    assert seen[0].endswith(b"\r\n\r\nb")


def test_all_who_ask_in_one_turn_get_their_own_answers():
    count = 40
    answers = {str(number): lambda number=number: Answer((b"<%d>" % number,)) for number in range(count)}
    paths = Paths(**answers, broken=lambda: Answer((None,)))

    async def story():
        async with _listening(paths) as port, _clients(port, count) as clients:
            for _ in range(3):
                told = await _asked(clients, [GET % b"%d" % number for number in range(count)])
                assert [each.partition(b"\r\n\r\n")[2] for each in told] == [b"<%d>" % n for n in range(count)]
            assert max(paths.groups) == MOST
            clients.pop(5).close()
            told = await _asked(clients, [GET % b"broken", *[GET % b"7"] * (count - 2)])
            assert told == [b"", *[told[1]] * (count - 2)], "only the one whose answer cannot be written is closed"
            assert told[1].endswith(b"<7>")

    uvloop.run(story())


@asynccontextmanager
async def _clients(port, count):
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    try:
        await asyncio.sleep(0.1)
        yield clients
    finally:
        for client in clients:
            client.close()


async def _asked(clients, requests):
    """Send the requests before the server can look at the first, and return what comes back."""
    for client, request in zip(clients, requests, strict=True):
        client.setblocking(False)
        assert client.send(request) == len(request)
    loop = asyncio.get_running_loop()
    return [await asyncio.wait_for(loop.sock_recv(client, 65536), 30) for client in clients]
