"""When answers of REST are written: in the order of their requests, and before somebody else is waited for."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
import uvloop

from modelport_server.lifecycle import Lifecycle
from modelport_server.limits import Limits
from modelport_server.rest.messages import Answer
from modelport_server.rest.server import Server

GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE = Answer((b"a" * 30_000_000,))
"""More than the buffers of two sockets hold."""
SMALL = Answer((b"b",))


class Paths:
    """An application that answers at once, by path."""

    def __init__(self, **answers):
        self.answers = answers

    def respond(self, requests):
        return [self.answers[request.path[1:]]() for request in requests]


@asynccontextmanager
async def _listening(application):
    """Listen in this event loop; give the port."""
    server = Server(application, Lifecycle("m"), Limits())
    await server.open("127.0.0.1", 0)
    try:
        yield server.port
    finally:
        await server.close(0)


def test_a_refusal_does_not_overtake_requests_that_wait():
    paths = Paths(large=lambda: LARGE, small=lambda: SMALL)
    sent = GET % b"large" + GET % b"small" * 3 + b"\0 garbage\r\n\r\n"

    async def story():
        async with _listening(paths) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            received = await asyncio.wait_for(reader.read(), 30)
            writer.close()
            return received

    received = uvloop.run(story())
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert received.endswith(LARGE.pieces[0]), "what is refused has no answer: it would be taken for the next request's"


@pytest.mark.parametrize("headers", [b"Content-Encoding: gzip\r\n", b""])
def test_what_is_ready_is_written_before_long_work_begins(headers):
    long = b"POST /long HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n%b\r\n" % headers + b" " * 20_000

    async def story():
        seen = asyncio.get_running_loop().create_future()

        def look():
            client.setblocking(False)
            seen.set_result(client.recv(65536, socket.MSG_PEEK).count(b"HTTP/1.1 200 OK"))
            return SMALL

        paths = Paths(small=lambda: SMALL, long=look)
        async with _listening(paths) as port:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(GET % b"small" * 3 + long)
                assert await asyncio.wait_for(seen, 30) == 3

    uvloop.run(story())
