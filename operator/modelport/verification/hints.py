"""What a format tells about the values of an input."""

from collections.abc import Collection
from typing import Literal, NamedTuple

MaskUse = Literal["mask", "added", "number"]
"""What is done with an input of floats: it hides, is added to what a softmax takes, or is computed with."""
LARGE = 1_000.0
"""What is multiplied by this and more, and added, hides."""


class Hint(NamedTuple):
    """What a format tells about the values of an input, by what consumes it."""

    lowest: int | None = None
    """Smallest value that has a meaning, such as -N for a Gather from a table of N rows."""
    highest: int | None = None
    """Largest value that has a meaning, such as N - 1."""
    strings: tuple[str, ...] = ()
    """The vocabulary of a string input."""
    categories: tuple[int, ...] = ()
    """The integers between the two that have a meaning, where not all have one."""
    is_mask: bool = False
    """Whether 1 stands for what counts and 0 for what is hidden, or the reverse."""
    is_added: bool = False
    """Whether it is added to what a softmax takes, so that it may be a mask: 0 for what counts, far below what hides."""
    is_number: bool = False
    """Whether a mask of floats is computed with as numbers, too."""
    thresholds: tuple[tuple[float, ...], ...] = ()
    """By column, what trees compare a table's numbers with: they answer by jumps, and only there."""
    missing: tuple[tuple[float, ...], ...] = ()
    """By column, what stands for a number that is not known, and is computed with otherwise: NaN, or a number."""


def hint_of_mask(uses: Collection[MaskUse]) -> Hint | None:
    """Return the hint of an input of floats that is used so, if it is a mask."""
    if "added" in uses and "number" not in uses:
        return Hint(is_added=True)
    return Hint(is_mask=True, is_number="number" in uses) if "mask" in uses else None
