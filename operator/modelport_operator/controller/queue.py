"""A queue of keys: a key waits at most once and is never processed twice at the same time.

The semantics are those of client-go's workqueue: a key that is added while it is processed is processed once more
afterwards, so the last change is never missed.
"""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

from modelport_operator.backoff import RECONCILES, Backoff

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Coalesces bursts of changes to one key into one reconciliation."""

    def __init__(self, backoff: Backoff = RECONCILES) -> None:
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: set[K] = set()
        self._active: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._backoff = backoff

    def add(self, key: K) -> None:
        """Ask for `key` to be processed as soon as a worker is free."""
        self._stop_timer(key)
        if key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._active:
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Ask for `key` to be processed later; an `add` until then supersedes this."""
        self._stop_timer(key)
        if key not in self._waiting:
            self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    def add_scheduled(self) -> None:
        """Ask for all keys that wait for their time to be processed now, and those in work once more."""
        for key in (*self._timers, *self._active):
            self.add(key)

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Schedule `key` after a failure, with a delay that grows; return the delay."""
        attempt = self._failures[key] = self._failures.get(key, 0) + 1
        delay = max(at_least, self._backoff.pause(attempt, key=str(key)))
        self.add_after(key, delay)
        return delay

    def forgive(self, key: K) -> None:
        """Reset the delay of `key` after a success."""
        self._failures.pop(key, None)

    def forget(self, key: K) -> None:
        """Keep nothing about a key that is of no interest any more."""
        self.forgive(key)
        self._stop_timer(key)

    async def get(self) -> K:
        """Return the next key, which is the caller's until `done`."""
        key = await self._ready.get()
        self._waiting.discard(key)
        self._active[key] = _now()
        return key

    def done(self, key: K) -> None:
        """Give `key` back."""
        self._active.pop(key, None)
        if key in self._waiting:
            self._ready.put_nowait(key)

    @property
    def scheduled(self) -> int:
        """How many keys wait for their time."""
        return len(self._timers)

    def longest_work(self) -> float:
        """Return for how long a key is worked on already; those that wait for a worker are a backlog, and no fault."""
        return _now() - min(self._active.values()) if self._active else 0.0

    def __len__(self) -> int:
        return self._ready.qsize()

    def _stop_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()


def _now() -> float:
    return asyncio.get_running_loop().time()
