"""Progress lines on stderr, so that nobody wonders whether a long step hangs.

stdout stays free for answers that scripts read (paths, catalogues).
"""

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

_STARTED = time.monotonic()
_HEARTBEAT_SECONDS = 20.0
_running: dict[str, float] = {}  # titles of steps, and when they began
_coming: list[str] = []  # titles of what waits for other steps


def say(message: str) -> None:
    """Print one line with the seconds since the command started."""
    print(f"[{time.monotonic() - _STARTED:6.1f} s] {message}", file=sys.stderr, flush=True)


@contextmanager
def step(title: str, *, quiet_below: float = 0.0) -> Iterator[None]:
    """Announce a step, and say how long it took; every 20 s one line says what remains.

    A step shorter than `quiet_below` seconds is not worth a line.
    """
    began = time.monotonic()
    if not quiet_below:
        say(f"{title} …")
    _start_reminders()
    _running[title] = began
    try:
        yield
    finally:
        del _running[title]
    took = time.monotonic() - began
    if took >= quiet_below:
        say(f"{title}: {took:.1f} s")


@contextmanager
def coming(title: str) -> Iterator[None]:
    """Name among what is still to come what waits for other steps, while inside."""
    _coming.append(title)
    try:
        yield
    finally:
        _coming.remove(title)


def remaining(steps: Mapping[str, float], later: Sequence[str], now: float) -> str:
    """Say what remains: the steps that run, by title and when each began, and what comes later."""
    running = "; ".join(f"{title} ({now - began:.0f} s)" for title, began in steps.items())
    return f"still {running}" + (f"; then {', '.join(dict.fromkeys(later))}" if later else "")


@cache
def _start_reminders() -> None:
    threading.Thread(target=_remind, daemon=True).start()


def _remind() -> None:
    while True:
        time.sleep(_HEARTBEAT_SECONDS)
        steps, now = _running.copy(), time.monotonic()
        if any(now - began > _HEARTBEAT_SECONDS for began in steps.values()):
            say(remaining(steps, _coming.copy(), now))
