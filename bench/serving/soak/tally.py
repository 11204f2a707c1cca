"""What the clients of the soak test have seen."""

import threading
from collections import Counter
from typing import NamedTuple

KEPT_FAILURES = 50


class Window(threading.Event):
    """Set while a single server is being replaced: only then may a client find nobody, or a server that is not ready."""


class Counts(NamedTuple):
    """A state of the tally."""

    requests: dict[str, int]
    failures: list[str]
    failed: int


class Tally:
    """Counts of outcomes, and the failures in words; for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._failures: list[str] = []
        self._failed = 0

    def count(self, what: str) -> None:
        """Count an outcome that is as it should be."""
        with self._lock:
            self._counts[what] += 1

    def fail(self, what: str, told: object) -> None:
        """Count an outcome that should not be."""
        with self._lock:
            self._failed += 1
            if len(self._failures) < KEPT_FAILURES:
                self._failures.append(f"{what}: {told!s:.2500}")

    def read(self) -> Counts:
        """Return the counts so far."""
        with self._lock:
            return Counts(dict(sorted(self._counts.items())), list(self._failures), self._failed)
