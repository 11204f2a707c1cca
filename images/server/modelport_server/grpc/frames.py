"""Messages on their way: each has a prefix of five bytes, a flag for compression and the length.

Source: gRPC over HTTP/2 (its documentation, `PROTOCOL-HTTP2.md`).
"""

import asyncio
import struct
from collections.abc import Sequence
from typing import Protocol

from modelport_server.errors import BadRequestError, TooLargeError, TooSlowError
from modelport_server.protocol.compression import compressed, decompressed
from modelport_server.protocol.payloads import Buffer
from modelport_server.transport.limits import Limits

_PREFIX = struct.Struct(">BI")
PREFIX_BYTES = _PREFIX.size


class Body(Protocol):
    """The body of a request, while it comes."""

    async def receive(self) -> tuple[bytes, bool]:
        """Return the next part, and whether it is the last."""

    def release(self, size: int) -> None:
        """Take note that so many bytes of it are not held any more."""


class Reader:
    """Cuts messages out of a body."""

    __slots__ = ("_encoding", "_limits")

    def __init__(self, limits: Limits, encoding: str | None) -> None:
        """Read messages that are, where they are compressed, compressed in this way."""
        self._limits, self._encoding = limits, encoding

    def only(self, body: bytes) -> bytes:
        """Return the one message of a method that takes one. Raises RequestError."""
        if not body:
            raise BadRequestError("request: expected one message, found none")
        message, end = self.at(body, 0, is_last=True)
        assert message is not None
        if end < len(body):
            raise BadRequestError("request: expected one message, found more")
        return message

    def at(self, body: bytes, begin: int, *, is_last: bool) -> tuple[bytes | None, int]:
        """Return the message that begins there and where it ends; None while a part is missing. Raises RequestError."""
        start = begin + PREFIX_BYTES
        end = start
        if len(body) >= start:
            is_compressed, length = self._prefix(body, begin)
            end += length
            if len(body) >= end:
                message = body[start:end]
                return self._inflated(message) if is_compressed else message, end
        if is_last:
            missing = f"{end - start} bytes" if len(body) >= start else f"a prefix of {PREFIX_BYTES} bytes"
            raise BadRequestError(f"message: expected {missing}, found the end of the request")
        return None, end

    def _prefix(self, content: bytes, position: int) -> tuple[int, int]:
        flag, length = _PREFIX.unpack_from(content, position)
        if flag > 1:
            raise BadRequestError(f"message: expected a flag of 0 or 1 before it, found {flag}")
        if length > self._limits.max_body_bytes:
            raise TooLargeError(f"message: expected at most {self._limits.max_body_bytes} bytes, found {length}")
        return flag, length

    def _inflated(self, message: bytes) -> bytes:
        if self._encoding is None:
            raise BadRequestError("grpc-encoding: expected the encoding of a compressed message, found none")
        return bytes(decompressed(message, self._encoding, self._limits.max_body_bytes))


class Messages:
    """The messages of a stream, in their order."""

    __slots__ = ("_body", "_is_last", "_limits", "_part", "_position", "_reader")

    def __init__(self, body: Body, limits: Limits, encoding: str | None) -> None:
        """Read the body of an RPC whose header tells the encoding of compressed messages."""
        self._body, self._limits, self._reader = body, limits, Reader(limits, encoding)
        self._part, self._position, self._is_last = b"", 0, False

    async def next(self) -> bytes | None:
        """Return the next message, None after the last. Raises RequestError."""
        while self._position == len(self._part):
            if self._is_last:
                return None
            self._part, self._position = b"", 0  # not held while the client rests
            self._part, self._is_last = await self._body.receive()
        message, end = self._reader.at(self._part, self._position, is_last=self._is_last)
        if message is None:
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    message, end = await self._long(end - self._position)
            except TimeoutError as error:
                told = f"expected within {self._limits.body_seconds:g} s, still incomplete"
                raise TooSlowError(f"message: {told}") from error
        self._body.release(end - self._position)
        self._position = end
        return message

    async def _long(self, size: int) -> tuple[bytes, int]:
        """Return a message that comes in several parts; `size` is what is known of its length."""
        whole = bytearray(self._part[self._position :])
        self._part, self._position = b"", 0
        while True:
            while len(whole) < size and not self._is_last:
                part, self._is_last = await self._body.receive()
                whole += part
            self._part = bytes(whole)
            message, size = self._reader.at(self._part, 0, is_last=self._is_last)
            if message is not None:
                return message, size


def frame(pieces: Sequence[Buffer], encoding: str | None = None) -> bytes:
    """Return a message with its prefix; compressed, if there is an encoding and it is worth while."""
    if encoding is not None and (found := compressed(pieces, encoding)):
        return _PREFIX.pack(1, len(found[0])) + found[0]
    return b"".join((_PREFIX.pack(0, sum(map(len, pieces))), *pieces))
