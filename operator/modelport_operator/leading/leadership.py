"""Work for as long as this process leads, and not a moment longer."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from modelport_operator.leading.candidate import Candidate

logger = logging.getLogger(__name__)
LEASE_LOST = 3
"""Exit status of a process that lost the Lease."""


async def lead(candidate: Candidate, work: Callable[[], Awaitable[None]], *, stop: asyncio.Event) -> None:
    """Wait for the Lease, work while it is held, and give it back after the work; the process ends if it is lost."""
    try:
        if not await before(stop, candidate.take()):
            return
        # made before the work: kopf cancels what began after itself
        keeping = asyncio.create_task(candidate.keep(), name="lease")
        keeping.add_done_callback(_end)
        try:
            await work()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
    finally:
        await candidate.release()


async def before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether some work ended before this process was told to stop; it is cancelled otherwise."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    ended = working.done()
    for task in (working, stopping):
        task.cancel()
    await asyncio.gather(working, stopping, return_exceptions=True)
    if ended:
        working.result()
    return ended


def _end(keeping: asyncio.Task[None]) -> None:
    if keeping.cancelled():
        return
    logger.critical("the Lease is lost, this process ends: %s", keeping.exception())
    os._exit(LEASE_LOST)  # a farewell would be work, and another may lead already
