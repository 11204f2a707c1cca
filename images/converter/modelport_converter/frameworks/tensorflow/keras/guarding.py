"""Read a file in a process of its own first: HDF5's library ends, or never ends, at some damaged files."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

SECONDS = 20
"""What reading an architecture takes at most, which is a thousandth of it on any machine."""


def read_guarded(read: Callable[[Path], object], path: Path) -> None:
    """Let a child read the file, whatever comes of it. Raises ModelportError (SourceCorrupt) where a signal ends it."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(SECONDS)
            read(path)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        message = f"{path.name:.100}: expected a whole HDF5 file, found one at which its library ends by {name}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
