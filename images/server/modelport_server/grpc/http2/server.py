"""The listener of gRPC, and what its connections share."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from modelport_server.errors import OverloadedError
from modelport_server.grpc.frames import PREFIX_BYTES
from modelport_server.grpc.http2.connection import Connection
from modelport_server.grpc.http2.exchange import Answer, Application, Exchange
from modelport_server.lifecycle import Lifecycle
from modelport_server.transport.limits import Limits
from modelport_server.transport.listener import Listener
from modelport_server.transport.turns import SMALL, Turns

logger = logging.getLogger(__name__)

Asked = tuple[Exchange, bytes]


class Server(Listener):
    """Answers on a port until it is closed."""

    def __init__(self, application: Application, lifecycle: Lifecycle, limits: Limits) -> None:
        """Answer with an application."""
        super().__init__(lifecycle, limits)
        self.application = application
        self.turns = Turns[Asked](self._answer, _abort, self._goes_alone)
        self.max_request_bytes = limits.max_body_bytes + PREFIX_BYTES
        self.pending_bytes = 0
        """Of all answers that clients do not take yet."""
        self.tasks = set[asyncio.Task[None]]()
        """What answers requests that are not answered at once: the event loop alone would not keep them."""

    def connect(self) -> Any:
        """Return what a new connection talks to."""
        return Connection(self)

    def _goes_alone(self, asked: Asked) -> bool:
        exchange, body = asked
        # how much answers that are not taken may be together is bounded: near there, each further one has to be looked at
        is_near = 2 * self.pending_bytes > self.limits.max_received_bytes
        return is_near or len(body) > SMALL or b"grpc-encoding" in exchange.headers

    def _answer(self, everyone: list[Asked]) -> None:
        asked = [each for each in everyone if not each[0].is_gone]
        for (exchange, _), answer in zip(asked, self._answers(asked), strict=True):
            try:
                exchange.answer(answer)
            except Exception:
                logger.exception("a connection failed")
                exchange.abort()
        for exchange, _ in asked:
            exchange.flush()

    def _answers(self, asked: list[Asked]) -> Sequence[Answer | Coroutine[Any, Any, Answer]]:
        try:
            self.check_room()
        except OverloadedError as error:
            return [self.application.refuse(exchange, error) for exchange, _ in asked]
        return self.application.respond(asked)

    def check_room(self) -> None:
        """Raise OverloadedError while too much of answers is not taken."""
        if self.pending_bytes > self.limits.max_received_bytes:
            raise OverloadedError(f"{self.pending_bytes} bytes of answers are not taken yet; try again")


def _abort(asked: Asked) -> None:
    asked[0].abort()
