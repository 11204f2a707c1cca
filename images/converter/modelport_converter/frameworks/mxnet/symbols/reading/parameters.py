"""Parameters: the list of arrays that `mx.nd.save` writes, in all four forms that arrays had, or an npz of MXNet 2.

The form is that of src/ndarray/ndarray.cc: a magic number, a reserved word, the arrays, and their names; all numbers
little-endian. No length is believed before as many bytes are there.
"""

import math
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks.mxnet.symbols import PARAMETERS
from modelport.storage.archives import DAMAGED, open_zip
from modelport.verification.arrays import MAX_ARRAYS, Array, read_npy

DTYPES = {
    0: "float32", 1: "float64", 2: "float16", 3: "uint8", 4: "int32", 5: "int8", 6: "int64", 7: "bool", 8: "int16",
    9: "uint16", 10: "uint32", 11: "uint64",
}  # fmt: skip
"""mshadow::TypeFlag."""
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
"""What arrays begin with since 0.12, 1.0 and 1.5; before, with their number of axes."""
DENSE, ROWS = 0, 1
STORAGES = {-1: DENSE, 0: DENSE, 1: ROWS}
"""NDArrayStorageType: all elements, or the rows that are not zero; undefined is dense."""
MAX_AXES = 32
MAX_NAME_BYTES = 4_096
MAX_RATIO = 20
"""Of what is unpacked to what is packed, in an npz: weights hardly shrink."""


class Parameters(NamedTuple):
    """Arrays by name, in the order of the file."""

    arrays: dict[str, Array]
    has_prefixes: bool
    """Whether names say which are arguments (`arg:`) and which auxiliary states (`aux:`)."""
    is_numpy: bool
    """Whether some array is of NumPy's semantics, where a shape may have no axis, or an axis no length."""


class _Reader:
    """A file that ends where it ends."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self.file, self.size, self.name = file, size, name

    def take(self, count: int, what: str) -> bytes:
        at = self.file.tell()
        if not 0 <= count <= self.size - at:
            raise self.broken(f"{what} of {count} bytes at offset {at}", f"{self.size - at} bytes")
        return self.file.read(count)

    def numbers(self, form: str, what: str) -> tuple[Any, ...]:
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}"), what))

    def number(self, form: str, what: str) -> int:
        return int(self.numbers(form, what)[0])

    def broken(self, expected: str, found: str) -> ModelportError:
        return ModelportError(Reason.SOURCE_CORRUPT, f"{self.name:.100}: expected {expected}, found {found:.100}")


def read_parameters(path: Path) -> Parameters:
    """Return the arrays of a file. Raises ModelportError (SourceCorrupt, ConversionFailed)."""
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            return _read_npz(path)
        file.seek(0)
        return _read_list(_Reader(file, path.stat().st_size, path.name))


def _read_list(reader: _Reader) -> Parameters:
    if reader.take(len(PARAMETERS), "magic number") != PARAMETERS:
        raise reader.broken("a list of MXNet's arrays", "another magic number")
    count = reader.number("Q", "number of arrays")
    if count > MAX_ARRAYS:
        raise reader.broken(f"at most {MAX_ARRAYS} arrays", str(count))
    arrays, numpys = [], []
    for number in range(count):
        array, is_numpy = _read_array(reader, f"array {number}")
        arrays.append(array)
        numpys.append(is_numpy)
    names = _read_names(reader, count)
    rest = reader.size - reader.file.tell()
    if rest:
        raise reader.broken("the end of the file behind the names", f"{rest} bytes more")
    return _named(dict(zip(names, arrays, strict=True)), is_numpy=any(numpys))


def _read_names(reader: _Reader, count: int) -> list[str]:
    found = reader.number("Q", "number of names")
    if found != count:
        raise reader.broken(f"names of {count} arrays", f"{found}; save a dict, as save_checkpoint and export do")
    names = []
    for _ in range(count):
        length = reader.number("Q", "length of a name")
        if length > MAX_NAME_BYTES:
            raise reader.broken(f"a name of at most {MAX_NAME_BYTES} bytes", str(length))
        content = reader.take(length, "name")
        try:
            names.append(content.decode())
        except UnicodeDecodeError:
            raise reader.broken("names that are text", repr(content[:40])) from None
    if len(set(names)) != count:
        raise reader.broken("a name for each array", "one twice")
    return names


def _read_array(reader: _Reader, what: str) -> tuple[Array, bool]:
    """Return an array, and whether it is of NumPy's semantics."""
    magic = reader.number("I", what)
    storage, stored, is_numpy = DENSE, None, magic == V3
    if magic in (V2, V3):
        kind = reader.number("i", f"storage of {what}")
        if kind not in STORAGES:
            message = (
                f"{reader.name:.100}: {what} is stored as kind {kind} (2 is csr); save it dense, by tostype('default')"
            )
            raise ModelportError(Reason.CONVERSION_FAILED, message)
        storage = STORAGES[kind]
        stored = _read_shape(reader, what) if storage == ROWS else None
    shape = _read_shape(reader, what) if magic in (V1, V2, V3) else _read_lengths(reader, magic, "I", what)
    if not is_numpy and (not shape or 0 in shape):  # MXNet writes nothing more of an array without elements
        raise reader.broken(f"{what} with elements", f"the shape {list(shape)}")
    reader.numbers("ii", f"device of {what}")
    dtype = _read_dtype(reader, what)
    if stored is None:
        return _read_content(reader, shape, dtype, what), is_numpy
    return _read_rows(reader, shape, stored, dtype, what), is_numpy


def _read_rows(
    reader: _Reader, shape: tuple[int, ...], stored: tuple[int, ...], dtype: np.dtype[Any], what: str
) -> Array:
    kind, places = _read_dtype(reader, what), _read_shape(reader, what)
    content = _read_content(reader, stored, dtype, what)
    rows = _read_content(reader, places, kind, what)
    is_right = rows.ndim == 1 and len(rows) == len(content) and content.shape[1:] == shape[1:] and kind.kind in "iu"
    if not is_right or (len(rows) and not 0 <= rows.min() <= rows.max() < shape[0]):
        raise reader.broken(f"{what} with {shape[0]} rows at most", f"rows {list(stored)} at {list(places)}")
    if math.prod(shape) * dtype.itemsize > max(reader.size, 1 << 20) * 64:
        raise reader.broken(f"{what} of some rows", f"the shape {list(shape)}")
    whole = np.zeros(shape, dtype)
    whole[rows] = content
    return whole


def _read_shape(reader: _Reader, what: str) -> tuple[int, ...]:
    return _read_lengths(reader, reader.number("i", f"number of axes of {what}"), "q", what)


def _read_lengths(reader: _Reader, axes: int, form: str, what: str) -> tuple[int, ...]:
    if not 0 <= axes <= MAX_AXES:
        raise reader.broken(f"{what} with at most {MAX_AXES} axes", str(axes))
    shape = tuple(map(int, reader.numbers(f"{axes}{form}", f"shape of {what}")))
    if any(length < 0 for length in shape):
        raise reader.broken(f"{what} with lengths", str(list(shape)))
    return shape


def _read_dtype(reader: _Reader, what: str) -> np.dtype[Any]:
    flag = reader.number("i", f"element type of {what}")
    if flag not in DTYPES:
        raise reader.broken(f"{what} of a type of NumPy's", f"type flag {flag}")
    return np.dtype(DTYPES[flag])


def _read_content(reader: _Reader, shape: tuple[int, ...], dtype: np.dtype[Any], what: str) -> Array:
    content = reader.take(math.prod(shape) * dtype.itemsize, what)
    return np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)


def _read_npz(path: Path) -> Parameters:
    try:
        with path.open("rb") as file, open_zip(path.name, file) as archive:
            members = archive.infolist()
            unpacked = sum(each.file_size for each in members)
            if len(members) > MAX_ARRAYS or unpacked > MAX_RATIO * path.stat().st_size:
                raise ValueError(f"{len(members)} arrays of {unpacked} bytes")  # noqa: TRY301  # told as any other damage
            arrays = {
                each.filename.removesuffix(".npy"): read_npy(archive.read(each), each.filename) for each in members
            }
    except (*DAMAGED, ValueError) as error:
        message = f"{path.name:.100}: expected an npz of numbers, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    return _named(arrays, is_numpy=True)


def _named(arrays: dict[str, Array], *, is_numpy: bool) -> Parameters:
    has_prefixes = bool(arrays) and all(name.startswith(("arg:", "aux:")) for name in arrays)
    return Parameters(arrays, has_prefixes, is_numpy)


def bare_names(parameters: Parameters) -> dict[str, Array]:
    """Return the arrays by the names that variables have, without `arg:` and `aux:`."""
    if not parameters.has_prefixes:
        return parameters.arrays
    return {name.partition(":")[2]: array for name, array in parameters.arrays.items()}
