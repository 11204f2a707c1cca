"""What comes from the client, as far as this server lets it: requests, and who answers them.

Requests are answered in company of those that come in the same turn of the event loop (`turns`). An answer that takes no time
worth waiting needs no task, as on a connection of REST.
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from modelport_server.dataplane.calls import clock
from modelport_server.errors import OverloadedError, RequestError, TooLargeError, TooSlowError
from modelport_server.grpc.http2 import framing
from modelport_server.grpc.http2.exchange import Answer, Exchange
from modelport_server.grpc.http2.framing import ConnectionFailedError, StreamFailedError
from modelport_server.grpc.http2.hpack import Field
from modelport_server.grpc.http2.requests import read_request
from modelport_server.grpc.http2.sender import Sender
from modelport_server.transport.limits import STALLED_SECONDS

if TYPE_CHECKING:
    from modelport_server.grpc.http2.server import Server

MAX_STREAMS: Final = 1024
STREAM_WINDOW: Final = 1 << 20
CONNECTION_WINDOW: Final = 8 << 20
MAX_NUISANCES: Final = 2000
"""Frames in a second that cost time and bring nothing: resets, settings, parts of bodies that have no bytes."""


class Receiver:
    """The streams of one connection."""

    def __init__(self, server: "Server", sender: Sender) -> None:
        """Answer through a sender."""
        self._server, self._sender, self._application = server, sender, server.application
        sender.ended = self._ended
        self.exchanges: dict[int, Exchange] = {}
        self._ended_early: dict[int, None] = {}
        """Streams that were ended before their requests were complete; what comes for them is no fault."""
        self.last = 0
        """The youngest stream."""
        self.is_ending = False
        """Whether further streams are not answered, as the client knows."""
        self.idle_since = clock()
        """When the last stream ended."""
        self._unacknowledged = 0
        self.nuisances = 0
        """Frames of this second that brought nothing."""

    # --- frames

    def take_headers(self, stream: int, fields: list[Field], *, is_last: bool) -> None:
        """Begin a request, or end one with trailers. Raises ConnectionFailedError, StreamFailedError."""
        exchange = self.exchanges.get(stream)
        if exchange is not None:
            self._take_trailers(exchange, fields, is_last=is_last)
            return
        if stream <= self.last:
            if stream in self._ended_early:
                return
            raise ConnectionFailedError(framing.STREAM_CLOSED, "expected a stream that is younger than all others")
        if self.is_ending:
            return
        self.last = stream
        if len(self.exchanges) >= MAX_STREAMS:
            raise StreamFailedError(framing.REFUSED_STREAM, f"expected at most {MAX_STREAMS} streams at once")
        path, headers = read_request(fields)
        exchange = Exchange(self, self._sender, stream, path, headers)
        exchange.is_complete = is_last
        self.exchanges[stream] = exchange
        self._begin(exchange)

    def take_data(self, stream: int, payload: bytes, size: int, *, is_last: bool) -> None:
        """Take a part of a body; `size` is with its padding. Raises ConnectionFailedError, StreamFailedError."""
        self._count(size)
        exchange = self._receiving(stream)
        if exchange is None:
            return
        exchange.unacknowledged += size
        if exchange.unacknowledged > STREAM_WINDOW:
            raise StreamFailedError(framing.FLOW_CONTROL_ERROR, "expected no more than the window of the stream")
        if size > len(payload) and not is_last:
            exchange.unacknowledged -= size - len(payload)
            self._sender.put(framing.window_update(stream, size - len(payload)))
        if payload:
            self._hold(exchange, payload)
        elif not is_last:
            self.bear()
        if exchange.is_gone:
            return
        if is_last:
            self._complete(exchange)
        elif exchange.is_streamed:
            exchange.notify()
        else:
            self.let_send(exchange)

    def take_reset(self, stream: int) -> None:
        """End a stream that the client wants no more. Raises ConnectionFailedError."""
        self.check_begun(stream)
        self.bear()
        self._drop(stream)

    def check_begun(self, stream: int) -> None:
        """Raise ConnectionFailedError for a stream of which no headers came."""
        if stream % 2 == 0 or (stream > self.last and not self.is_ending):
            raise ConnectionFailedError(
                framing.PROTOCOL_ERROR, f"expected no frame of stream {stream} before its headers"
            )

    def bear(self, cost: int = 1) -> None:
        """Count what costs time and brings nothing (10.5). Raises ConnectionFailedError."""
        self.nuisances += cost
        if self.nuisances > MAX_NUISANCES:
            raise ConnectionFailedError(framing.ENHANCE_YOUR_CALM, "expected fewer frames that bring nothing")

    def _take_trailers(self, exchange: Exchange, fields: list[Field], *, is_last: bool) -> None:
        if exchange.is_complete:
            raise StreamFailedError(framing.STREAM_CLOSED, "expected no trailers behind the end")
        if not is_last or any(not field.is_valid or field.name.startswith(b":") for field in fields):
            raise StreamFailedError(framing.PROTOCOL_ERROR, "expected trailers at the end")
        self._complete(exchange)

    def _count(self, size: int) -> None:
        """Keep the window of the connection open; bytes that are held are bounded otherwise, for all connections."""
        self._unacknowledged += size
        if self._unacknowledged > CONNECTION_WINDOW:
            told = "expected no more than the window of the connection"
            raise ConnectionFailedError(framing.FLOW_CONTROL_ERROR, told)
        if self._unacknowledged >= CONNECTION_WINDOW // 2:
            self._sender.put(framing.window_update(0, self._unacknowledged))
            self._unacknowledged = 0

    def _receiving(self, stream: int) -> Exchange | None:
        """Return the exchange that data is for; None if it is not wanted any more."""
        exchange = self.exchanges.get(stream)
        if exchange is None:
            self.check_begun(stream)
            if stream in self._ended_early or stream > self.last:
                return None
        if exchange is None or exchange.is_complete:
            raise StreamFailedError(framing.STREAM_CLOSED, "expected no data behind the end")
        return exchange

    # --- requests

    def _begin(self, exchange: Exchange) -> None:
        answer = self._application.begin(exchange)
        if answer is None:
            if exchange.is_complete:
                self._complete(exchange)
        elif isinstance(answer, Answer):
            self._sender.answer(exchange, answer)
        else:
            exchange.is_streamed = True
            exchange.task = self._spawn(exchange, answer)

    def _complete(self, exchange: Exchange) -> None:
        exchange.is_complete = True
        told = exchange.headers.get(b"content-length")
        if told is not None and told != b"%d" % exchange.received:
            raise StreamFailedError(framing.PROTOCOL_ERROR, "content-length: expected the length of the body")
        if exchange.is_streamed:
            exchange.notify()
            return
        body = exchange.take_body()
        self.release(exchange, exchange.held)
        self._server.turns.ask((exchange, body))

    def answer(self, exchange: Exchange, answer: Answer | Coroutine[Any, Any, Answer]) -> None:
        """Send an answer, or what waits for it."""
        if isinstance(answer, Answer):
            if not exchange.is_gone:
                self._sender.answer(exchange, answer)
        else:
            self._spawn(exchange, self._answer_later(exchange, answer))

    async def _answer_later(self, exchange: Exchange, later: Coroutine[Any, Any, Answer]) -> None:
        self.answer(exchange, await later)
        self._sender.flush()

    def _spawn(self, exchange: Exchange, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._server.tasks.add(task)
        task.add_done_callback(partial(self._done, exchange))
        return task

    def _done(self, exchange: Exchange, task: "asyncio.Task[None]") -> None:
        self._server.tasks.discard(task)
        is_answered = exchange.pending is not None and exchange.end is not None
        if not (exchange.is_gone or is_answered):  # it failed, which the event loop logs
            self.reset(exchange.id, framing.INTERNAL_ERROR)
            self._sender.flush()

    def refuse(self, exchange: Exchange, error: RequestError) -> None:
        """Answer a request without looking at it, or before it is complete."""
        self._sender.answer(exchange, self._application.refuse(exchange, error))

    def _hold(self, exchange: Exchange, payload: bytes) -> None:
        exchange.received += len(payload)
        if exchange.received > self._server.max_request_bytes and not exchange.is_streamed:
            told = f"message: expected at most {self._server.limits.max_body_bytes} bytes, found more"
            self.refuse(exchange, TooLargeError(told))
            return
        exchange.add(payload)
        exchange.held += len(payload)
        try:
            self._server.hold(len(payload))
        except OverloadedError as error:
            if exchange.is_streamed:
                raise StreamFailedError(framing.ENHANCE_YOUR_CALM, str(error)) from error
            self.refuse(exchange, error)

    def check_room(self) -> None:
        """Raise OverloadedError if clients do not take what they asked for."""
        self._server.check_room()

    def release(self, exchange: Exchange, size: int) -> None:
        """Take note that so many bytes of a request are not held any more."""
        size = min(size, exchange.held)
        if size:
            exchange.held -= size
            self._server.hold(-size)

    def let_send(self, exchange: Exchange) -> None:
        """Let the client send more of a request, once half a window of it is taken."""
        if exchange.unacknowledged >= STREAM_WINDOW // 2 and not exchange.is_complete:
            self._sender.put(framing.window_update(exchange.id, exchange.unacknowledged))
            exchange.unacknowledged = 0

    # --- ends

    def reset(self, stream: int, code: int) -> None:
        """End a stream without an answer."""
        self._sender.put(framing.rst_stream(stream, code))
        self._remember(stream)
        self._drop(stream)

    def leave(self) -> None:
        """Tell all who work for this client that it is gone."""
        for stream in list(self.exchanges):
            self._drop(stream)

    def look(self, now: float) -> None:
        """End what takes longer than it may."""
        self.nuisances = 0
        seconds = self._server.limits.body_seconds
        for exchange in list(self.exchanges.values()):
            if exchange.pending is not None:
                if now - exchange.since > STALLED_SECONDS:
                    self.reset(exchange.id, framing.CANCEL)
            elif not exchange.is_complete and not exchange.is_streamed and now - exchange.arrived > seconds:
                self.refuse(exchange, TooSlowError(f"message: expected within {seconds:g} s, still incomplete"))

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return any(not (exchange.is_complete or exchange.is_streamed) for exchange in self.exchanges.values())

    def _ended(self, exchange: Exchange) -> None:
        """Forget a stream whose answer is complete; the rest of a request that is not is not wanted (8.1)."""
        if not exchange.is_complete:
            self._sender.put(framing.rst_stream(exchange.id, framing.NO_ERROR))
            self._remember(exchange.id)
        self._forget(exchange)
        exchange.is_gone = True

    def _drop(self, stream: int) -> None:
        """Forget a stream that is not answered to its end, and tell whoever works for it."""
        exchange = self.exchanges.get(stream)
        if exchange is not None:
            self._forget(exchange)
            exchange.leave()

    def _remember(self, stream: int) -> None:
        self._ended_early[stream] = None
        if len(self._ended_early) > MAX_STREAMS:
            del self._ended_early[next(iter(self._ended_early))]

    def _forget(self, exchange: Exchange) -> None:
        self.exchanges.pop(exchange.id, None)
        self._sender.forget(exchange)
        self.release(exchange, exchange.held)
        if not self.exchanges:
            self.idle_since = clock()
