"""Frames: their numbers, and frames as bytes. Source: RFC 9113, chapters 4, 6 and 7."""

import struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = 9
"""Bytes before the payload of each frame: length, kind, flags, stream."""
MAX_PAYLOAD: Final = 1 << 14
"""Largest payload that anyone may send without asking; this server neither asks nor offers."""
MAX_WINDOW: Final = (1 << 31) - 1
FIRST_WINDOW: Final = (1 << 16) - 1
"""Window of each connection and stream, until something else is said."""
FIRST_TABLE: Final = 4096
"""Bytes of each table of headers, until something else is said."""
NO_TABLE: Final = b"\x20"
"""What a block begins with to tell that there is no table (RFC 7541, 6.3)."""

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITIZED: Final = 0x20

HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6

NO_ERROR: Final = 0
PROTOCOL_ERROR: Final = 1
INTERNAL_ERROR: Final = 2
FLOW_CONTROL_ERROR: Final = 3
STREAM_CLOSED: Final = 5
FRAME_SIZE_ERROR: Final = 6
REFUSED_STREAM: Final = 7
CANCEL: Final = 8
COMPRESSION_ERROR: Final = 9
ENHANCE_YOUR_CALM: Final = 11

_HEAD: Final = struct.Struct(">HBBBI")


class ConnectionFailedError(Exception):
    """The connection cannot go on."""

    def __init__(self, code: int, told: str) -> None:
        """Take the code that the client gets, and a message for it."""
        super().__init__(told)
        self.code = code


class StreamFailedError(Exception):
    """One stream cannot go on."""

    def __init__(self, code: int, told: str) -> None:
        """Take the code that the client gets, and a message."""
        super().__init__(told)
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame."""
    return head(len(payload), kind, flags, stream) + payload


def head(length: int, kind: int, flags: int, stream: int) -> bytes:
    """Return what stands before a payload."""
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream)


def settings(values: dict[int, int]) -> bytes:
    """Return a frame of settings."""
    pairs = (number.to_bytes(2, "big") + value.to_bytes(4, "big") for number, value in values.items())
    return frame(SETTINGS, 0, 0, b"".join(pairs))


def window_update(stream: int, size: int) -> bytes:
    """Return a frame that lets the client send more."""
    return frame(WINDOW_UPDATE, 0, stream, size.to_bytes(4, "big"))


def rst_stream(stream: int, code: int) -> bytes:
    """Return a frame that ends a stream."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def goaway(last: int, code: int, told: str = "") -> bytes:
    """Return a frame that ends a connection behind the stream `last`."""
    return frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big") + told.encode())
