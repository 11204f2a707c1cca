"""A model of a table is asked by the library that trained it."""

import warnings
from collections.abc import Sequence

import numpy as np

from modelport.api.spec import Input
from modelport.verification.arrays import Array, Tensors
from modelport.verification.source.model import Source
from modelport_converter.tables.naming import named_apart
from modelport_converter.tables.table import Table, find_hints, find_inputs, is_wide, make_rows


def make_source(table: Table, declared: Sequence[Input]) -> Source:
    """Return the source model of a table, whose answers have the float type of its inputs. Raises ModelportError."""
    inputs = find_inputs(table, declared)
    dtype = np.float64 if is_wide(inputs) else np.float32

    def run(tensors: Tensors) -> Tensors:
        rows = make_rows(table, inputs, tensors)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of overflow, of names; what is wrong is in the answers
            answers = table.ask(rows)
        return named_apart({name: _served(answer, dtype) for name, answer in answers.items()}, inputs)

    return Source(inputs, run, hints=find_hints(table, inputs))


def _served(answer: Array, dtype: type[np.floating]) -> Array:
    """Return an answer in a type that is served: texts as objects, labels as int64 or bool, numbers in one type."""
    found = np.asarray(answer)
    if found.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return found.astype(dtype)
    if found.dtype.kind in "OUS":
        return np.array([str(each) for each in found.flat], object).reshape(found.shape)
    return found if found.dtype.kind == "b" else found.astype(np.int64)
