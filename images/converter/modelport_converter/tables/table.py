"""A model of a table, opened: what it takes, how it is asked, and how it is written as ONNX."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError
from modelport.verification.arrays import Array, Tensors
from modelport.verification.hints import Hint
from modelport_converter.tables.frames import Block, Column, Frame
from modelport_converter.tables.graph import TableGraph

BATCH, MATRIX = "batch", "features"
MATRIX_AXES = 2
MAX_INPUTS = 64
"""Of a signature."""
MAX_NAME = 128
"""Letters of an input's name."""


class Rows(NamedTuple):
    """Questions: numbers are float64, texts objects."""

    columns: Sequence[Array]
    """[rows] each."""

    def matrix(self) -> Array:
        """Return all columns as one matrix, of objects where some are texts."""
        is_text = any(column.dtype.kind == "O" for column in self.columns)
        return np.stack([column.astype(object) if is_text else column for column in self.columns], axis=1)


class Table(NamedTuple):
    """A model of a table, opened."""

    columns: Sequence[Column]
    ask: Callable[[Rows], Tensors]
    """Answers in the types that the library gives."""
    write: Callable[[Frame], Mapping[str, str]]
    """Writes the model behind a table, and returns the values of its answers in order; their shapes are those of `ask`."""


def find_inputs(table: Table, declared: Sequence[Input]) -> list[Input]:
    """Return the inputs: those that are declared, else a column each where some are texts, else one matrix.

    Raises ModelportError (InvalidSpec) for declared ones that are not the columns.
    """
    if declared:
        _check(table.columns, declared)
        return list(declared)
    if any(column.is_text or column.codes for column in table.columns):
        _check_names(table.columns)
        if len(table.columns) > MAX_INPUTS:
            message = (
                f"{len(table.columns)} columns with texts among them: expected at most {MAX_INPUTS} inputs; have the "
                "model take fewer columns, or encode texts before it"
            )
            raise ModelportError(Reason.CONVERSION_FAILED, message)
        return [Input(name=column.name, dtype=_dtype(column), shape=[BATCH, 1]) for column in table.columns]
    dtype: Dtype = "float64" if any(column.is_wide for column in table.columns) else "float32"
    return [Input(name=MATRIX, dtype=dtype, shape=[BATCH, len(table.columns)])]


def _check_names(columns: Sequence[Column]) -> None:
    names = [column.name for column in columns]
    wrong = next((name for name in names if not 0 < len(name) <= MAX_NAME or names.count(name) > 1), None)
    if wrong is not None:
        message = (
            f"column {names.index(wrong)}, {wrong!r:.60}: expected a name of its own of 1 to {MAX_NAME} letters, which the input "
            "gets; name the columns otherwise, or declare one input of all under spec.source.inputs where they are alike"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def _dtype(column: Column) -> Dtype:
    if column.is_text:
        return "string"
    if column.codes:
        return "int64"
    return "float64" if column.is_wide else "float32"


def _check(columns: Sequence[Column], declared: Sequence[Input]) -> None:
    names = [column.name for column in columns]
    if len(declared) == 1 and len(declared[0].shape) == MATRIX_AXES and declared[0].shape[1] == len(columns):
        texts = [column.is_text for column in columns]
        if all(texts) if declared[0].dtype == "string" else not any(texts):
            return
    if sorted(each.name for each in declared) == sorted(names):
        wrong = [
            each.name
            for each in declared
            if len(each.shape) > MATRIX_AXES
            or each.shape[1:] not in ([], [1])
            or (each.dtype == "string") != columns[names.index(each.name)].is_text
        ]
        if not wrong:
            return
        names = wrong
    told = ", ".join(f"{column.name} ({'string' if column.is_text else 'numbers'})" for column in columns)
    message = (
        f"spec.source.inputs: expected one input of shape [{BATCH}, {len(columns)}], or each column as [{BATCH}, 1]: "
        f"{told:.200}; found {', '.join(each.name for each in declared):.100}; leave them out to take the model's own"
    )
    raise ModelportError(Reason.INVALID_SPEC, message)


def find_hints(table: Table, inputs: Sequence[Input]) -> dict[str, Hint]:
    """Return what the model tells of its inputs."""
    by_name = {column.name: [column] for column in table.columns}
    found = {}
    for each in inputs:
        columns = list(table.columns) if _is_matrix(table, inputs) else by_name[each.name]
        if each.dtype == "string":
            texts = sorted({text for column in columns for text in column.texts})
            if texts:  # else the user's samples tell
                found[each.name] = Hint(strings=tuple(texts))
            continue
        if each.dtype == "int64" and len(columns) == 1 and columns[0].codes:
            codes = columns[0].codes
            found[each.name] = Hint(lowest=min(codes), highest=max(codes), categories=codes)
            continue
        numbers = [tuple(float(value) for value in column.categories) or column.thresholds for column in columns]
        missing = [(np.nan,) if column.is_missing_known else () for column in columns]
        found[each.name] = Hint(
            thresholds=tuple(numbers) if any(numbers) else (), missing=tuple(missing) if any(missing) else ()
        )
    return found


def _is_matrix(table: Table, inputs: Sequence[Input]) -> bool:
    return len(inputs) == 1 and (len(table.columns) > 1 or inputs[0].name != table.columns[0].name)


def make_rows(table: Table, inputs: Sequence[Input], tensors: Tensors) -> Rows:
    """Return the columns of a question."""
    if _is_matrix(table, inputs):
        matrix = tensors[inputs[0].name]
        return Rows([_typed(matrix[:, number]) for number in range(matrix.shape[1])])
    return Rows([_typed(tensors[column.name].reshape(len(tensors[column.name]))) for column in table.columns])


def _typed(array: Array) -> Array:
    return array.astype(object if array.dtype.kind in "OU" else np.float64)


def make_frame(graph: TableGraph, table: Table, inputs: Sequence[Input]) -> Frame:
    """Return the inputs as the table that the model takes."""
    names = tuple(column.name for column in table.columns)
    by_name = {each.name: each for each in inputs}
    order = list(inputs) if _is_matrix(table, inputs) else [by_name[name] for name in names]
    return Frame(graph, tuple(_block(graph, each, len(names)) for each in order), names)


def _block(graph: TableGraph, each: Input, width: int) -> Block:
    value = each.name if len(each.shape) == MATRIX_AXES else graph.reshape(each.name, -1, 1)
    own = each.shape[1] if len(each.shape) == MATRIX_AXES else 1
    own = own if isinstance(own, int) else width
    if each.dtype == "string":
        return Block(value, own, is_text=True)
    return Block(value if each.dtype == "float64" else graph.cast(value, np.float64), own)


def texts_seen(table: Table, inputs: Sequence[Input], samples: Sequence[Tensors]) -> dict[str, list[str]]:
    """Return the texts of samples by column."""
    found: dict[str, set[str]] = {column.name: set() for column in table.columns if column.is_text}
    for tensors in samples if found else ():
        for column, values in zip(table.columns, make_rows(table, inputs, tensors).columns, strict=True):
            if column.is_text:
                found[column.name].update(map(str, values))
    return {name: sorted(texts) for name, texts in found.items()}


def is_wide(inputs: Sequence[Input]) -> bool:
    """Whether answers keep float64: where an input is of it. All is computed in float64 anyway."""
    return any(each.dtype == "float64" for each in inputs)
