"""The listener of REST, and what its connections share."""

import asyncio
from collections.abc import Coroutine
from email.utils import formatdate
from typing import Any, Protocol

from modelport_server.calls import clock
from modelport_server.errors import OverloadedError
from modelport_server.lifecycle import Lifecycle
from modelport_server.limits import BACKLOG, Limits
from modelport_server.rest.connection import Connection
from modelport_server.rest.messages import Answer, Request


class Application(Protocol):
    """What answers requests."""

    def respond(self, request: Request) -> Answer | Coroutine[Any, Any, Answer]:
        """Return an answer, or what will. Raises nothing."""


class Server:
    """Answers on a port until it is closed."""

    def __init__(self, application: Application, lifecycle: Lifecycle, limits: Limits) -> None:
        """Answer with an application."""
        self.respond = application.respond
        self.limits = limits
        self.date = _date()
        """The header of this second."""
        self._lifecycle = lifecycle
        self._connections = set[Connection]()
        self._held = 0

    async def open(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self), host, port, backlog=BACKLOG)
        self._watching = loop.create_task(self._watch())

    async def close(self, seconds: float) -> None:
        """Take no more connections; give answers under way some time."""
        self._listener.close()
        until = clock() + seconds
        while self._connections and clock() < until:
            for connection in list(self._connections):
                connection.close_if_idle()
            await asyncio.sleep(0.02)
        for connection in list(self._connections):
            connection.abort()
        self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.date = _date()
            now = clock()
            for connection in list(self._connections):
                connection.look(now)

    @property
    def is_draining(self) -> bool:
        """Whether connections end with their next answer, so that clients open the next one to another pod."""
        return self._lifecycle.is_draining

    @property
    def receiving(self) -> int:
        """How many bodies are under way."""
        return sum(connection.is_receiving for connection in self._connections)

    def admit(self, connection: Connection) -> bool:
        """Take a connection, if there is room."""
        if len(self._connections) >= self.limits.max_connections:
            return False
        self._connections.add(connection)
        return True

    def hold(self, size: int) -> None:
        """Take note of bytes that were received, or, negative, of some that are let go. Raises OverloadedError."""
        self._held += size
        if size > 0 and self._held > self.limits.max_received_bytes:
            raise OverloadedError(f"{self._held - size} bytes of requests are being received already; try again")

    def forget(self, connection: Connection) -> None:
        """Let a connection go."""
        self._connections.discard(connection)

    def too_many(self) -> OverloadedError:
        """Return what a connection too many is told."""
        return OverloadedError(f"{self.limits.max_connections} connections are open already; try again")


def _date() -> bytes:
    return f"date: {formatdate(usegmt=True)}\r\n".encode()
