"""A request and its answer: one stream of a connection."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from modelport_server.dataplane.calls import clock
from modelport_server.errors import RequestError

if TYPE_CHECKING:
    from modelport_server.grpc.http2.receiver import Receiver
    from modelport_server.grpc.http2.sender import Sender

Headers = dict[bytes, bytes]
SMALL: Final = 4096
"""Parts of a body up to this are joined at once: each costs as much as some dozen bytes beside its content."""


class Answer(NamedTuple):
    """What goes back at once."""

    start: bytes
    """The block of headers."""
    body: bytes = b""
    end: bytes | None = None
    """The block of trailers; None if headers are all, without a body."""


class Exchange:
    """One request: what of it is here, and what of its answer is not sent yet."""

    __slots__ = (
        "_left",
        "_news",
        "_receiver",
        "_room",
        "_sender",
        "arrived",
        "chunks",
        "end",
        "headers",
        "held",
        "id",
        "is_complete",
        "is_gone",
        "is_streamed",
        "path",
        "pending",
        "received",
        "send_window",
        "since",
        "task",
        "unacknowledged",
    )

    def __init__(self, receiver: "Receiver", sender: "Sender", id_: int, path: str, headers: Headers) -> None:
        """Begin with the headers of a request."""
        self._receiver, self._sender = receiver, sender
        self.id, self.path, self.headers = id_, path, headers
        self.arrived = clock()
        self.is_streamed = self.is_complete = self.is_gone = False
        self.chunks: list[bytes] = []
        self.held = self.received = self.unacknowledged = 0
        """Bytes that are counted as held; of the whole body until now; and those since the client was let send more."""
        self.send_window = sender.first_window
        self.pending: memoryview | None = None
        self.end: bytes | None = None
        """Trailers, to be sent behind what is pending."""
        self.since = 0.0
        """When what is pending began to be."""
        self.task: asyncio.Task[None] | None = None
        """What answers a stream of requests; it ends when the client leaves."""
        self._left: asyncio.Future[None] | None = None
        self._news: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    def add(self, part: bytes) -> None:
        """Take a part of the body."""
        chunks = self.chunks
        if chunks and len(chunks[-1]) + len(part) <= SMALL:
            chunks[-1] += part
        else:
            chunks.append(part)

    def take_body(self) -> bytes:
        """Return what was received and not yet taken."""
        chunks = self.chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.chunks = []
        return body

    async def receive(self) -> tuple[bytes, bool]:
        """Return the next part of the body, and whether it is the last."""
        while not (self.chunks or self.is_complete):
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        part = self.take_body()
        self._receiver.let_send(self)
        self._sender.flush()
        return part, self.is_complete

    def release(self, size: int) -> None:
        """Tell that so many bytes of what was received are not needed any more."""
        self._receiver.release(self, size)

    def check_room(self) -> None:
        """Raise OverloadedError if clients do not take what they asked for."""
        self._receiver.check_room()

    def keep(self, size: int) -> None:
        """Take note of answers that wait to be sent, or, negative, of some that do not any more."""
        self._sender.keep(size)

    def start(self, block: bytes) -> None:
        """Send headers."""
        if not self.is_gone:
            self._sender.start(self, block)
            self._sender.flush()

    async def send(self, body: bytes) -> None:
        """Send a part of the answer; return when there is room for the next."""
        if not self.is_gone:
            self._sender.pend(self, body)
            self._sender.flush()
        while self.pending is not None or self._sender.is_full:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def answer(self, answer: Answer | Coroutine[Any, Any, Answer]) -> None:
        """Send a whole answer, or what waits for it, with the next `flush`."""
        self._receiver.answer(self, answer)

    def flush(self) -> None:
        """Write what was sent on this connection."""
        self._sender.flush()

    def abort(self) -> None:
        """Close the connection."""
        self._sender.abort()

    def finish(self, block: bytes) -> None:
        """Send trailers, or headers that are all of the answer."""
        if not self.is_gone:
            self._sender.finish(self, block)
            self._sender.flush()

    async def left(self) -> None:
        """Return when nobody waits for the answer any more."""
        if self._left is None:
            self._left = asyncio.get_running_loop().create_future()
            if self.is_gone:
                self._left.set_result(None)
        await asyncio.shield(self._left)

    def leave(self) -> None:
        """Tell whoever works for the client that it is gone."""
        self.is_gone = True
        _wake(self._left)
        if self.task is not None:
            self.task.cancel()

    def notify(self) -> None:
        """Tell that more of the request is here."""
        _wake(self._news)

    def make_room(self) -> None:
        """Tell that more of the answer can be sent."""
        _wake(self._room)


class Application(Protocol):
    """What answers requests."""

    def begin(self, exchange: Exchange) -> Answer | Coroutine[Any, Any, None] | None:
        """Look at headers: return a refusal, or what answers while the request is still coming; None to wait for it."""

    def respond(self, asked: Sequence[tuple[Exchange, bytes]]) -> list[Answer | Coroutine[Any, Any, Answer]]:
        """Return for each complete request its answer if it is there at once, otherwise what waits for it."""

    def refuse(self, exchange: Exchange, error: RequestError) -> Answer:
        """Return the answer to a request that is not received to its end, or not looked at."""


def _wake(future: "asyncio.Future[None] | None") -> None:
    if future is not None and not future.done():
        future.set_result(None)
