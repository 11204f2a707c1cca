"""Which values an input takes, as far as that is known without asking the model."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.api.spec import Input, State, Values
from modelport.errors import ModelportError
from modelport.verification.arrays import Array, Tensors
from modelport.verification.hints import Hint
from modelport.verification.samples.columns import (
    Column,
    covering,
    is_float,
    limits_of,
    observed,
    stated,
    stated_columns,
    width_of,
)

Kind = Literal["real", "mask", "integer", "text", "state"]
MASK: Literal["mask"] = "mask"
_OF_MASKED = re.compile(
    r"(?<![a-z])(ids?|idx|ind(ex|exes|ices)|pos|positions?|tokens?|labels?|types?|lengths?|len|counts?|num)(?![a-z])"
)
"""Behind `mask` in the name of an input, or anywhere beside `masked`: what is masked, and no mask."""

HIDDEN = -1e9
"""Added to hide: beyond all that is added to it, and far from the end of the type, where sums of two would go beyond."""
HIDDEN_IN_HALF = -1e4


class Domain(NamedTuple):
    """The values of one input."""

    kind: Kind
    lowest: float | None = None
    """None: without a limit."""
    highest: float | None = None
    dimension: str | None = None
    """Free dimension that `highest` counts from: a length lies below or at the length of its axis."""
    is_wrapping: bool = False
    """Whether negative values count from the end of a table, so that they mean nothing of their own."""
    is_known: bool = True
    """False: the model is to be asked."""
    is_length: bool = False
    """Whether answers grow, or take, as long as the integer says, so that none above `highest` is asked."""
    strings: tuple[str, ...] = ()
    categories: tuple[float, ...] = ()
    """The only numbers to ask; empty: all from `lowest` to `highest`."""
    columns: tuple[Column, ...] = ()
    """By index of the last axis, where not all have the same numbers."""
    is_stated: bool = False
    """Whether the user says so, so that nothing else is asked, not even at the edges."""
    mask: tuple[float, float] | None = None
    """What shows and what hides; an input of another kind than mask is one in some samples alone."""

    @property
    def is_masking(self) -> bool:
        """Whether there are masks among its samples."""
        return self.kind == MASK or self.mask is not None

    def bounds(self, lengths: Mapping[str, int]) -> tuple[int, int]:
        """Return lowest and highest integer where the free dimensions have these lengths."""
        lowest, highest = int(np.ceil(self.lowest or 0)), int(np.floor(self.highest or 0))
        if self.dimension:
            highest += lengths[self.dimension]
        return lowest, max(lowest, highest)

    def by_column(self, shape: Sequence[int]) -> list[Column]:
        """Return the numbers of each index of the last axis of such an array, or one for all where they are the same."""
        rest = Column(self.lowest, self.highest, self.categories, is_stated=self.is_stated)
        width = shape[-1] if shape and self.columns else 1
        return [*self.columns[:width], *itertools.repeat(rest, width - len(self.columns))]

    def apart(self) -> list["Domain"]:
        """Return a domain of integers for each column."""
        rest = self._replace(columns=())
        return [
            Domain("integer", own.lowest, own.highest, categories=own.categories, is_stated=True)
            if own.is_stated
            else rest
            for own in self.columns
        ]


def known_domains(
    inputs: Sequence[Input], hints: Mapping[str, Hint], states: Sequence[State], data: Sequence[Tensors] = ()
) -> dict[str, Domain]:
    """Return the domain of each input, by what the user says, then by what the format and the user's data tell.

    Raises ModelportError (InvalidSpec for values that cannot be, SamplesNeeded for strings that nobody knows).
    """
    fed = {state.input for state in states}
    for each in inputs:
        _check_takes_values(each, is_fed=each.name in fed)
    return {
        each.name: Domain("state")
        if each.name in fed
        else _known(each, hints.get(each.name, Hint()), [tensors[each.name] for tensors in data])
        for each in inputs
    }


def _check_takes_values(each: Input, *, is_fed: bool) -> None:
    if each.values in (None, Values()) or not (is_fed or each.dtype == "string"):
        return
    why = (
        "a state is zero first, and then what the model answers; remove them"
        if is_fed
        else "they are numbers, and the input takes strings; give samples of your own as spec.verification.data"
    )
    message = f"input {each.name}: expected no values: {why}"
    raise ModelportError(Reason.INVALID_SPEC, message)


def _known(each: Input, hint: Hint, seen: Sequence[Array]) -> Domain:
    if each.dtype == "string":
        return Domain("text", strings=_vocabulary(each, hint))
    rest = stated(each, each.values)
    columns = stated_columns(each, rest)
    if not is_float(each.dtype):
        return _whole(each, hint, rest, columns)
    if rest.is_stated or columns:
        return _real(each, hint, seen, rest, columns)
    if hint.highest is not None and not seen:
        return Domain("integer", hint.lowest or 0, hint.highest)  # rows of a table, in floats
    if hint.is_mask and not hint.is_number:
        return Domain(MASK, mask=(1, 0))
    return _real(each, hint, seen, rest, columns)._replace(mask=_mask(each, hint))


def _mask(each: Input, hint: Hint) -> tuple[float, float] | None:
    """Return what shows and hides in an input that may be a mask, and may be numbers that are called so."""
    if hint.is_added:
        return 0, HIDDEN_IN_HALF if each.dtype == "float16" else HIDDEN
    return (1, 0) if hint.is_mask or MASK in each.name.lower() else None


def _real(each: Input, hint: Hint, seen: Sequence[Array], rest: Column, columns: Sequence[Column]) -> Domain:
    is_table = len(each.shape) == 2  # noqa: PLR2004  # rows and columns
    is_by_column = bool(columns) or (is_table and width_of(each) > 0)
    if not rest.is_stated and seen and not is_by_column:
        rest = observed(np.concatenate([array.ravel() for array in seen]))
    rows = np.concatenate([array.reshape(-1, width_of(each)) for array in seen]) if seen and is_by_column else None
    width = (width_of(each) or max(len(hint.thresholds), len(hint.missing))) if is_table else 0
    found = [
        _derived(
            column,
            None if rows is None else rows[:, number],
            _at(hint.thresholds, number),
            _at(hint.missing, number),
            each.dtype,
        )
        for number, column in enumerate(columns or [rest] * width)
    ]
    return Domain(
        "real",
        rest.lowest,
        rest.highest,
        categories=rest.categories,
        columns=tuple(found) if any(column != rest for column in found) else (),
        is_stated=rest.is_stated,
    )


def _derived(
    column: Column, seen: Array | None, thresholds: tuple[float, ...], missing: tuple[float, ...], dtype: str
) -> Column:
    if not column.is_stated:
        column = covering(column if seen is None else observed(seen, is_column=True), thresholds, dtype)
    return column._replace(thresholds=thresholds, missing=missing)


def _at(columns: Sequence[tuple[float, ...]], number: int) -> tuple[float, ...]:
    return columns[number] if number < len(columns) else ()


def _whole(each: Input, hint: Hint, rest: Column, columns: Sequence[Column]) -> Domain:
    domain = _told(each, hint)
    if rest.is_stated:
        is_mask = rest[:2] == (0, 1) and domain.is_masking
        kind: Kind = MASK if is_mask else "integer"
        domain = Domain(kind, rest.lowest, rest.highest, categories=rest.categories, is_stated=True)
    if columns:
        is_known = domain.is_known or all(column.is_stated for column in columns)
        domain = domain._replace(kind="integer", columns=tuple(columns), is_known=is_known, mask=None)
    return domain


def _is_called_mask(each: Input) -> bool:
    """Return whether an input of integers is called a mask, and not what is masked, such as `masked_positions`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", each.name).lower()
    _, mask, behind = words.rpartition(MASK)
    return bool(mask) and not _OF_MASKED.search(words if behind.startswith("ed") else behind)


def _told(each: Input, hint: Hint) -> Domain:
    is_called_mask = _is_called_mask(each) and hint.highest is None
    if each.dtype == "bool" or hint.is_mask or (is_called_mask and each.dtype != "uint8"):
        return Domain(MASK, 0, 1)
    if hint.highest is not None:
        smallest, largest = limits_of(each.dtype)  # a table may have more rows than the type of its ids has numbers
        lowest, highest = max(hint.lowest or 0, smallest), min(hint.highest, largest)
        is_wrapping = lowest == -highest - 1
        categories = tuple(code for code in hint.categories if lowest <= code <= highest)
        return Domain("integer", lowest, highest, is_wrapping=is_wrapping, categories=categories)
    if each.dtype in {"uint8", "int8"}:
        limits = np.iinfo(each.dtype)
        return Domain("integer", limits.min, limits.max, mask=(1, 0) if is_called_mask else None)  # or an image of 255
    return Domain("integer", hint.lowest or 1, hint.lowest or 1, is_known=False)


def _vocabulary(each: Input, hint: Hint) -> tuple[str, ...]:
    if hint.strings:
        return hint.strings
    message = (
        f"input {each.name}: the model does not tell which strings it knows; put some into an npz, such as "
        f"numpy.savez('samples.npz', {each.name}=numpy.array([['red'], ['blue']])), and name it under "
        "spec.verification.data.uri"
    )
    raise ModelportError(Reason.SAMPLES_NEEDED, message)
