"""A queue of keys: a key waits at most once and is never processed twice at the same time.

The semantics are those of client-go's workqueue: a key that is added while it is processed is processed once more
afterwards, so the last change is never missed.
"""

import asyncio
import random
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
_MAX_EXPONENT = 16


class WorkQueue(Generic[K]):
    """Coalesces bursts of changes to one key into one reconciliation."""

    def __init__(
        self,
        *,
        base_delay: float = 1.0,
        max_delay: float = 300.0,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: dict[K, float] = {}
        self._active: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._base_delay, self._max_delay, self._jitter = base_delay, max_delay, jitter

    def add(self, key: K) -> None:
        """Ask for `key` to be processed as soon as a worker is free."""
        self._stop_timer(key)
        if key in self._waiting:
            return
        self._waiting[key] = _now()
        if key not in self._active:
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Ask for `key` to be processed later; an `add` until then supersedes this."""
        self._stop_timer(key)
        if key not in self._waiting:
            self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Schedule `key` after a failure, with a delay that grows; return the delay."""
        attempt = self._failures[key] = self._failures.get(key, 0) + 1
        ceiling = min(self._max_delay, self._base_delay * 2 ** min(attempt, _MAX_EXPONENT))
        delay = max(at_least, self._jitter(ceiling / 2, ceiling))
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
        self._waiting.pop(key, None)
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

    def oldest_age(self) -> float:
        """Return for how long the oldest key has been waiting for a worker, or been worked on."""
        since = (*self._waiting.values(), *self._active.values())
        return _now() - min(since) if since else 0.0

    def __len__(self) -> int:
        return self._ready.qsize()

    def _stop_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()


def _now() -> float:
    return asyncio.get_running_loop().time()
