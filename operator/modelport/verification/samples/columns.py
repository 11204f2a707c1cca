"""The numbers that an index of an input's last axis takes, such as a table's column: stated, seen in data, or covered."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.api.spec import Input, Numbers
from modelport.errors import ModelportError
from modelport.verification.arrays import Array

MAX_CATEGORIES = 64
"""Of a column of whole numbers in the user's data."""
FAR = 1e30
"""Thresholds beyond tell known numbers from unknown ones, so that nothing lies beyond them."""
LARGEST_BFLOAT16 = (2 - 2**-7) * 2.0**127


class Column(NamedTuple):
    """The numbers of one column."""

    lowest: float | None = None
    """None: without a limit."""
    highest: float | None = None
    categories: tuple[float, ...] = ()
    """The only numbers to ask; empty: all from `lowest` to `highest`."""
    thresholds: tuple[float, ...] = ()
    """Numbers at which the answers jump."""
    missing: tuple[float, ...] = ()
    """Numbers that stand for an unknown one."""
    is_stated: bool = False
    """Whether the user says so, so that nothing else is asked, not even at the edges."""


def stated(each: Input, numbers: Numbers | None, path: str = "values") -> Column:
    """Return what the user says, which may be nothing. Raises ModelportError (InvalidSpec) for what cannot be."""
    if numbers is None or not (numbers.range or numbers.categories):
        return Column()
    found = numbers.range or numbers.categories
    lowest, highest = numbers.range or (min(found), max(found))
    where = f"input {each.name}: {path}.{'range' if numbers.range else 'categories'}"
    if lowest > highest:
        raise ModelportError(Reason.INVALID_SPEC, f"{where}: {lowest} is above {highest}")
    is_real = is_float(each.dtype)
    smallest, largest = limits_of(each.dtype)
    has_integers = all(value == np.rint(value) for value in numbers.categories) and np.ceil(lowest) <= np.floor(highest)
    if not (all(smallest <= value <= largest for value in found) and (is_real or has_integers)):
        message = (
            f"{where}: expected {'numbers' if is_real else 'integers'} within {smallest} and {largest} of "
            f"{each.dtype}, found {list(found)!s:.80}"
        )
        raise ModelportError(Reason.INVALID_SPEC, message)
    return Column(lowest, highest, tuple(sorted(set(numbers.categories))), is_stated=True)


def stated_columns(each: Input, rest: Column) -> list[Column]:
    """Return the user's columns, one for each index of the last axis, with `rest` for those without numbers; none: [].

    Raises ModelportError (InvalidSpec) where their number is another one, or for what cannot be.
    """
    entries = each.values.columns if each.values else []
    count = sum(entry.count for entry in entries)
    if entries and count != width_of(each):
        message = (
            f"input {each.name}: values.columns: expected one for each index of the last axis of {list(each.shape)}, "
            f"which must have a fixed length, found {count}; `count` repeats an entry, and {{}} says nothing of its own"
        )
        raise ModelportError(Reason.INVALID_SPEC, message)
    found = []
    for number, entry in enumerate(entries):
        own = stated(each, entry, f"values.columns[{number}]")
        found += [own if own.is_stated else rest] * entry.count
    return found


def observed(values: Array, *, is_column: bool = False) -> Column:
    """Return what the user's numbers show: their range, or the whole numbers of a column; of a constant, nothing."""
    found = values[np.isfinite(values)]
    if not found.size or found.min() == found.max():  # a number that never changes shows no mistake
        return Column()
    categories: Array = np.array([])
    if is_column and np.all(found == np.rint(found)):
        known = np.unique(found.astype(np.float64))
        categories = known[np.linspace(0, known.size - 1, min(known.size, MAX_CATEGORIES)).astype(int)]
    return Column(float(found.min()), float(found.max()), tuple(categories.tolist()))


def covering(column: Column, thresholds: Sequence[float], dtype: str) -> Column:
    """Return the column with a range that goes beyond all thresholds, as far as the element type does."""
    finite = [value for value in thresholds if abs(value) < FAR]
    if not finite or column.categories:
        return column
    lowest, highest = min(finite), max(finite)
    margin = (highest - lowest) / 4 or abs(lowest) or 1.0
    ends = [lowest - margin, highest + margin, *(end for end in (column.lowest, column.highest) if end is not None)]
    smallest, largest = limits_of(dtype)
    return column._replace(lowest=max(smallest, min(ends)), highest=min(largest, max(ends)))


def width_of(each: Input) -> int:
    """Return the length of the last axis; 0 if it is free, or there is none."""
    last = each.shape[-1] if each.shape else 0
    return last if isinstance(last, int) else 0


def is_float(dtype: str) -> bool:
    """Return whether an element type of ours has numbers that are no integers."""
    return dtype.startswith(("float", "bfloat"))


def limits_of(dtype: str) -> tuple[float, float]:
    """Return the smallest and the largest number of an element type."""
    if dtype == "bool":
        return 0, 1
    if not is_float(dtype):
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    largest = LARGEST_BFLOAT16 if dtype == "bfloat16" else float(np.finfo(dtype).max)
    return -largest, largest
