"""How long to wait before something is tried again: the one policy, for Jobs and for reconciliations.

Waiting grows twofold to a cap. Each key waits for a time of its own between half of that and all of it, so that what
failed together is not tried again together; it follows from key and attempt, because decisions know no chance.
"""

import hashlib
from typing import NamedTuple

_MAX_EXPONENT = 16
"""Beyond any cap; a power is never taken of a number that grows for ever."""
_STEPS = 1 << 32


class Backoff(NamedTuple):
    """Seconds before the second attempt, and at most."""

    first: float
    longest: float

    def pause(self, attempt: int, *, key: str) -> float:
        """Return the seconds to wait after so many attempts (1: the first one failed)."""
        ceiling = min(self.longest, self.first * 2.0 ** min(max(attempt - 1, 0), _MAX_EXPONENT))
        return ceiling * (0.5 + share(f"{key} {attempt}") / 2)


def share(text: str) -> float:
    """Return a number of at least 0 and below 1 that is the text's own, the same in every process."""
    digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / _STEPS


JOBS = Backoff(10.0, 300.0)
"""After a Job that failed, by attempts of its stage."""
MENDED = Backoff(60.0, 3600.0)
"""After what only a user can mend outside of the resource: a file, a Secret."""
RECONCILES = Backoff(2.0, 300.0)
"""After a reconciliation that was not carried through, because something failed or was refused."""
