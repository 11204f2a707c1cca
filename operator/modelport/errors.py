"""The error that users see, and the one that can hide behind any other."""

import errno
import re

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
    while error is not None:
        is_foreign = not isinstance(error, (ModelportError, OSError))
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return True
        if is_foreign and _NO_MEMORY.search(str(error)):
            return True
        error = error.__cause__
    return False
