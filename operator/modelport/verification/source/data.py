"""Samples of the user's own (`verification.data`, `target.calibration`): npz, a folder of npy files, or parquet for tables.

A stranger's files: no pickles, headers checked against the bytes that follow, sizes bounded, no link followed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from modelport.api.reasons import Reason
from modelport.api.spec import FIELDS, DimensionRange, Input
from modelport.errors import ModelportError
from modelport.storage.archives import open_zip
from modelport.storage.files import list_tree, open_beneath, read_bytes
from modelport.verification.arrays import MAX_ARRAYS, MAX_BYTES, Array, Tensors, read_npy
from modelport.verification.samples.lengths import find_batch
from modelport.verification.samples.values import dtype_of
from modelport.verification.source.tables import read_table

ROWS = 8
"""Rows of one sample, where the batch is free."""
MAX_SAMPLES = 128
"""Of more rows, these many samples are taken, evenly spread."""


def read_data(
    folder: Path,
    inputs: Sequence[Input],
    dimensions: Mapping[str, DimensionRange] = {},
    field: str = FIELDS["data"],
) -> list[Tensors]:
    """Return samples of the inputs (without recurrent states), cut along the batch, or else along the first axis.

    Raises ModelportError, with the field that names them: InvalidSpec for names, types and shapes that are not the
    inputs', SamplesNeeded for files that cannot be read.
    """
    try:
        return _read_samples(folder, inputs, dimensions)
    except ModelportError as error:
        raise ModelportError(error.reason, f"{field}: {error.message}") from error


def _read_samples(folder: Path, inputs: Sequence[Input], dimensions: Mapping[str, DimensionRange]) -> list[Tensors]:
    arrays = _read(folder, inputs)
    expected, found = {each.name for each in inputs}, set(arrays)
    if expected != found:
        message = f"expected the arrays {_names(expected)}, found {_names(found)}"
        raise ModelportError(Reason.INVALID_SPEC, message)
    fitting = {each.name: _fit(each, arrays[each.name]) for each in inputs}
    samples = _cut(inputs, fitting, dimensions)
    if not samples:
        raise ModelportError(Reason.INVALID_SPEC, "expected at least one sample, found no rows")
    for sample in samples:
        _check_lengths(inputs, sample)
    return samples


def _read(folder: Path, inputs: Sequence[Input]) -> Tensors:
    files = list_tree(folder)
    suffixes = {Path(file).suffix.lower() for file in files}
    try:
        if suffixes == {".npz"} and len(files) == 1:
            return _read_npz(folder, files[0])
        if suffixes == {".npy"} and len(files) <= MAX_ARRAYS:
            return {Path(file).stem: read_npy(read_bytes(folder, file, MAX_BYTES), file) for file in files}
        if suffixes == {".parquet"} and len(files) == 1:
            return read_table(folder, files[0], inputs)
    except ModelportError:
        raise
    except Exception as error:  # what parsers raise on broken files is no list that ends
        message = f"expected numbers or strings without pickles, found: {error!s:.200}"
        raise ModelportError(Reason.SAMPLES_NEEDED, message) from error
    message = f"expected one npz, npy files named after the inputs, or one parquet, found {_names(files)}"
    raise ModelportError(Reason.SAMPLES_NEEDED, message)


def _read_npz(folder: Path, file: str) -> Tensors:
    with open_beneath(folder, file) as opened, open_zip(file, opened) as archive:
        members = archive.infolist()
        if len(members) > MAX_ARRAYS or sum(member.file_size for member in members) > MAX_BYTES:
            raise ValueError(f"{len(members)} arrays; at most {MAX_ARRAYS} in {MAX_BYTES} bytes are read")
        return {
            member.filename.removesuffix(".npy"): read_npy(archive.read(member), member.filename) for member in members
        }


def _fit(each: Input, array: Array) -> Array:
    """Return the array in the input's type, if nothing is lost by that."""
    dtype = dtype_of(each.dtype)
    is_text = each.dtype == "string"
    fits = array.ndim == len(each.shape) and is_text == (array.dtype.kind == "O")
    with np.errstate(all="ignore"):
        cast = array.astype(dtype) if fits else array
    if fits and not is_text and cast.dtype != array.dtype:
        is_float = array.dtype.kind == "f"
        # both ways: -1 comes back from uint64, and 2**53 + 1 equals the float that it is rounded to
        fits = all(np.array_equal(back, array, equal_nan=is_float) for back in (cast, cast.astype(array.dtype)))
    if not fits:
        message = (
            f"{each.name}: expected {each.dtype}{list(each.shape)}, found {array.dtype}{list(array.shape)}"
            "; convert it where that loses nothing that matters, such as by .astype('float32')"
        )
        raise ModelportError(Reason.INVALID_SPEC, message)
    return cast


def _cut(inputs: Sequence[Input], arrays: Tensors, dimensions: Mapping[str, DimensionRange]) -> list[Tensors]:
    batch = find_batch(inputs)
    firsts = {each.shape[0] for each in inputs if each.shape}
    if batch is not None:
        axes = {each.name: each.shape.index(batch) for each in inputs if batch in each.shape}
        limits = dimensions.get(batch, DimensionRange())
        step = limits.multiple_of
        size = max(1, min(max(ROWS, limits.min), limits.max or MAX_BYTES) // step) * step
        smallest = max(step, limits.min)
    elif len(firsts) == 1:
        (size,) = (int(first) for first in firsts)
        axes, step, smallest = {each.name: 0 for each in inputs if each.shape}, size, size
    else:
        return [arrays]
    rows = {arrays[name].shape[axis] for name, axis in axes.items()}
    if len(rows) != 1:
        found = ", ".join(f"{name} {arrays[name].shape[axis]}" for name, axis in axes.items())
        raise ModelportError(Reason.INVALID_SPEC, f"expected as many rows of all inputs, found {found:.300}")
    (count,) = rows
    starts = [start for start in range(0, count, size) if min(size, count - start) >= smallest]
    chosen = np.unique(np.linspace(0, len(starts) - 1, MAX_SAMPLES).astype(int)).tolist() if starts else []
    spans = [(starts[number], min(size, count - starts[number]) // step * step) for number in chosen]
    return [
        {
            name: np.take(array, np.arange(start, start + length), axes[name]) if name in axes else array
            for name, array in arrays.items()
        }
        for start, length in spans
    ]


def _check_lengths(inputs: Sequence[Input], sample: Tensors) -> None:
    found: dict[str | int, int] = {}
    for each in inputs:
        for dimension, length in zip(each.shape, sample[each.name].shape, strict=True):
            expected = dimension if isinstance(dimension, int) else found.setdefault(dimension, length)
            if length != expected:
                message = (
                    f"{each.name}: expected {list(each.shape)} with {dimension} = {expected}, found "
                    f"{list(sample[each.name].shape)}"
                )
                raise ModelportError(Reason.INVALID_SPEC, message)


def _names(names: Sequence[str] | set[str]) -> str:
    return ", ".join(sorted(names))[:200] or "nothing"
