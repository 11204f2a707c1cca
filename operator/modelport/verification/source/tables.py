"""Tables of the user's own as arrays: parquet, column by column."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError
from modelport.storage.files import open_beneath
from modelport.verification.arrays import MAX_BYTES, Array, Tensors

MAX_ROWS = 65_536
"""Rows that are read, from the first one on."""
_MAGIC = b"PAR1"
_TWO_AXES = 2


def read_table(folder: Path, file: str, inputs: Sequence[Input]) -> Tensors:
    """Return each input's column, as [rows] or [rows, 1], or all columns in order for a single input [rows, columns].

    Missing numbers are NaN. Raises ValueError for what is no parquet, ModelportError (SamplesNeeded) in an image that
    cannot read any.
    """
    columns = _read_columns(folder, file)
    single = inputs[0] if len(inputs) == 1 and inputs[0].name not in columns else None
    if single is not None and len(single.shape) == _TWO_AXES:
        return {single.name: np.stack(list(columns.values()), axis=1)}
    wide = {each.name for each in inputs if len(each.shape) == _TWO_AXES}
    return {name: array[:, None] if name in wide else array for name, array in columns.items()}


def _read_columns(folder: Path, file: str) -> dict[str, Array]:
    with open_beneath(folder, file) as opened:
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES or content[:4] != _MAGIC or content[-4:] != _MAGIC:
        raise ValueError(f"{file}: {len(content)} bytes that are no parquet")
    try:
        from arro3.io import read_parquet  # in converter images alone
    except ImportError as error:
        message = f"{file}: parquet is not read here; save an npz with one array per input"
        raise ModelportError(Reason.SAMPLES_NEEDED, message) from error
    try:
        return _join(read_parquet(io.BytesIO(content)))
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # its parser fails so: no Exception, and without a public name
            raise
        raise ValueError(f"{file}: {error!s:.100}") from error


def _join(batches: Iterable[Any]) -> dict[str, Array]:
    parts: dict[str, list[Array]] = {}
    rows = 0
    for batch in batches:
        for name in batch.schema.names:
            parts.setdefault(name, []).append(_array(batch.column(name), name))
        rows += batch.num_rows
        if rows >= MAX_ROWS:
            break
    return {name: np.concatenate(arrays)[:MAX_ROWS] for name, arrays in parts.items()}


def _array(column: Any, name: str) -> Array:
    if not column.null_count:
        array = np.asarray(column.to_numpy())
        return array.astype(object) if array.dtype.kind in "OU" else array
    values = column.to_pylist() if hasattr(column, "to_pylist") else [each.as_py() for each in column]
    if any(isinstance(value, str) for value in values):
        raise ValueError(f"column {name} has missing strings")
    return np.array([np.nan if value is None else float(value) for value in values])
