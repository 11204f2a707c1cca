"""The error that users see, the one that can hide behind any other, and what a framework's says in one line."""

import errno
import re
from collections.abc import Iterator

from modelport.api.reasons import Reason

_NO_MEMORY = re.compile(
    r"failed to allocate memory|can(no|')t allocate memory|bad_alloc|bad allocation|out of memory", re.IGNORECASE
)
"""What ONNX Runtime, PyTorch's allocators and C++ say in errors of no type of their own."""
MAX_CHARACTERS = 160
_MIN_WORDS = 3
_WORD = re.compile(r"[A-Za-z]{2,}")
_PLACE = re.compile(r"^/\S+:\d+ .* was false\. ")
"""ONNX Runtime's own source line."""
_ANNOUNCES = re.compile(
    r"Exception encountered when calling |Error when deserializing class |Detected at node |File \""
)
"""What Keras and TensorFlow write in front of the error of a layer or a node."""
_TOLD = "Exception encountered: "
_COLOURS = re.compile(r"\x1b\[\d*m")
_PREFIX = "Status Message: "
"""ONNX Runtime says which node of which type failed in front of it, and nothing else."""


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


def _tells(line: str) -> bool:
    announces = line.endswith(":") or _ANNOUNCES.match(line)  # what tells
    return len(_WORD.findall(line)) >= _MIN_WORDS and not announces


def describe_error(error: BaseException) -> str:
    """Return type and first sentence of an error, at most about 180 characters."""
    text = _PLACE.sub("", _COLOURS.sub("", str(error)).rpartition(_PREFIX)[2])
    lines = [line.strip().removeprefix("- ").removeprefix(_TOLD) for line in text.splitlines() if line.strip()]
    telling = next((line for line in lines if _tells(line)), " ".join(lines))
    return f"{type(error).__name__}: {telling:.{MAX_CHARACTERS}}" if telling else type(error).__name__
