"""Run reconciliations: take keys off the queue, reconcile them, schedule the next time."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from modelport_operator.controller.queue import WorkQueue
from modelport_operator.kube.errors import KubeError, ThrottledError

logger = logging.getLogger(__name__)


class Key(NamedTuple):
    """Which resource."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Result:
    """What came of a reconciliation: when to look at the resource again, the resync if not said, and a word for the log."""

    look_again: float | None = None
    refused: bool = False
    """Whether the API server refused something: it is tried again after a time that grows."""
    reason: str = ""


class Reconcile(Protocol):
    """The one function; None says that the resource is gone."""

    def __call__(self, key: Key, /) -> Awaitable[Result | None]:
        """Bring the cluster closer to what the resource says."""
        ...


class Controller:
    """Drives one reconcile function with a bounded number of workers."""

    def __init__(
        self,
        reconcile: Reconcile,
        *,
        queue: WorkQueue[Key],
        workers: int,
        resync: float,
        note: Callable[[str, float], None] = lambda _result, _seconds: None,
    ) -> None:
        self.queue = queue
        self._reconcile, self._workers, self._resync, self._note = reconcile, workers, resync, note
        self._tasks: list[asyncio.Task[None]] = []
        self.last_activity = time.monotonic()

    async def run(self) -> None:
        """Work until cancelled; a crash of one worker ends them all, and the process."""
        async with asyncio.TaskGroup() as group:
            self._tasks = [group.create_task(self._work(), name=f"worker-{n}") for n in range(self._workers)]

    def stirred(self, key: Key) -> None:
        """Something about a resource changed."""
        self.last_activity = time.monotonic()
        self.queue.add(key)

    def stir_all(self) -> None:
        """Something changed that may be about every resource."""
        self.queue.add_scheduled()

    def complaint(self, *, stuck: float) -> str:
        """Return why this process should be restarted, or nothing."""
        if any(task.done() for task in self._tasks):
            return "a worker has ended"
        seconds = self.queue.longest_work()
        if seconds > stuck:
            return f"a key has been worked on for {seconds:.0f} s, expected at most {stuck:.0f} s"
        idle = time.monotonic() - self.last_activity
        if self.queue.scheduled and idle > 2 * self._resync:
            return f"neither an event nor a resync for {idle:.0f} s, expected one each {self._resync:.0f} s"
        return ""

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self._process(key)
            finally:
                self.queue.done(key)

    async def _process(self, key: Key) -> None:
        started = time.monotonic()
        outcome = "error"
        fields: dict[str, object] = {"namespace": key.namespace, "resource": key.name}
        try:
            result = await self._reconcile(key)
        except KubeError as error:
            at_least = error.retry_after if isinstance(error, ThrottledError) else 0.0
            delay = self.queue.retry(key, at_least=at_least)
            logger.warning("the API server did not do it", extra={**fields, "error": error.message, "again_in": delay})
        except Exception:
            delay = self.queue.retry(key)
            logger.exception("reconciling failed", extra={**fields, "again_in": delay})
        else:
            outcome = "gone" if result is None else "done"
            self._schedule(key, result)
        self.last_activity = time.monotonic()
        seconds = self.last_activity - started
        self._note(outcome, seconds)
        logger.debug("reconciled", extra={**fields, "outcome": outcome, "seconds": round(seconds, 4)})

    def _schedule(self, key: Key, result: Result | None) -> None:
        if result is None:
            self.queue.forget(key)
            return
        if result.refused:
            self.queue.retry(key)
            return
        self.queue.forgive(key)
        after = result.look_again if result.look_again is not None else self._resync
        # never before its time; those that were made together do not stay together
        self.queue.add_after(key, after * random.uniform(1.0, 1.1))  # noqa: S311 - spreads load, keeps no secret
