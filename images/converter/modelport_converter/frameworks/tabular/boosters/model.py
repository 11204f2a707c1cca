"""What the readers of boosted trees return: a forest, what is done with its sums, and what the columns hold."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.tables.forest import Forest
from modelport_converter.tables.frames import Column

MAX_BYTES = 1 << 31
"""Of a file that is read whole."""


class Boosted(NamedTuple):
    """A model of boosted trees, or of a linear one in their place."""

    columns: Sequence[Column]
    forest: Forest
    base: Array
    """Margins before the first tree, float64 [groups]."""
    link: str
    """What turns margins into answers: a function of `boosters.links`."""
    parameters: Mapping[str, float] = {}
    """Of the link."""
    divisor: float = 1.0
    """Sums of the trees are divided by it."""
    weights: Array | None = None
    """Of a linear model, float64 [columns, groups]."""
    is_classifier: bool = False
    """Whether the file says that its model answers with classes."""
    is_multilabel: bool = False
    """Whether each answer is a label of its own, instead of one class among them."""
    is_rounded: bool = False
    """Whether numbers become float32 before anything is done with them."""
    missing: float = math.nan
    """A number that is missing, too."""

    @property
    def groups(self) -> int:
        """Margins of a row."""
        return len(self.base)


def read_whole(path: Path) -> bytes:
    """Return a file's content. Raises ValueError for one that is too large."""
    size = path.stat().st_size  # a read of as many as may be would ask for their memory at once
    check(size <= MAX_BYTES, f"{size} bytes; at most {MAX_BYTES} are read")
    return path.read_bytes()


@contextmanager
def reading(name: str, expected: str) -> Iterator[None]:
    """Turn what readers raise on damaged files into SourceCorrupt."""
    try:
        yield
    except ModelportError:
        raise
    except (ValueError, LookupError, ArithmeticError, TypeError, msgspec.MsgspecError, RecursionError) as error:
        found = f"{error!s:.200}" or type(error).__name__
        raise ModelportError(Reason.SOURCE_CORRUPT, f"{name}: expected {expected}, found: {found}") from error


def refuse(what: str, instead: str) -> ModelportError:
    """Return the error of a model that is right, and cannot be converted."""
    return ModelportError(Reason.CONVERSION_FAILED, f"{what}; {instead}")


def check(is_right: bool, what: str) -> None:
    """Raise ValueError with what was found instead."""
    if not is_right:
        raise ValueError(what)
