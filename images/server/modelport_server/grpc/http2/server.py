"""The listener of gRPC, and what its connections share."""

import asyncio
from typing import Any

from modelport_server.errors import OverloadedError
from modelport_server.grpc.frames import PREFIX_BYTES
from modelport_server.grpc.http2.connection import Connection
from modelport_server.grpc.http2.exchange import Application
from modelport_server.lifecycle import Lifecycle
from modelport_server.limits import Limits
from modelport_server.listener import Listener


class Server(Listener):
    """Answers on a port until it is closed."""

    def __init__(self, application: Application, lifecycle: Lifecycle, limits: Limits) -> None:
        """Answer with an application."""
        super().__init__(lifecycle, limits)
        self.application = application
        self.max_request_bytes = limits.max_body_bytes + PREFIX_BYTES
        self.pending_bytes = 0
        """Of all answers that clients do not take yet."""
        self.tasks = set[asyncio.Task[None]]()
        """What answers requests that are not answered at once: the event loop alone would not keep them."""

    def connect(self) -> Any:
        """Return what a new connection talks to."""
        return Connection(self)

    def check_room(self) -> None:
        """Raise OverloadedError while too much of answers is not taken."""
        if self.pending_bytes > self.limits.max_received_bytes:
            raise OverloadedError(f"{self.pending_bytes} bytes of answers are not taken yet; try again")
