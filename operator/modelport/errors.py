"""The error that users see, and the one that can hide behind any other."""

import errno
import re
from collections.abc import Iterator

from modelport.api.reasons import Reason

_NO_MEMORY = re.compile(
    r"failed to allocate memory|can(no|')t allocate memory|bad_alloc|bad allocation|out of memory", re.IGNORECASE
)
"""What ONNX Runtime, PyTorch's allocators and C++ say in errors of no type of their own."""


class ModelportError(Exception):
    """A failure that a user can act on: reason, and a message that says what was expected and what was found."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def lacks_memory(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from, says that there was too little memory.

    Whoever takes errors of a model for its answer no must raise these again: they are about the machine.
    """
    return any(map(_is_memory, causes(error)))


def _is_memory(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    is_foreign = not isinstance(error, ModelportError)
    return isinstance(error, MemoryError) or (is_foreign and bool(_NO_MEMORY.search(str(error))))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and what it was raised from, each once: an error that went through Cython may be its own cause."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
