"""Progress lines on stderr, so that nobody wonders whether a long step hangs.

stdout stays free for answers that scripts read (paths, catalogues).
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_STARTED = time.monotonic()
_HEARTBEAT_SECONDS = 20.0


def say(message: str) -> None:
    """Print one line with the seconds since the command started."""
    print(f"[{time.monotonic() - _STARTED:6.1f} s] {message}", file=sys.stderr, flush=True)


@contextmanager
def step(title: str, *, quiet_below: float = 0.0) -> Iterator[None]:
    """Announce a step, say every 20 s that it still runs, and say how long it took.

    A step shorter than `quiet_below` seconds is not worth a line.
    """
    began = time.monotonic()
    ended = threading.Event()
    if not quiet_below:
        say(f"{title} …")

    def remind() -> None:
        while not ended.wait(_HEARTBEAT_SECONDS):
            say(f"{title} … still running after {time.monotonic() - began:.0f} s")

    threading.Thread(target=remind, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
    took = time.monotonic() - began
    if took >= quiet_below:
        say(f"{title}: {took:.1f} s")
