"""Large bodies go from the socket to where the model reads them, without a copy in between.

The parser, as any, hands out copies of parts of a body. One whose length is told and large is none of its business: while it
comes, the transport has another protocol, for which the kernel writes right into the memory of the whole body.
"""

from typing import Protocol

import numpy as np

from modelport_server.errors import OverloadedError

LARGE = 1 << 17
"""Bytes still to come from which this is worth while."""
ALIGNMENT = 64
"""What kernels of runtimes like best; numpy wants elements to be aligned at all."""


class Connection(Protocol):
    """Whose body it is."""

    def large_body_grew(self, size: int) -> None:
        """Take note of bytes that came."""

    def connection_lost(self, error: Exception | None) -> None:
        """As of asyncio.BaseProtocol, the following too."""

    def eof_received(self) -> bool: ...  # noqa: D102

    def pause_writing(self) -> None: ...  # noqa: D102

    def resume_writing(self) -> None: ...  # noqa: D102


class LargeBody:
    """An asyncio.BufferedProtocol by its methods alone: what it is told but bytes, it tells the connection."""

    def __init__(self, connection: Connection, size: int, lead: int) -> None:
        """Make room for a body, whose byte `lead` is the first of a tensor. Raises OverloadedError."""
        try:
            memory = np.empty(size + ALIGNMENT, np.uint8)  # the kernel gives pages only when they are written to
        except MemoryError as error:
            raise OverloadedError(f"there is no memory for a body of {size} bytes; try again") from error
        start = -(memory.ctypes.data + lead) % ALIGNMENT
        self.content: memoryview = memory[start : start + size].data
        """Undefined behind what was received."""
        self._received = 0
        self._connection = connection
        self.connection_lost = connection.connection_lost
        self.eof_received = connection.eof_received
        self.pause_writing = connection.pause_writing
        self.resume_writing = connection.resume_writing

    def take(self, chunk: bytes) -> None:
        """Copy what had come before."""
        self.content[self._received : self._received + len(chunk)] = chunk
        self._received += len(chunk)

    def get_buffer(self, _hint: int) -> memoryview:
        """Return where the next bytes belong; not more than this body's."""
        return self.content[self._received :]

    def buffer_updated(self, size: int) -> None:
        """Take note of bytes that were written there."""
        self._received += size
        self._connection.large_body_grew(size)

    def give(self) -> memoryview:
        """Return the body, and keep nothing of it: a transport never forgets the last protocol of this kind."""
        content, self.content = self.content, memoryview(b"")
        return content
