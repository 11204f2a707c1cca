"""A connection of HTTP/1.1: bytes to requests by llhttp, which Node.js and uvicorn use too, and answers to bytes.

Requests of one connection are answered one after the other, in company of those that other connections have brought in the
same turn of the event loop (`turns`). An answer that takes no time worth waiting needs no task.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import httptools

from modelport_server.dataplane.calls import clock
from modelport_server.errors import BadRequestError, OverloadedError, RequestError, TooLargeError, TooSlowError
from modelport_server.protocol.payloads import Buffer
from modelport_server.rest.application import JSON_LENGTH, refusal
from modelport_server.rest.large_bodies import LARGE, LargeBody
from modelport_server.rest.messages import Answer, Headers, Request
from modelport_server.transport.limits import HEAD_SECONDS, STALLED_SECONDS

if TYPE_CHECKING:
    from modelport_server.rest.server import Server

MAX_HEAD_BYTES = 64 << 10
MAX_WAITING = 16
"""Requests that a client may send ahead; further bytes are read when there is room again."""
IDLE_SECONDS = 120.0
NEW_SECONDS = 1.0
"""How long the first request of a connection is waited for when the server stops."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST = b"content-length: %d\r\n\r\n"
LAST_AND_CLOSE = b"content-length: %d\r\nconnection: close\r\n\r\n"
SMALL = 1 << 14
"""Bodies up to this are copied behind their head: one buffer is written quicker than several."""
_STATUSES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}


class Connection:
    """One client's connection: an asyncio.Protocol, by its methods alone, so that it can be compiled as it is."""

    def __init__(self, server: "Server") -> None:
        """Belong to a server."""
        self._server = server
        self._waiting = deque[tuple[Request, bool]]()
        """Complete requests, and whether the connection stays open behind their answers."""
        self._asked: tuple[Request, bool] | None = None
        """What is being answered, as in `_waiting`."""
        self._task: asyncio.Task[None] | None = None
        self._left: asyncio.Future[None] | None = None
        self._is_full = False
        self._is_new = True
        self._has_left = False
        """Whether the client sends no more."""
        self._is_ended = False
        """Whether no more is read, so that the connection closes behind its last answer."""
        self._refusal: Answer | None = None
        """What that is, if it is told what was no request."""
        self._is_awaited = False
        """Whether the client waits to be told that its body is wanted."""
        self._since = clock()
        """When what the connection waits for began."""
        self._patience = IDLE_SECONDS
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: Headers = {}
        self._chunks: list[bytes] = []
        self._size = 0
        self._told = 0
        """How long this body is, or was the last one; 0 if it is not known."""
        self._large: LargeBody | None = None
        self._is_in_head = True

    # --- the event loop's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; a connection too many is told so."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._server.admit(self):
            self._refuse(self._server.too_many())

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell whoever works for this client."""
        self._is_ended = True
        self._let_go()
        while self._waiting:
            self._server.hold(-len(self._waiting.popleft()[0].body))
        self._server.forget(self)
        if self._left is not None and not self._left.done():
            self._left.set_result(None)

    def eof_received(self) -> bool:
        """Let the transport close, behind answers that take no time worth waiting; who waits for longer ones has gone."""
        self._has_left = True
        stays = self._asked is not None and self._task is None
        self._is_ended = self._is_ended or stays
        return stays

    def data_received(self, data: bytes) -> None:
        """Read; requests that become complete are answered."""
        if self._is_ended:
            return
        self._is_new = False
        if self._is_in_head:
            self._size += len(data)
            if self._patience == IDLE_SECONDS:
                self._since, self._patience = clock(), HEAD_SECONDS
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish()  # nothing else is spoken here
        except httptools.HttpParserError as error:
            found = error.__context__ if isinstance(error.__context__, RequestError) else None
            self._refuse(found or BadRequestError(f"request: expected HTTP/1.1, found what is not: {error!s:.100}"))
        else:
            if self._is_in_head and self._size > MAX_HEAD_BYTES:
                self._refuse(TooLargeError(f"headers: expected at most {MAX_HEAD_BYTES} bytes, found more"))
            elif self._told - self._size >= LARGE and not self._is_in_head and not self._is_ended:
                self._begin_large_body()

    def pause_writing(self) -> None:
        """Begin nothing new while the client does not take what it has asked for."""
        self._is_full = True
        self._transport.pause_reading()
        self._wait(STALLED_SECONDS)

    def resume_writing(self) -> None:
        """Go on."""
        self._is_full = False
        self._wait(IDLE_SECONDS)
        if len(self._waiting) < MAX_WAITING:
            self._transport.resume_reading()
        self._answer_waiting()

    # --- the parser's calls

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Look at what the head says of the body. Raises TooLargeError, which ends the connection."""
        self._is_in_head, self._size = False, 0
        self._wait(self._server.limits.body_seconds)
        told = self._headers.get(b"content-length", b"")  # the parser refuses one beside a transfer-encoding
        self._told = _number(told)
        if self._told > self._server.limits.max_body_bytes:
            raise self._too_large(str(self._told))
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._is_awaited = True
            self._answer_waiting()

    def on_body(self, chunk: bytes) -> None:
        """Take a part of the body. Raises TooLargeError or OverloadedError, which ends the connection."""
        if self._size + len(chunk) > self._server.limits.max_body_bytes:
            raise self._too_large("more")
        self._size += len(chunk)
        self._chunks.append(chunk)
        self._server.hold(len(chunk))

    def on_message_complete(self) -> None:
        """Answer, or let wait."""
        self._complete(self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks))

    # --- large bodies

    def _begin_large_body(self) -> None:
        try:
            large = LargeBody(self, self._told, _number(self._headers.get(JSON_LENGTH, b"")))
        except OverloadedError as error:
            self._refuse(error)
            return
        for chunk in self._chunks:
            large.take(chunk)
        self._chunks = []
        self._large = large
        self._transport.set_protocol(cast("asyncio.BaseProtocol", large))

    def large_body_grew(self, size: int) -> None:
        """Take note of bytes that came; answer when all are there."""
        if self._is_ended or self._large is None:
            return
        self._size += size
        try:
            self._server.hold(size)
        except OverloadedError as error:
            self._refuse(error)
            return
        if self._size == self._told:
            self._complete(self._end_large_body(self._large))
            self._parser = httptools.HttpRequestParser(self)  # the other one still waits for the body

    def _end_large_body(self, large: LargeBody) -> memoryview:
        """Take bytes as before, and return what was received, which nobody else keeps."""
        self._large = None
        self._transport.set_protocol(cast("asyncio.BaseProtocol", self))
        return large.give()

    def _complete(self, body: Buffer) -> None:
        parser = self._parser
        path = self._url.partition(b"?")[0].decode("latin-1")
        if "%" in path:
            path = unquote(path)
        request = Request(
            parser.get_method().decode("latin-1"), path, self._headers, body, self._client_leaves, clock()
        )
        self._chunks, self._size = [], 0
        self._url, self._headers, self._is_in_head, self._is_awaited = b"", {}, True, False
        self._wait(IDLE_SECONDS)
        # behind a request to speak something else nothing is read
        self._waiting.append((request, parser.should_keep_alive() and not parser.should_upgrade()))
        self._answer_waiting()
        if len(self._waiting) >= MAX_WAITING:
            self._transport.pause_reading()

    def _let_go(self) -> None:
        """Forget what was received of a request that will not be complete."""
        if not self._is_in_head:
            self._server.hold(-self._size)
        self._chunks, self._large, self._size = [], None, 0

    # --- answers

    def _answer_waiting(self) -> None:
        if self._asked is not None or self._is_full or self._transport.is_closing():
            return
        if self._waiting:
            self._asked = self._waiting.popleft()
            request = self._asked[0]
            self._server.hold(-len(request.body))
            if len(self._waiting) == MAX_WAITING - 1:
                self._transport.resume_reading()
            self._server.turns.ask((self, request))
        elif self._refusal is not None:
            self._write(self._refusal, None, stays=False)
        elif self._is_ended:
            self._close()
        elif self._is_awaited:
            self._is_awaited = False
            self._transport.write(CONTINUE)

    def answered(self, answer: Answer | Coroutine[Any, Any, Answer]) -> None:
        """Write an answer, or wait for it."""
        if isinstance(answer, Answer):
            self._end_request(answer)
        else:
            self._task = asyncio.get_running_loop().create_task(self._wait_for(answer))
            self._wait(float("inf"))
            if self._has_left:
                self._close()

    async def _wait_for(self, later: Awaitable[Answer]) -> None:
        try:
            answer = await later
            self._task = None
            self._wait(IDLE_SECONDS)
            self._end_request(answer)
        except BaseException:  # whatever it is, nobody is to wait for this answer
            self._transport.abort()
            raise

    def _end_request(self, answer: Answer) -> None:
        asked, self._asked = self._asked, None
        if asked is None or self._transport.is_closing():
            return
        self._write(answer, asked[0], stays=asked[1])
        self._answer_waiting()

    def _write(self, answer: Answer, request: Request | None, *, stays: bool) -> None:
        is_last = self._is_ended and self._refusal is None and not self._waiting
        stays = stays and not is_last and not self._server.is_draining
        head: list[Buffer] = [_STATUSES.get(answer.status) or b"HTTP/1.1 %d \r\n" % answer.status, self._server.date]
        for name, value in answer.headers:
            head += (name, b": ", value, b"\r\n")
        size = sum(map(len, answer.pieces))
        head.append((LAST if stays else LAST_AND_CLOSE) % size)
        has_body = request is None or request.method != "HEAD"
        if has_body and size > SMALL:
            self._transport.writelines((b"".join(head), *answer.pieces))
        else:
            if has_body:
                head += answer.pieces
            self._transport.write(b"".join(head))
        if not stays:
            self._close()

    def _refuse(self, error: RequestError) -> None:
        """Answer what is no request, and read no more: nobody knows where the next one would begin."""
        self._refusal = refusal(error)
        self._finish()

    def _finish(self) -> None:
        """Read no more, and close behind all answers."""
        self._is_ended = True
        if self._large is not None:
            self._end_large_body(self._large)
        self._let_go()
        self._is_in_head = True
        self._answer_waiting()

    def _too_large(self, found: str) -> TooLargeError:
        return TooLargeError(f"body: expected at most {self._server.limits.max_body_bytes} bytes, found {found}")

    # --- time

    def _wait(self, seconds: float) -> None:
        self._since, self._patience = clock(), seconds

    def look(self, now: float) -> None:
        """Close if the client takes longer than it may; the server asks once a second."""
        if now - self._since <= self._patience or self._asked is not None:
            return
        if self._is_full or self._transport.is_closing():
            self._transport.abort()
        elif self._is_in_head and self._size == 0:
            self._close()
        else:
            part = "headers" if self._is_in_head else "body"
            self._refuse(TooSlowError(f"{part}: expected within {self._patience:g} s, still incomplete"))

    @property
    def is_receiving(self) -> bool:
        """Whether a body is under way."""
        return not self._is_in_head

    def close_if_idle(self) -> None:
        """Close, because the server stops, unless a request or an answer is under way: it ends with `_close`."""
        if self._is_new and clock() - self._since < NEW_SECONDS:
            return  # who has just come has a request on its way
        is_in_request = not self._is_in_head or self._size > 0
        if not (is_in_request or self._asked is not None or self._transport.get_write_buffer_size() > 0):
            self._close()

    def abort(self) -> None:
        """Close, whatever is under way."""
        self._transport.abort()

    def _close(self) -> None:
        self._is_ended = True
        self._wait(STALLED_SECONDS)
        self._transport.close()

    async def _client_leaves(self) -> None:
        if self._left is None:
            self._left = asyncio.get_running_loop().create_future()
            if self._transport.is_closing():
                self._left.set_result(None)
        await asyncio.shield(self._left)


def _number(digits: bytes) -> int:
    """Return what digits say, up to more than anything has bytes; 0 for anything else."""
    return int(digits.lstrip(b"0")[:20] or b"0") if digits.isdigit() else 0
