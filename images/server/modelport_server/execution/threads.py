"""How the processors are shared out: how many runs at once, and how many threads each of them may use."""

import math
from typing import NamedTuple


class Threads(NamedTuple):
    """The product of the two is never more than the processors."""

    runs: int
    """Runs at once."""
    per_run: int
    """Threads of each run, the caller's own included."""


def share(processors: int, most_per_run: int | None = None) -> Threads:
    """Share out at least one processor: about as many threads for each run as runs, more runs where one can use few.

    Each further thread makes a run faster by less, and without a second run whoever asks for little waits for whoever
    asks for much.
    """
    runs = math.isqrt(processors)
    per_run = processors // runs
    if most_per_run is not None and per_run > most_per_run:
        runs, per_run = processors // most_per_run, most_per_run
    return Threads(runs, per_run)
