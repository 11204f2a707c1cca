"""A client of HTTP/2 that sends what it is told, right or wrong, and keeps what comes. Sources: RFC 9113, RFC 7541."""

import socket
import struct
from collections import Counter, defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from hpack import Decoder, Encoder

SECONDS = 5
"""How long a server may take for anything."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 0x1, 0x1, 0x4, 0x8, 0x20
WHOLE = END_HEADERS | END_STREAM
TABLE_SIZE, PUSH, MAX_STREAMS, FIRST_WINDOW, MAX_FRAME, MAX_HEADERS = range(1, 7)
NO_ERROR, PROTOCOL, INTERNAL, FLOW_CONTROL, _, CLOSED, FRAME_SIZE, REFUSED, CANCEL, COMPRESSION, _, CALM = range(12)
MAX_WINDOW = (1 << 31) - 1
PAYLOAD = 1 << 14
"""Largest payload that is always allowed."""
USUAL_WINDOW = (1 << 16) - 1

CHECK = "/grpc.health.v1.Health/Check"
EMPTY = bytes(5)
"""A message of gRPC without content."""
SERVING = b"\0\0\0\0\2\x08\1"
"""The answer to CHECK."""
REQUEST = {
    ":method": "POST",
    ":scheme": "http",
    ":path": CHECK,
    ":authority": "a",
    "content-type": "application/grpc",
    "te": "trailers",
}


def frame(kind, flags=0, stream=0, payload=b"", *, length=None):
    size = len(payload) if length is None else length
    return struct.pack(">BHBBI", size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def settings(values=()):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in dict(values).items()))


def window_update(stream, size):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def number(value, prefix, first=0):
    """Return a number of RFC 7541, 5.1, behind the bits of `first`."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes((first | value,))
    content, value = [first | most], value - most
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*content, value))


def literals(fields, first=0):
    """Return a block that needs no table, and changes none."""
    pairs = fields.items() if isinstance(fields, dict) else fields
    texts = [[text if isinstance(text, bytes) else text.encode() for text in pair] for pair in pairs]
    return b"".join(bytes((first,)) + b"".join(number(len(text), 7) + text for text in pair) for pair in texts)


def head(stream=1, flags=END_HEADERS, **changes):
    """Return the headers of a call, without any table; `None` leaves one away."""
    fields = REQUEST | {name.replace("_", "-"): value for name, value in changes.items()}
    return frame(HEADERS, flags, stream, literals({name: told for name, told in fields.items() if told is not None}))


def data(stream=1, content=EMPTY, flags=END_STREAM):
    return frame(DATA, flags, stream, content)


def check(stream=1):
    """Return a whole call that is answered."""
    return head(stream) + data(stream)


@dataclass
class Answer:
    """What came on a stream."""

    heads: list = field(default_factory=list)
    body: bytes = b""
    code: int | None = None
    """Why the stream was ended, or the connection before it was answered."""
    is_over: bool = False

    @property
    def status(self):
        return self.heads[0][":status"] if self.heads else None

    @property
    def grpc_status(self):
        return self.heads[-1].get("grpc-status") if self.heads else None

    @property
    def is_good(self):
        told = (self.status, self.grpc_status, self.body, self.code, self.is_over)
        return told == ("200", "0", SERVING, None, True)


class Client:
    """A connection."""

    def __init__(self, port, *hello):
        """Connect and send `hello`, or the preface without any settings."""
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")
        self.encoder, self.decoder = Encoder(), Decoder()
        self.frames, self.settings, self.acks, self.pongs = [], None, 0, []
        self.answers, self.given = defaultdict(Answer), Counter({0: USUAL_WINDOW})
        self.goaway, self.is_closed, self._last, self._block, self._ends = None, False, -1, b"", False
        self.send(*(hello or (PREFACE, settings())))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self.socket.close()

    def send(self, *parts):
        with suppress(BrokenPipeError, ConnectionResetError):  # the end is found by whoever reads
            self.socket.sendall(b"".join(parts))

    @contextmanager
    def together(self):
        """Keep back what is sent in the block, and then send it as one."""
        sent, self.send = [], lambda *parts: sent.extend(parts)
        try:
            yield
        finally:
            del self.send
        self.send(*sent)

    def leave(self):
        """Tell that nothing more will be sent."""
        with suppress(OSError):  # it is closed already
            self.socket.shutdown(socket.SHUT_WR)

    def step(self):
        """Receive a frame; return whether there was one."""
        try:
            start = self._file.read(9)
            length = int.from_bytes(start[:3], "big")
            payload = self._file.read(length) if len(start) == 9 else b""
        except ConnectionResetError:
            start = payload = b""
        if len(start) < 9 or len(payload) < length:
            self.is_closed = True
            return False
        assert length <= PAYLOAD, "larger than allowed"
        self._take(start[3], start[4], int.from_bytes(start[5:], "big"), payload)
        return True

    def _take(self, kind, flags, stream, payload):
        self.frames.append((kind, flags, stream))
        assert not self._block or kind == CONTINUATION, "a header block is not interrupted"
        if kind in {HEADERS, CONTINUATION}:
            self._take_block(kind, flags, stream, payload)
        elif kind == DATA:
            self.answers[stream].body += _unpadded(flags, payload)
            self.answers[stream].is_over |= bool(flags & END_STREAM)
        elif kind == RST_STREAM:
            code = int.from_bytes(payload, "big")
            if code != NO_ERROR or not self.answers[stream].is_over:
                self.answers[stream].code = code
            self.answers[stream].is_over = True
        elif kind == GOAWAY:
            _, self.goaway = struct.unpack_from(">II", payload)
        elif kind == WINDOW_UPDATE:
            self.given[stream] += int.from_bytes(payload, "big")
        elif kind == PING:
            self._take_ping(flags, payload)
        elif kind == SETTINGS:
            self._take_settings(flags, payload)

    def _take_ping(self, flags, payload):
        if flags & ACK:
            self.pongs.append(payload)
        else:
            self.send(frame(PING, ACK, 0, payload))

    def _take_settings(self, flags, payload):
        if flags & ACK:
            self.acks += 1
        else:
            self.settings = (self.settings or {}) | dict(struct.iter_unpack(">HI", payload))
            self.send(frame(SETTINGS, ACK))

    def _take_block(self, kind, flags, stream, payload):
        if kind == HEADERS:
            payload, self._ends = _unpadded(flags, payload), bool(flags & END_STREAM)
            payload = payload[5:] if flags & PRIORITIZED else payload
        self._block += payload
        if flags & END_HEADERS:
            self.answers[stream].heads.append(dict(self.decoder.decode(self._block)))
            self.answers[stream].is_over |= self._ends
            self._block = b""

    def until(self, condition):
        """Receive until something is so."""
        while not condition():
            assert self.step(), f"the server closed; GOAWAY: {self.goaway}"

    def end(self):
        """Receive until the server closes; return what code it told, if any."""
        while self.step():
            pass
        return self.goaway

    def answer(self, stream):
        """Receive the answer of a stream; without one, what the connection ended with."""
        answer = self.answers[stream]
        while not answer.is_over and self.step():
            pass
        if not answer.is_over:
            answer.code = self.goaway
        return answer

    def ping(self, payload=b"whatever"):
        """Receive all that the server sends until it has read what was sent so far."""
        count = len(self.pongs)
        self.send(frame(PING, payload=payload))
        self.until(lambda: len(self.pongs) > count)
        return self.pongs[-1]

    def open(self, *more, flags=END_HEADERS, huffman=True, **changes):
        """Send the headers of a new call, with the tables; return its stream."""
        self._last += 2
        fields = REQUEST | {f":{name}": value for name, value in changes.items()}
        self.send(frame(HEADERS, flags, self._last, self.encoder.encode([*fields.items(), *more], huffman)))
        return self._last

    def ask(self, content=EMPTY, *more, **changes):
        """Send a small call; return its stream."""
        stream = self.open(*more, **changes)
        self.send(data(stream, content))
        return stream

    def call(self, content=EMPTY, *more, **changes):
        return self.answer(self.ask(content, *more, **changes))

    def send_body(self, stream, content, *, chunk=PAYLOAD, padding=None, flags=END_STREAM):
        """Send a body as the server's windows allow, until it is sent or answered."""
        self.until(lambda: self.settings is not None)
        around = 0 if padding is None else 1 + padding
        position = 0
        while position < len(content) and not self.answers[stream].is_over:
            window = self.settings.get(FIRST_WINDOW, USUAL_WINDOW) + self.given[stream]
            size = min(self.given[0], window, chunk + around) - around
            if size <= 0:
                self.until(lambda before=Counter(self.given): self.given != before or self.answers[stream].is_over)
                continue
            part = content[position : position + size]
            position += len(part)
            ends = flags if position == len(content) else 0
            payload = part if padding is None else bytes((padding,)) + part + bytes(padding)
            self.given[0] -= len(payload)
            self.given[stream] -= len(payload)
            self.send(frame(DATA, ends if padding is None else ends | PADDED, stream, payload))


def _unpadded(flags, payload):
    return payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
