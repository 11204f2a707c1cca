"""What goes to the client, as far as its windows allow it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from modelport_server.dataplane.calls import clock
from modelport_server.grpc.http2 import framing
from modelport_server.grpc.http2.exchange import Answer, Exchange
from modelport_server.grpc.http2.framing import ConnectionFailedError

if TYPE_CHECKING:
    from modelport_server.grpc.http2.server import Server

MAX_UNSENT_BYTES: Final = 1 << 20
"""Frames that are collected before they are written."""
_WHOLE_BLOCK: Final = framing.END_HEADERS | framing.END_STREAM


class Sender:
    """Frames of one connection on their way out."""

    def __init__(self, server: "Server", transport: asyncio.Transport) -> None:
        """Write to a transport."""
        self._server, self._transport = server, transport
        self.ended: Callable[[Exchange], None] = _nothing
        """Told of each stream whose answer is complete."""
        self.is_full = False
        """Whether the socket takes no more for now."""
        self._out: list[bytes | memoryview] = []
        self.unsent_bytes = 0
        """Bytes of frames that were put, and not written yet."""
        self._blocked: dict[int, Exchange] = {}
        """Those whose own windows are open, but not that of the connection, or the socket is full."""
        self._window = framing.FIRST_WINDOW
        self.first_window = framing.FIRST_WINDOW
        """Of new streams."""
        self._table_update = b""

    # --- frames

    def put(self, content: bytes | memoryview) -> None:
        """Send something with the next `flush`."""
        self._out.append(content)
        self.unsent_bytes += len(content)

    def keep(self, size: int) -> None:
        """Take note of parts of answers that wait to be sent, or, negative, of some that do not any more."""
        self._server.pending_bytes += size

    def flush(self) -> None:
        """Write what was put."""
        if not self._out:
            return
        out, size = self._out, self.unsent_bytes
        self._out, self.unsent_bytes = [], 0
        if self._transport.is_closing():
            return
        if size > framing.MAX_PAYLOAD:
            self._transport.writelines(out)
        else:
            self._transport.write(b"".join(out))

    def abort(self) -> None:
        """Close the connection, whatever is under way."""
        self._transport.abort()

    # --- answers

    def answer(self, exchange: Exchange, answer: Answer) -> None:
        """Send a whole answer; one that is small, and that the windows and the socket allow, is never pending."""
        start, body, end = answer
        size = len(body)
        if end is None:
            self.finish(exchange, start)
        elif size <= min(framing.MAX_PAYLOAD, self._window, exchange.send_window) and not self.is_full:
            self._window -= size
            self.start(exchange, start)
            self.put(framing.head(size, framing.DATA, 0, exchange.id))
            self.put(body)
            self.finish(exchange, end)
        else:
            self.start(exchange, start)
            exchange.end = end
            self.pend(exchange, body)

    def start(self, exchange: Exchange, block: bytes) -> None:
        """Send headers of an answer whose body follows."""
        self._put_block(exchange.id, framing.END_HEADERS, block)

    def pend(self, exchange: Exchange, body: bytes) -> None:
        """Send a part of a body, now or when the windows allow it."""
        assert exchange.pending is None
        exchange.pending, exchange.since = memoryview(body), clock()
        self.keep(len(body))
        self._send(exchange)

    def finish(self, exchange: Exchange, block: bytes) -> None:
        """Send trailers, behind all parts of the body, or headers that are all."""
        self._put_block(exchange.id, _WHOLE_BLOCK, block)
        self.ended(exchange)

    def forget(self, exchange: Exchange) -> None:
        """Let a stream go."""
        if exchange.pending is not None:
            self._blocked.pop(exchange.id, None)
            self.keep(-len(exchange.pending))
            exchange.pending = None

    def _send(self, exchange: Exchange) -> None:
        pending = exchange.pending
        assert pending is not None
        position, end = 0, len(pending)
        while position < end and not self.is_full:
            size = min(end - position, framing.MAX_PAYLOAD, exchange.send_window, self._window)
            if size <= 0:
                break
            self.put(framing.head(size, framing.DATA, 0, exchange.id))
            self.put(pending[position : position + size])
            position += size
            exchange.send_window -= size
            self._window -= size
            if self.unsent_bytes > MAX_UNSENT_BYTES:
                self.flush()
        self.keep(-position)
        if position < end:
            exchange.pending = pending[position:]
            if exchange.send_window > 0:
                self._blocked[exchange.id] = exchange
            else:
                self._blocked.pop(exchange.id, None)
            return
        exchange.pending = None
        self._blocked.pop(exchange.id, None)
        if exchange.end is not None:
            self.finish(exchange, exchange.end)
        else:
            exchange.make_room()

    def _put_block(self, stream: int, flags: int, block: bytes) -> None:
        update, self._table_update = self._table_update, b""
        self.put(framing.head(len(block) + len(update), framing.HEADERS, flags, stream) + update + block)

    # --- what the client allows

    def widen(self, size: int) -> None:
        """Take more room for all streams together. Raises ConnectionFailedError."""
        self._window += size
        _check_window(self._window)
        self.go_on()

    def go_on(self) -> None:
        """Send what waited for the window of the connection, or for the socket."""
        while self._blocked and self._window > 0 and not self.is_full:
            self._send(next(iter(self._blocked.values())))

    def widen_one(self, exchange: Exchange, size: int) -> None:
        """Take more room for a stream."""
        exchange.send_window += size
        if exchange.pending is not None:
            self._send(exchange)

    def set_first_window(self, size: int, exchanges: list[Exchange]) -> None:
        """Change the windows of all streams, also to below nothing (6.9.2). Raises ConnectionFailedError."""
        more = size - self.first_window
        self.first_window = size
        for exchange in exchanges:
            _check_window(exchange.send_window + more)
            self.widen_one(exchange, more)

    def drop_table(self) -> None:
        """Tell with the next block that there is no table, because the client wants a smaller one."""
        self._table_update = framing.NO_TABLE


def _check_window(size: int) -> None:
    if size > framing.MAX_WINDOW:
        raise ConnectionFailedError(framing.FLOW_CONTROL_ERROR, f"window: expected up to {framing.MAX_WINDOW}")


def _nothing(_exchange: Exchange) -> None:
    pass
