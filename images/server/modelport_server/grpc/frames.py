"""Messages on their way: each has a prefix of five bytes, a flag for compression and the length.

Source: gRPC over HTTP/2 (its documentation, `PROTOCOL-HTTP2.md`).
"""

import asyncio
import struct
from collections.abc import Sequence

from modelport_server.errors import BadRequestError, ClientLeftError, TooLargeError, TooSlowError
from modelport_server.grpc.asgi import Receive
from modelport_server.limits import Limits
from modelport_server.protocol.compression import compressed, decompressed
from modelport_server.protocol.payloads import Buffer

_PREFIX = struct.Struct(">BI")


class Messages:
    """The messages of one RPC, in their order."""

    __slots__ = ("_chunk", "_encoding", "_is_complete", "_limits", "_position", "_receive")

    def __init__(self, receive: Receive, limits: Limits, encoding: str | None) -> None:
        """Read from an RPC whose header tells the encoding of compressed messages."""
        self._receive, self._limits, self._encoding = receive, limits, encoding
        self._chunk, self._position, self._is_complete = b"", 0, False

    async def only(self) -> bytes:
        """Return the one message of a method that takes one. Raises RequestError."""
        await self._read()
        message = self._at_hand()
        if message is None:
            message = await self.next()
        if message is None:
            raise BadRequestError("request: expected one message, found none")
        while self._position == len(self._chunk):
            if self._is_complete:
                return message
            await self._read()
        raise BadRequestError("request: expected one message, found more")

    async def next(self) -> bytes | None:
        """Return the next message, None after the last. Raises RequestError."""
        while self._position == len(self._chunk):
            if self._is_complete:
                return None
            await self._read()
        message = self._at_hand()
        if message is not None:
            return message
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await self._long()
        except TimeoutError as error:
            told = f"expected within {self._limits.body_seconds:g} s, still incomplete"
            raise TooSlowError(f"message: {told}") from error

    def _at_hand(self) -> bytes | None:
        """Return the next message if all of it is here."""
        chunk, start = self._chunk, self._position + _PREFIX.size
        if len(chunk) < start:
            return None
        is_compressed, length = self._prefix(chunk, self._position)
        end = start + length
        if len(chunk) < end:
            return None
        self._position = end
        return self._inflated(chunk[start:end]) if is_compressed else chunk[start:end]

    async def _long(self) -> bytes:
        """Return a message that came in several chunks."""
        start = self._chunk[self._position :]
        while len(start) < _PREFIX.size:
            await self._read_on("a prefix of 5 bytes")
            start += self._chunk
        is_compressed, length = self._prefix(start, 0)
        pieces: list[Buffer] = [memoryview(start)[_PREFIX.size :]]
        missing = length - len(pieces[0])
        while missing > 0:
            await self._read_on(f"{length} bytes")
            pieces.append(self._chunk)
            missing -= len(self._chunk)
        self._position = len(self._chunk) + missing
        if missing < 0:
            pieces[-1] = memoryview(pieces[-1])[:missing]
        message = b"".join(pieces)
        return self._inflated(message) if is_compressed else message

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
        return decompressed(message, self._encoding, self._limits.max_body_bytes)

    async def _read_on(self, expected: str) -> None:
        if self._is_complete:
            raise BadRequestError(f"message: expected {expected}, found the end of the request")
        await self._read()

    async def _read(self) -> None:
        event = await self._receive()
        if event["type"] == "http.disconnect":
            raise ClientLeftError("the client left before its request was complete")
        self._chunk, self._position = event.get("body", b""), 0
        self._is_complete = not event.get("more_body", False)


def frame(pieces: Sequence[Buffer], encoding: str | None = None) -> bytes:
    """Return a message with its prefix; compressed, if there is an encoding and it is worth while."""
    if encoding is not None and (found := compressed(b"".join(pieces), encoding)):
        return _PREFIX.pack(1, len(found[0])) + found[0]
    return b"".join((_PREFIX.pack(0, sum(map(len, pieces))), *pieces))
