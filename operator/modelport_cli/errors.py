"""How a command ends: exit statuses, and every foreseen error as one line with a hint.

Commands raise; `__main__` catches once, prints what `describe` returns and exits with its status. An error that nobody
foresaw keeps its traceback, because it is a defect of ours.
"""

from enum import IntEnum
from typing import NamedTuple

from cyclopts import CycloptsError

from modelport.api.reasons import ADVICE, Reason
from modelport.errors import ModelportError


class Exit(IntEnum):
    """Exit status of the command line."""

    DONE = 0
    FAILED = 1  # the conversion, or what was asked of the cluster or the store
    DIFFERS = 1  # of `diff`, whose failures end with more
    USAGE = 2  # wrong arguments or a wrong manifest: nothing was done
    INTERRUPTED = 130  # as a shell reports Ctrl-C


class CommandError(Exception):
    """A failure that the user can act on and that no closed reason names: what happened, and what to do."""

    def __init__(self, message: str, hint: str = "", status: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status


class UsageError(CommandError):
    """Wrong arguments or a wrong manifest; nothing was done."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint, Exit.USAGE)


class Ending(NamedTuple):
    """What is printed about an error, and the exit status."""

    message: str
    hint: str
    status: Exit


_SPEC_REASONS = {Reason.INVALID_SPEC, Reason.INPUTS_NEEDED}
FORESEEN = (CommandError, ModelportError, CycloptsError)


def describe(error: CommandError | ModelportError | CycloptsError) -> Ending:
    """Return the line, the hint and the exit status of a foreseen error."""
    if isinstance(error, CommandError):
        return Ending(error.message, error.hint, error.status)
    if isinstance(error, ModelportError):
        status = Exit.USAGE if error.reason in _SPEC_REASONS else Exit.FAILED
        return Ending(f"{error.reason}: {error.message}", ADVICE[error.reason].hint, status)
    command = " ".join(("modelport", *(error.command_chain or ())))
    return Ending(" ".join(str(error).split()), f"`{command} --help` lists what it takes.", Exit.USAGE)
