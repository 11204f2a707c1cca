"""The listener of REST."""

from collections.abc import Coroutine
from email.utils import formatdate
from typing import Any, Protocol

from modelport_server.lifecycle import Lifecycle
from modelport_server.limits import Limits
from modelport_server.listener import Listener
from modelport_server.rest.connection import Connection
from modelport_server.rest.messages import Answer, Request
from modelport_server.rest.outbox import Outbox


class Application(Protocol):
    """What answers requests."""

    def respond(self, request: Request) -> Answer | Coroutine[Any, Any, Answer]:
        """Return an answer, or what will. Raises nothing."""


class Server(Listener):
    """Answers on a port until it is closed."""

    def __init__(self, application: Application, lifecycle: Lifecycle, limits: Limits) -> None:
        """Answer with an application."""
        super().__init__(lifecycle, limits)
        self.respond = application.respond
        self.outbox = Outbox()
        self.date = _date()
        """The header of this second."""

    def connect(self) -> Any:
        """Return what a new connection talks to."""
        return Connection(self)

    def tick(self) -> None:
        """Write the new time."""
        self.date = _date()


def _date() -> bytes:
    return f"date: {formatdate(usegmt=True)}\r\n".encode()
