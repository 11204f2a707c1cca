"""The listener of REST."""

import logging
from collections.abc import Coroutine, Sequence
from email.utils import formatdate
from typing import Any, Protocol

from modelport_server.lifecycle import Lifecycle
from modelport_server.rest.connection import Connection
from modelport_server.rest.messages import Answer, Request
from modelport_server.transport.limits import Limits
from modelport_server.transport.listener import Listener
from modelport_server.transport.turns import SMALL, Turns

logger = logging.getLogger(__name__)

Asked = tuple[Connection, Request]


class Application(Protocol):
    """What answers requests."""

    def respond(self, requests: Sequence[Request]) -> list[Answer | Coroutine[Any, Any, Answer]]:
        """Return for each request an answer, or what will. Raises nothing."""


class Server(Listener):
    """Answers on a port until it is closed."""

    def __init__(self, application: Application, lifecycle: Lifecycle, limits: Limits) -> None:
        """Answer with an application."""
        super().__init__(lifecycle, limits)
        self._application = application
        self.turns = Turns[Asked](self._answer, _abort, _goes_alone)
        self.date = _date()
        """The header of this second."""

    def connect(self) -> Any:
        """Return what a new connection talks to."""
        return Connection(self)

    def _answer(self, asked: list[Asked]) -> None:
        answers = self._application.respond([request for _, request in asked])
        for (connection, _), answer in zip(asked, answers, strict=True):
            try:
                connection.answered(answer)
            except Exception:
                logger.exception("a connection failed")
                connection.abort()

    def tick(self) -> None:
        """Write the new time."""
        self.date = _date()


def _abort(asked: Asked) -> None:
    asked[0].abort()


def _goes_alone(asked: Asked) -> bool:
    _, request = asked
    return len(request.body) > SMALL or b"content-encoding" in request.headers


def _date() -> bytes:
    return f"date: {formatdate(usegmt=True)}\r\n".encode()
