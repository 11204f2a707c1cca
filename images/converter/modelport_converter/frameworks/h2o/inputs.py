"""Inputs of a model of H2O: one for each column, as its frame had them; what there is to ask of each."""

from collections.abc import Mapping, Sequence

import numpy as np

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.asking.h2o.scorer import NUMBERS, TEXTS, Column
from modelport.errors import ModelportError
from modelport.verification.hints import Hint

BATCH = "batch"
MAX_INPUTS = 64
"""Of a signature."""
MISSING, OTHER = "", "a level that the model does not know"
Thresholds = Mapping[str, Sequence[float]]
"""By column, numbers that are worth a question."""


def find_inputs(columns: Sequence[Column], declared: Sequence[Input]) -> list[Input]:
    """Return the inputs: those that are declared, else one for each column, or a matrix of numbers and one of texts.

    The latter where there are more columns than a signature has inputs. Raises ModelportError (InvalidSpec) for declared ones that are not the columns.
    """
    if declared:
        _check(columns, declared)
        return list(declared)
    if len(columns) <= MAX_INPUTS:
        return [
            Input(name=column.name, dtype="float32" if column.domain is None else "string", shape=[BATCH, 1])
            for column in columns
        ]
    widths = {name: len(members) for name, members in _groups(columns).items() if members}
    return [
        Input(name=name, dtype="string" if name == TEXTS else "float32", shape=[BATCH, width])
        for name, width in widths.items()
    ]


def _groups(columns: Sequence[Column]) -> dict[str, list[Column]]:
    return {
        NUMBERS: [column for column in columns if column.domain is None],
        TEXTS: [column for column in columns if column.domain is not None],
    }


def _check(columns: Sequence[Column], declared: Sequence[Input]) -> None:
    is_text = {column.name: column.domain is not None for column in columns}
    wide = {name: len(members) for name, members in _groups(columns).items() if members}
    expected = dict.fromkeys(is_text, 1) if {each.name for each in declared} != set(wide) else wide
    wrong = [
        each.name
        for each in declared
        if len(each.shape) not in (1, 2)
        or each.shape[1:] not in ([], [expected.get(each.name)])
        or (expected is wide and len(each.shape) == 1)
        or (each.dtype == "string") != is_text.get(each.name, each.name == TEXTS)
    ]
    if wrong or {each.name for each in declared} != set(expected):
        told = ", ".join(f"{column.name} ({'string' if is_text[column.name] else 'numbers'})" for column in columns)
        found = ", ".join(wrong or (each.name for each in declared))
        message = (
            f"spec.source.inputs: expected each column as [{BATCH}, 1]: {told:.200}; found {found:.100}; leave them out "
            "to take the model's own"
        )
        raise ModelportError(Reason.INVALID_SPEC, message)


def find_hints(
    columns: Sequence[Column], inputs: Sequence[Input], thresholds: Thresholds, *, has_missing: bool = True
) -> dict[str, Hint]:
    """Return what the model tells of its inputs, with missing values where it takes some: a number is NaN, a text empty."""
    by_name = {column.name: [column] for column in columns}
    groups = _groups(columns)
    found = {}
    for each in inputs:
        members = by_name.get(each.name) or groups[each.name]
        if each.dtype == "string":
            levels = {level for column in members for level in column.domain or ()}
            found[each.name] = Hint(strings=(*sorted(levels), *((MISSING, OTHER) if has_missing else ())))
        elif each.dtype.startswith("float"):
            numbers = tuple(tuple(thresholds.get(column.name, ())) for column in members)
            missing = tuple((np.nan,) if has_missing and not column.offset else () for column in members)
            found[each.name] = Hint(thresholds=numbers if any(numbers) else (), missing=missing if any(missing) else ())
    return found
