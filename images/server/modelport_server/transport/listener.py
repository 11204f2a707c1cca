"""A port, and what its connections share."""

import asyncio
import logging
import os
import socket
from contextlib import suppress
from typing import Any, Protocol

from modelport_server.dataplane.calls import clock
from modelport_server.errors import OverloadedError
from modelport_server.lifecycle import Lifecycle
from modelport_server.transport.limits import BACKLOG, Limits

logger = logging.getLogger(__name__)

TURN_SECONDS = 0.02
"""Long enough for the event loop to do what waits, while the listener closes."""
KEEPALIVE_SECONDS = 120
"""Silence after which the kernel asks whether a client is still there."""


class Connection(Protocol):
    """A client's connection, which is an asyncio.Protocol too."""

    @property
    def is_receiving(self) -> bool:
        """Whether a request is under way."""

    def look(self, now: float) -> None:
        """Close what takes longer than it may; called once a second."""

    def close_if_idle(self) -> None:
        """Close, because the server stops, unless something is under way; called until the connection is gone."""

    def abort(self) -> None:
        """Close, whatever is under way."""


class Listener:
    """Takes connections until it is closed."""

    def __init__(self, lifecycle: Lifecycle, limits: Limits) -> None:
        """Take as many as the limits allow."""
        self.limits = limits
        self._lifecycle = lifecycle
        self._connections = set[Connection]()
        self._held = 0

    def connect(self) -> Any:
        """Return the asyncio.Protocol of a new connection, which is a Connection."""
        raise NotImplementedError

    def tick(self) -> None:
        """Do what is to be done once a second."""

    async def open(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self.connect, host, port, backlog=BACKLOG)
        for listening in _sockets(self._listener):  # what is accepted has it too: nobody else notices clients that died
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)
        self._watching = loop.create_task(self._watch())

    async def close(self, seconds: float) -> None:
        """Take no more connections; give answers under way some time."""
        kept = [socket.socket(fileno=os.dup(each.fileno())) for each in _sockets(self._listener)]
        self._listener.close()
        await asyncio.sleep(TURN_SECONDS)  # now nobody else has them open
        for listening in kept:
            await self._accept_rest(listening)
        await asyncio.sleep(TURN_SECONDS)  # what was accepted is told to its connections
        until = clock() + seconds
        while self._connections and clock() < until:
            for connection in list(self._connections):
                connection.close_if_idle()
            await asyncio.sleep(TURN_SECONDS)
        for connection in list(self._connections):
            connection.abort()
        self._watching.cancel()

    async def _accept_rest(self, listening: socket.socket) -> None:
        """Take those who wait already: closing a socket resets them, after they were let in by the kernel."""
        listening.setblocking(False)
        accepted: list[socket.socket] = []
        with suppress(OSError):  # there are no more
            while True:
                accepted.append(listening.accept()[0])
        listening.close()
        for each in accepted:
            await asyncio.get_running_loop().connect_accepted_socket(self.connect, each)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.tick()
            now = clock()
            for connection in list(self._connections):
                try:
                    connection.look(now)
                except Exception:
                    logger.exception("a connection failed")
                    connection.abort()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = _sockets(self._listener)[0].getsockname()[1]
        return port

    @property
    def is_draining(self) -> bool:
        """Whether connections are to end soon, so that clients open the next one to another pod."""
        return self._lifecycle.is_draining

    @property
    def receiving(self) -> int:
        """How many connections have a request under way."""
        return sum(connection.is_receiving for connection in self._connections)

    def admit(self, connection: Connection) -> bool:
        """Take a connection, if there is room."""
        if len(self._connections) >= self.limits.max_connections:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """Let a connection go."""
        self._connections.discard(connection)

    def hold(self, size: int) -> None:
        """Take note of bytes that were received, or, negative, of some that are let go. Raises OverloadedError."""
        self._held += size
        if size > 0 and self._held > self.limits.max_received_bytes:
            raise OverloadedError(f"{self._held - size} bytes of requests are being received already; try again")

    def too_many(self) -> OverloadedError:
        """Return what a connection too many is told."""
        return OverloadedError(f"{self.limits.max_connections} connections are open already; try again")


def _sockets(listening: Any) -> Any:
    """Return what a server listens on: compiled code would insist on the tuple of its type, where uvloop has a list."""
    return listening.sockets
