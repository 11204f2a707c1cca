"""A connection: bytes to frames, frames to whom they are for. Sections named here are those of RFC 9113."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final, cast

from modelport_server.dataplane.calls import clock
from modelport_server.grpc.http2 import framing
from modelport_server.grpc.http2.framing import ConnectionFailedError, StreamFailedError
from modelport_server.grpc.http2.hpack import Decoder
from modelport_server.grpc.http2.receiver import CONNECTION_WINDOW, MAX_STREAMS, STREAM_WINDOW, Receiver
from modelport_server.grpc.http2.sender import MAX_UNSENT_BYTES, Sender
from modelport_server.transport.limits import HEAD_SECONDS, STALLED_SECONDS

if TYPE_CHECKING:
    from modelport_server.grpc.http2.server import Server

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES: Final = 16 << 10
MAX_CONTINUATIONS: Final = 64
IDLE_SECONDS: Final = 300.0
PING_SECONDS: Final = 10.0
"""How long a client may take to read that it is to leave."""
CHEAP: Final = 16
"""Windows that are changed in the time that a frame takes."""
ACKNOWLEDGED: Final = framing.frame(framing.SETTINGS, framing.ACK, 0, b"")
HELLO: Final = framing.settings(
    {
        framing.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
        framing.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        framing.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
    }
) + framing.window_update(0, CONNECTION_WINDOW - framing.FIRST_WINDOW)

OPEN: Final = 0
LEAVING: Final = 1
"""The client is told to go elsewhere; its answer to a ping tells that it has read that."""
ENDING: Final = 2
"""Further streams are not answered, as the client is told."""
SENT: Final = 3
"""All is answered; the client's answer to a ping tells that it has read all."""
CLOSED: Final = 4
"""What is written still may be on its way."""
PINGS: Final = {LEAVING: b"go away.", SENT: b"all sent"}

_SETTING: Final = 6
_PRIORITY: Final = 5
_WORD: Final = 4
_PING: Final = 8
_STREAM_BITS: Final = 0x7FFFFFFF


class Connection:
    """One client's connection: an asyncio.Protocol, by its methods alone, so that it can be compiled as it is."""

    def __init__(self, server: "Server") -> None:
        """Belong to a server."""
        self._server = server
        self._decoder = Decoder(MAX_HEAD_BYTES)
        self._buffer = b""
        self._has_preface = self._has_settings = False
        self._state = OPEN
        self._state_since = self._full_since = self._block_since = clock()
        self._block: list[bytes] | None = None
        """Of headers that are not complete."""
        self._block_stream = self._block_flags = self._block_bytes = 0

    # --- the event loop's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; a connection too many is told so."""
        self._transport = cast("asyncio.Transport", transport)
        self._sender = Sender(self._server, self._transport)
        self._receiver = Receiver(self._server, self._sender)
        self._sender.put(HELLO)
        if not self._server.admit(self):
            self._fail(ConnectionFailedError(framing.ENHANCE_YOUR_CALM, str(self._server.too_many())))
        self._sender.flush()

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell whoever works for this client."""
        self._enter(CLOSED)
        self._receiver.leave()
        self._server.forget(self)

    def eof_received(self) -> None:
        """Let the transport close, behind answers that take no time worth waiting."""
        self._server.turns.flush()
        self._enter(CLOSED)

    def data_received(self, data: bytes) -> None:
        """Read; requests that become complete are answered."""
        if self._state != CLOSED:
            self._buffer = self._buffer + data if self._buffer else data
            self._read()

    def pause_writing(self) -> None:
        """Begin nothing new while the client does not take what it has asked for."""
        self._sender.is_full, self._full_since = True, clock()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._sender.is_full = False
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if not (self._sender.is_full or self._state == CLOSED or self._transport.is_closing()):
            self._transport.resume_reading()
            if self._state in PINGS:
                self._state_since = clock()  # the ping was behind what the client took until now
            self._sender.go_on()
            for exchange in list(self._receiver.exchanges.values()):
                exchange.make_room()
            self._read()

    # --- frames

    def _read(self) -> None:
        try:
            if self._has_preface or self._read_preface():
                self._read_frames()
        except ConnectionFailedError as error:
            self._fail(error)
        except Exception:
            logger.exception("a connection failed")
            self._fail(ConnectionFailedError(framing.INTERNAL_ERROR, "internal error"))
        self._sender.flush()

    def _read_preface(self) -> bool:
        """Return whether all of it is here."""
        preface, found = framing.PREFACE, self._buffer[: len(framing.PREFACE)]
        if not preface.startswith(found):
            raise ConnectionFailedError(framing.PROTOCOL_ERROR, "expected the preface of HTTP/2")
        if found == preface:
            self._has_preface, self._buffer = True, self._buffer[len(preface) :]
        return self._has_preface

    def _read_frames(self) -> None:
        buffer, position = self._buffer, 0
        end = len(buffer)
        while end - position >= framing.HEAD and not self._sender.is_full and self._state != CLOSED:
            length = buffer[position] << 16 | buffer[position + 1] << 8 | buffer[position + 2]
            if length > framing.MAX_PAYLOAD:
                told = f"frame: expected at most {framing.MAX_PAYLOAD} bytes, found {length}"
                raise ConnectionFailedError(framing.FRAME_SIZE_ERROR, told)
            begin = position + framing.HEAD
            if end - begin < length:
                break
            kind, flags = buffer[position + 3], buffer[position + 4]
            stream = int.from_bytes(buffer[position + 5 : begin], "big") & _STREAM_BITS
            position = begin + length
            self._take(kind, flags, stream, buffer[begin:position])
            if self._sender.unsent_bytes > MAX_UNSENT_BYTES:
                self._sender.flush()
        self._buffer = buffer[position:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if self._block is not None and (kind != framing.CONTINUATION or stream != self._block_stream):
            raise ConnectionFailedError(framing.PROTOCOL_ERROR, "headers: expected their continuation")
        if not self._has_settings and kind != framing.SETTINGS:
            raise ConnectionFailedError(framing.PROTOCOL_ERROR, "expected settings first")
        try:
            if kind == framing.DATA:
                _on_stream(stream)
                size = len(payload)
                content = _unpadded(payload) if flags & framing.PADDED else payload
                self._receiver.take_data(stream, content, size, is_last=flags & framing.END_STREAM != 0)
            elif kind == framing.HEADERS:
                self._on_headers(flags, stream, payload)
            elif kind == framing.WINDOW_UPDATE:
                self._on_window_update(stream, payload)
            else:
                self._on_other(kind, flags, stream, payload)
        except StreamFailedError as failure:
            self._receiver.reset(stream, failure.code)
            self._receiver.bear()

    def _on_other(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == framing.PING:
            self._on_ping(flags, stream, payload)
        elif kind == framing.SETTINGS:
            self._on_settings(flags, stream, payload)
        elif kind == framing.CONTINUATION:
            self._on_continuation(flags, payload)
        elif kind == framing.RST_STREAM:
            _on_stream(stream)
            _sized(payload, _WORD)
            self._receiver.take_reset(stream)
        elif kind == framing.PRIORITY:
            self._on_priority(stream, payload)
        elif kind == framing.GOAWAY:
            self._on_goaway(stream, payload)
        elif kind == framing.PUSH_PROMISE:
            raise ConnectionFailedError(framing.PROTOCOL_ERROR, "expected no PUSH_PROMISE from a client")
        else:
            self._receiver.bear()

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        if stream % 2 == 0:
            raise ConnectionFailedError(framing.PROTOCOL_ERROR, f"expected a stream of the client's, found {stream}")
        if flags & framing.PADDED:
            payload = _unpadded(payload)
        if flags & framing.PRIORITIZED:
            if len(payload) < _PRIORITY:
                raise ConnectionFailedError(framing.FRAME_SIZE_ERROR, "headers: expected a priority of 5 bytes")
            payload = payload[_PRIORITY:]
        if flags & framing.END_HEADERS:
            self._on_block(flags, stream, payload)
            return
        self._block, self._block_bytes, self._block_since = [payload], len(payload), clock()
        self._block_stream, self._block_flags = stream, flags

    def _on_continuation(self, flags: int, payload: bytes) -> None:
        block = self._block
        if block is None:
            raise ConnectionFailedError(framing.PROTOCOL_ERROR, "expected no continuation without headers")
        block.append(payload)
        self._block_bytes += len(payload)
        if self._block_bytes > MAX_HEAD_BYTES or len(block) > MAX_CONTINUATIONS:
            told = f"headers: expected at most {MAX_HEAD_BYTES} bytes in {MAX_CONTINUATIONS} frames"
            raise ConnectionFailedError(framing.ENHANCE_YOUR_CALM, told)
        if flags & framing.END_HEADERS:
            self._block = None
            self._on_block(self._block_flags, self._block_stream, b"".join(block))

    def _on_block(self, flags: int, stream: int, block: bytes) -> None:
        fields = self._decoder.decode(block)  # whatever becomes of the stream: the next block builds on this one
        self._receiver.take_headers(stream, fields, is_last=flags & framing.END_STREAM != 0)

    def _on_window_update(self, stream: int, payload: bytes) -> None:
        _sized(payload, _WORD)
        size = int.from_bytes(payload, "big") & _STREAM_BITS
        if stream == 0:
            if size == 0:
                raise ConnectionFailedError(framing.PROTOCOL_ERROR, "window: expected more than 0")
            self._sender.widen(size)
            return
        self._receiver.check_begun(stream)
        exchange = self._receiver.exchanges.get(stream)
        if exchange is None:
            return
        if size == 0 or exchange.send_window + size > framing.MAX_WINDOW:
            code = framing.FLOW_CONTROL_ERROR if size else framing.PROTOCOL_ERROR
            raise StreamFailedError(code, f"window: expected more than 0, and up to {framing.MAX_WINDOW}")
        self._sender.widen_one(exchange, size)

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        _on_connection(stream)
        _sized(payload, _PING)
        if not flags & framing.ACK:
            self._sender.put(framing.frame(framing.PING, framing.ACK, 0, payload))
        elif payload == PINGS.get(self._state):
            self._go_further()

    def _on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        _on_connection(stream)
        is_answer = flags & framing.ACK != 0
        if len(payload) % _SETTING or (is_answer and payload):
            raise ConnectionFailedError(framing.FRAME_SIZE_ERROR, "settings: expected 6 bytes for each")
        if is_answer and not self._has_settings:
            raise ConnectionFailedError(framing.PROTOCOL_ERROR, "expected settings first")
        self._has_settings = True
        self._receiver.bear()
        if is_answer:
            return
        self._sender.put(ACKNOWLEDGED)
        window = self._sender.first_window
        for position in range(0, len(payload), _SETTING):
            self._receiver.bear()
            number = int.from_bytes(payload[position : position + 2], "big")
            value = int.from_bytes(payload[position + 2 : position + _SETTING], "big")
            _check_setting(number, value)
            if number == framing.INITIAL_WINDOW_SIZE:
                window = value
            elif number == framing.HEADER_TABLE_SIZE and value < framing.FIRST_TABLE:
                self._sender.drop_table()
        if window != self._sender.first_window:
            exchanges = list(self._receiver.exchanges.values())
            self._receiver.bear(len(exchanges) // CHEAP)
            self._sender.set_first_window(window, exchanges)

    def _on_priority(self, stream: int, payload: bytes) -> None:
        _on_stream(stream)
        self._receiver.bear()
        if len(payload) != _PRIORITY:
            raise StreamFailedError(framing.FRAME_SIZE_ERROR, "priority: expected 5 bytes")

    def _on_goaway(self, stream: int, payload: bytes) -> None:
        _on_connection(stream)
        if len(payload) < 2 * _WORD:
            raise ConnectionFailedError(framing.FRAME_SIZE_ERROR, "GOAWAY: expected 8 bytes or more")
        self._end()

    # --- the end

    def _enter(self, state: int) -> None:
        if state > self._state:
            self._state, self._state_since = state, clock()

    def _leave_soon(self) -> None:
        """Ask the client to open its next stream elsewhere; those on their way are answered still (6.8)."""
        self._enter(LEAVING)
        self._sender.put(framing.goaway(framing.MAX_WINDOW, framing.NO_ERROR))
        self._ping()

    def _end(self) -> None:
        """Take no further stream."""
        if self._state < ENDING:
            self._enter(ENDING)
            self._receiver.is_ending = True
            self._sender.put(framing.goaway(self._receiver.last, framing.NO_ERROR))

    def _ping(self) -> None:
        self._sender.put(framing.frame(framing.PING, 0, 0, PINGS[self._state]))

    def _go_further(self) -> None:
        """Enter the next state, because the client has answered, or takes too long to."""
        if self._state == LEAVING:
            self._end()
        elif self._state == SENT:
            self._close()

    def close_if_idle(self) -> None:
        """Close, because the server stops, once all streams are answered and the client has read that."""
        self._end()
        if self._state == ENDING and not self._receiver.exchanges:
            self._enter(SENT)
            self._ping()
        self._sender.flush()

    def abort(self) -> None:
        """Close, whatever is under way."""
        self._transport.abort()

    def _fail(self, error: ConnectionFailedError) -> None:
        self._server.turns.flush()  # the client is told that all streams until now were looked at
        self._sender.put(framing.goaway(self._receiver.last, error.code, str(error)))
        self._sender.flush()
        self._close()

    def _close(self) -> None:
        self._enter(CLOSED)
        self._buffer = b""
        self._transport.close()

    # --- time

    def look(self, now: float) -> None:
        """Close what takes longer than it may; the server asks once a second."""
        waited = now - self._state_since
        if self._state == CLOSED or self._sender.is_full:
            since = self._state_since if self._state == CLOSED else self._full_since
            if now - since > STALLED_SECONDS:
                self._transport.abort()
            return
        if (not self._has_settings and waited > HEAD_SECONDS) or (
            self._block is not None and now - self._block_since > HEAD_SECONDS
        ):
            told = f"headers: expected within {HEAD_SECONDS:g} s"
            self._fail(ConnectionFailedError(framing.ENHANCE_YOUR_CALM, told))
            return
        self._receiver.look(now)
        if self._state == OPEN:
            is_idle = not self._receiver.exchanges and now - self._receiver.idle_since > IDLE_SECONDS
            if self._has_settings and (self._server.is_draining or is_idle):
                self._leave_soon()
        elif self._state == ENDING:
            self.close_if_idle()
        elif waited > (PING_SECONDS if self._state == LEAVING else STALLED_SECONDS):
            self._go_further()
        self._sender.flush()

    @property
    def is_receiving(self) -> bool:
        """Whether a request is under way."""
        return self._receiver.is_busy


def _check_setting(number: int, value: int) -> None:
    if number == framing.INITIAL_WINDOW_SIZE and value > framing.MAX_WINDOW:
        raise ConnectionFailedError(framing.FLOW_CONTROL_ERROR, f"window: expected up to {framing.MAX_WINDOW}")
    if number == framing.ENABLE_PUSH and value > 1:
        raise ConnectionFailedError(framing.PROTOCOL_ERROR, "ENABLE_PUSH: expected 0 or 1")
    if number == framing.MAX_FRAME_SIZE and not framing.MAX_PAYLOAD <= value < 1 << 24:
        raise ConnectionFailedError(framing.PROTOCOL_ERROR, "MAX_FRAME_SIZE: expected 2^14 to 2^24 - 1")


def _on_stream(stream: int) -> None:
    if stream == 0:
        raise ConnectionFailedError(framing.PROTOCOL_ERROR, "expected a stream, found 0")


def _on_connection(stream: int) -> None:
    if stream:
        raise ConnectionFailedError(framing.PROTOCOL_ERROR, f"expected stream 0, found {stream}")


def _sized(payload: bytes, size: int) -> None:
    if len(payload) != size:
        raise ConnectionFailedError(framing.FRAME_SIZE_ERROR, f"frame: expected {size} bytes, found {len(payload)}")


def _unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ConnectionFailedError(framing.PROTOCOL_ERROR, "padding: expected less than the frame")
    return payload[1 : len(payload) - payload[0]]
