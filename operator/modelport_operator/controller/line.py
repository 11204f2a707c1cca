"""Who gets room for a Job next: a pure decision about who runs and who waits, in one order that is fair and told.

Whoever waits has a rank: how many Jobs of its namespace run, and wait before it. The lowest rank is the next one; of
equal ones, the one that has waited longest. So namespaces share the cluster alike, whatever they ask for, and within
one it goes by time. A namespace that has all that it may have is passed over until one of its Jobs ends.
"""

import heapq
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from modelport_operator.controller.controller import Key
from modelport_operator.facts import Turn


class Limits(NamedTuple):
    """How many Jobs may run at once; 0: any number."""

    jobs: int = 0
    per_namespace: int = 0


class Waiter(NamedTuple):
    """Who waits since when, in seconds since the epoch; in the order of a namespace's line."""

    since: float
    key: Key


class Line:
    """Who has room for a Job, and who waits for some."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._holders: set[Key] = set()
        self._running: Counter[str] = Counter()
        self._lines: dict[str, list[Waiter]] = {}
        self._since: dict[Key, float] = {}

    @property
    def running(self) -> int:
        """How many have room."""
        return len(self._holders)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._since)

    def holds(self, key: Key) -> bool:
        """Return whether a resource has room."""
        return key in self._holders

    def since(self, key: Key) -> float | None:
        """Return since when a resource waits, or None if it does not."""
        return self._since.get(key)

    def wait(self, key: Key, since: float) -> None:
        """Put a resource into the line, at the place that its time gives it."""
        self.leave(key)
        self._since[key] = since
        insort(self._lines.setdefault(key.namespace, []), Waiter(since, key))

    def leave(self, key: Key) -> None:
        """Take a resource out of the line."""
        since = self._since.pop(key, None)
        if since is None:
            return
        line = self._lines[key.namespace]
        del line[bisect_left(line, Waiter(since, key))]
        if not line:
            del self._lines[key.namespace]

    def hold(self, key: Key) -> None:
        """Note that a Job of a resource runs, or is about to, with or without our leave."""
        self.leave(key)
        if key not in self._holders:
            self._holders.add(key)
            self._running[key.namespace] += 1

    def release(self, key: Key) -> None:
        """Note that no Job of a resource runs."""
        if key in self._holders:
            self._holders.remove(key)
            self._running[key.namespace] -= 1
            if not self._running[key.namespace]:
                del self._running[key.namespace]

    def turn(self, key: Key) -> Turn:
        """Return whether a resource, which has room or waits for some, may begin a Job."""
        limits, namespace = self._limits, key.namespace
        if key in self._holders or key in self.next():
            return Turn()
        if self._is_full(namespace):
            line = self._lines[namespace]
            place = bisect_left(line, Waiter(self._since[key], key)) + 1
            running, limit = self._running[namespace], limits.per_namespace
            return _waits(place, len(line), running, limit, of_namespace=True)
        open_lines = [each for each in self._lines if not self._is_full(each)]
        place = sum(self._count_before(key, each) for each in open_lines) + 1
        waiting = sum(len(self._lines[each]) for each in open_lines)
        return _waits(place, waiting, self.running, limits.jobs)

    def next(self) -> list[Key]:
        """Return who may begin now, in order."""
        ranked = heapq.merge(*(self._ranks(namespace) for namespace in self._lines))
        room = max(self._limits.jobs - self.running, 0) if self._limits.jobs else None
        return [key for _, _, key in islice(ranked, room)]

    def has_spare(self, key: Key) -> bool:
        """Return whether there is room, beside that of all who wait, for something that waits in no line."""
        limits, begin = self._limits, self.next()
        if key in self._holders:
            return True
        total = self.running + len(begin)
        own = self._running[key.namespace] + sum(each.namespace == key.namespace for each in begin)
        return not ((limits.jobs and total >= limits.jobs) or (limits.per_namespace and own >= limits.per_namespace))

    def _is_full(self, namespace: str) -> bool:
        return 0 < self._limits.per_namespace <= self._running[namespace]

    def _ranks(self, namespace: str) -> Iterator[tuple[int, float, Key]]:
        """Yield those of a namespace that its own limit lets begin."""
        running, limit = self._running[namespace], self._limits.per_namespace
        room = max(limit - running, 0) if limit else None
        for index, (since, key) in enumerate(islice(self._lines[namespace], room)):
            yield running + index, since, key

    def _count_before(self, key: Key, namespace: str) -> int:
        """Return how many of a namespace have a lower rank than `key`, without a look at each."""
        own, other = self._lines[key.namespace], self._lines[namespace]
        waiter = Waiter(self._since[key], key)
        rank = self._running[key.namespace] + bisect_left(own, waiter)
        count = min(max(rank - self._running[namespace], 0), len(other))
        ties = count < len(other) and self._running[namespace] + count == rank and other[count] < waiter
        return count + ties


def _waits(place: int, waiting: int, running: int, limit: int, *, of_namespace: bool = False) -> Turn:
    return Turn(may_begin=False, place=place, waiting=waiting, running=running, limit=limit, of_namespace=of_namespace)
