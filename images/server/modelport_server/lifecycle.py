"""The life of a server: not ready → ready → draining → gone.

On SIGTERM readiness goes at once, while requests are still answered for some seconds: until all nodes know that this
pod gets no more, they come. Then those that are under way are finished. There is nothing to wait for while the model
is still being loaded, and no wish to wait after a second signal: the process ends there and then.
"""

import asyncio
import logging
import os
import signal
from typing import Any

from modelport_server.dataplane.plane import DataPlane
from modelport_server.errors import NotReadyError

logger = logging.getLogger(__name__)

HURRIED = 128 + signal.SIGTERM
"""Exit status after a second signal: what shells say of a program that a signal ended."""


class Lifecycle:
    """State that transports and process share."""

    def __init__(self, model_name: str) -> None:
        """Begin without a model."""
        self.model_name = model_name
        self.plane: DataPlane | None = None
        self.config: dict[str, Any] = {}
        """How the server is configured, for whoever asks."""
        self.is_draining = False
        self._stop = asyncio.Event()

    def serving_plane(self) -> DataPlane:
        """Return what answers requests, also while the server drains. Raises NotReadyError."""
        if self.plane is None:
            raise NotReadyError("the model is not ready")
        return self.plane

    def ready_plane(self) -> DataPlane:
        """Return what answers requests, as long as new ones are welcome. Raises NotReadyError."""
        if self.is_draining:
            raise NotReadyError("the server is draining")
        return self.serving_plane()

    def listen(self) -> None:
        """Take SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self.is_draining:
            logger.info("told twice to stop; requests under way are dropped")
            os._exit(HURRIED)  # threads of the runtime cannot be interrupted, and a normal exit waits for them
        if self.plane is None:
            logger.info("told to stop before the model was ready")
            os._exit(0)
        self.is_draining = True
        self._stop.set()

    async def drained(self, seconds: float) -> None:
        """Wait for the signal, then go on answering for `seconds`."""
        await self._stop.wait()
        logger.info("draining for %g s", seconds)
        await asyncio.sleep(seconds)
        logger.info("drained; finishing requests under way")
