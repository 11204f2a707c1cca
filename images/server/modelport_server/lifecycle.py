"""The life of a server: not ready → ready → draining → gone.

On SIGTERM readiness goes at once, while requests are still answered for some seconds: until all nodes know that this
pod gets no more, they come. A second SIGTERM ends the server without waiting.
"""

import asyncio
import logging
import signal
from concurrent.futures import ThreadPoolExecutor

from modelport_server.dataplane import DataPlane

logger = logging.getLogger(__name__)


class Lifecycle:
    """State that transport and process share."""

    def __init__(self, *, workers: int) -> None:
        """Infer in as many threads as `workers`."""
        self.plane: DataPlane | None = None
        self.is_draining = False
        self.workers = ThreadPoolExecutor(workers, thread_name_prefix="infer")
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    def listen(self) -> None:
        """Take SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self.is_draining:
            self._hurry.set()
        self.is_draining = True
        self._stop.set()

    async def drained(self, seconds: float) -> None:
        """Wait for the signal, then go on answering for `seconds`."""
        await self._stop.wait()
        logger.info("draining for %g s", seconds)
        try:
            await asyncio.wait_for(self._hurry.wait(), seconds)
        except TimeoutError:
            logger.info("drained")
