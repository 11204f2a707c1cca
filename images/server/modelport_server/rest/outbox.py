"""Small answers on their way out, in company.

To write to a socket wakes who waits at its other end, and on a machine with many small answers that costs the kernel more than
an answer costs the server. So the first answer of a turn of the event loop is written at once, those that follow it shortly
are written one behind the other, and who was woken for the first finds them there.
"""

import asyncio
from collections import deque
from typing import Final

from modelport_server.calls import clock

MAX_SECONDS: Final = 0.001
"""How long an answer is kept back at most when the next one comes: as long as a run in the event loop may take."""
MAX_BYTES: Final = 1 << 16
"""Enough for hundreds of them; more could be too much for a client, which the transport has to find out."""


class Outbox:
    """What all connections write through, but for large answers."""

    def __init__(self) -> None:
        """Have nothing to write."""
        self._waiting = deque[tuple[asyncio.Transport, bytes]]()
        self._bytes = 0
        self._since = 0.0
        """When something was written last."""
        self._is_in_turn = False

    def write(self, transport: asyncio.Transport, content: bytes) -> None:
        """Write now, or before the turn ends."""
        if not self._is_in_turn:
            self._is_in_turn, self._since = True, clock()
            asyncio.get_running_loop().call_soon(self._end_turn)
            transport.write(content)
            return
        self._waiting.append((transport, content))
        self._bytes += len(content)
        if self._bytes > MAX_BYTES or clock() - self._since > MAX_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits: to be called before long work, and before a transport is written to directly, or closed."""
        if not self._waiting:
            return
        while self._waiting:  # what a transport calls while it is written to may write too
            transport, content = self._waiting.popleft()
            if not transport.is_closing():
                transport.write(content)
        self._bytes, self._since = 0, clock()

    def _end_turn(self) -> None:
        try:
            self.flush()
        finally:
            self._is_in_turn = False
