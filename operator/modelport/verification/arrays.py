"""Named arrays with a JSON index in one file: the form of references and golden samples.

It is the npz of numpy without its freedoms, because the file comes from a step that ran foreign code: no pickles, no
compression (so that what is read is bounded by the size of the file), headers checked against the bytes that follow.
"""

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

Array = npt.NDArray[Any]
Tensors = dict[str, Array]
"""Tensors by name, in order."""

MAX_BYTES = 2 << 30
MAX_ARRAYS = 65_536
MAX_FILE_BYTES = MAX_BYTES + (64 << 20)
"""Of arrays with their names and headers."""
INDEX = "index"
_KINDS = "biufU"
_BFLOAT16 = np.dtype("V2")


def write_arrays(path: Path, index: bytes, arrays: Mapping[str, Array]) -> None:
    """Write `index`, a JSON text, and the arrays; equal contents make equal bytes.

    Raises ModelportError (ConversionFailed) for an element type that cannot be served: complex numbers, dates, objects.
    """
    for array in arrays.values():
        if array.dtype.kind not in _KINDS + "O" and str(array.dtype) != "bfloat16":
            hint = "; return real and imaginary parts as outputs of their own" if array.dtype.kind == "c" else ""
            message = (
                f"expected numbers, booleans or strings, found an array of {array.dtype}, which cannot be served{hint}"
            )
            raise ModelportError(Reason.CONVERSION_FAILED, message)
    stored = {name: array.astype(np.str_) if array.dtype.kind == "O" else array for name, array in arrays.items()}
    np.savez(path, allow_pickle=False, **{INDEX: np.frombuffer(index, np.uint8), **stored})


def read_arrays(file: BinaryIO, name: str) -> tuple[bytes, Tensors]:
    """Return index and arrays; `name` is for messages. How a file is opened that another wrote is the caller's care.

    Raises ModelportError (ConversionFailed) for anything that `write_arrays` did not write.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            arrays = dict(_read_member(archive, member) for member in _members(archive))
        index = arrays.pop(INDEX)
    except (
        Exception
    ) as error:  # what parsers raise on hostile files: MemoryError, NotImplementedError, SystemError, ...
        found = f"{type(error).__name__} {error!s:.200}"
        message = f"{name}: expected an uncompressed npz of numbers or strings with an index, found: {found}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    return index.tobytes(), arrays


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MAX_ARRAYS or sum(member.file_size for member in members) > MAX_BYTES:
        raise ValueError(f"{len(members)} arrays; at most {MAX_ARRAYS} in {MAX_BYTES} bytes are read")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{member.filename} is compressed")
    return members


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[str, Array]:
    return member.filename.removesuffix(".npy"), read_npy(archive.read(member), member.filename)


def read_npy(content: bytes, name: str) -> Array:
    """Return the array of an npy file; raises ValueError for anything but numbers and strings with a true header."""
    data = io.BytesIO(content)
    version = np.lib.format.read_magic(data)
    if version != (1, 0):
        raise ValueError(f"{name} has npy version {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(data)
    rest = len(content) - data.tell()
    if (dtype.kind not in _KINDS and dtype != _BFLOAT16) or dtype.itemsize * math.prod(shape) != rest:
        raise ValueError(f"{name} has type {dtype.str!s:.32}, {len(shape)} axes and {rest} bytes")
    flat = _as_served(np.frombuffer(content, dtype, offset=data.tell()))
    return flat.reshape(shape, order="F" if fortran else "C")


def _as_served(flat: Array) -> Array:
    """Return strings as objects, and two bytes that numpy has no type for as bfloat16, which it stores like that."""
    if flat.dtype.kind == "U":
        return flat.astype(object)
    if flat.dtype == _BFLOAT16:
        import ml_dtypes

        return flat.view(ml_dtypes.bfloat16)
    return flat
