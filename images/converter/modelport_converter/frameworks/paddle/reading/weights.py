"""Weights as Paddle stores them (SerializeToStream of paddle/phi/core/framework/dense_tensor_serialize.cc).

A tensor is: version (uint32, 0), number of levels (uint64) and each with its bytes (uint64) and content, version (uint32,
0), size of a description (int32), the description (TensorDesc), and the elements. All numbers are little-endian. A
combined file has one after the other, by the order of their names; Paddle 1 may leave a file for each.
"""

import math
import shutil
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError

from modelport.verification.arrays import Array
from modelport.verification.source.moving import move_weights
from modelport_converter.frameworks.paddle.reading.program import Value, corrupt
from modelport_converter.frameworks.paddle.reading.schema import DTYPES, new_tensor

MAX_DESCRIPTION = 4_096
MAX_LEVELS = 64
MAX_RANK = 32
SIZES = {"bfloat16": 2}
"""Bytes of elements that numpy has no type for."""


class Stored(NamedTuple):
    """A tensor in a file."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    """Of its elements, in bytes."""
    bytes: int


def read_headers(path: Path, wanted: Sequence[Value]) -> list[Stored]:
    """Return where each weight lies in a combined file. Raises ModelportError (SourceCorrupt)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        found = [_checked(path.name, _read_header(file, size, path.name, each.name), each) for each in wanted]
        if file.tell() != size:
            raise corrupt(path.name, f"{file.tell()} bytes for {len(wanted)} weights of the program", f"{size} bytes")
    return found


def combine(folder: Path, wanted: Sequence[Value], target: Path) -> None:
    """Write a combined file of weights that have a file each. Raises ModelportError (SourceCorrupt)."""
    with target.open("wb") as written:
        for each in wanted:
            path = folder / each.name
            read_headers(path, [each])
            with path.open("rb") as file:
                shutil.copyfileobj(file, written)


def read_arrays(path: Path, wanted: Sequence[Value], names: frozenset[str]) -> Iterator[tuple[str, Array]]:
    """Return some weights of a combined file."""
    for value, stored in zip(wanted, read_headers(path, wanted), strict=True):
        if value.name in names:
            with path.open("rb") as file:
                file.seek(stored.offset)
                content = file.read(stored.bytes)
            yield value.name, np.frombuffer(content, stored.dtype).reshape(stored.shape)


def write_moved(path: Path, wanted: Sequence[Value], target: Path) -> None:
    """Write a combined file with each weight moved by one unit in the last place."""
    shutil.copyfile(path, target)
    random = np.random.default_rng(0)
    with target.open("r+b") as file:
        for stored in read_headers(path, wanted):
            if stored.dtype not in SIZES:
                file.seek(stored.offset)
                array = np.frombuffer(file.read(stored.bytes), stored.dtype).reshape(stored.shape)
                file.seek(stored.offset)
                file.write(move_weights(array, random).tobytes())


def _read_header(file: BinaryIO, size: int, name: str, weight: str) -> Stored:
    (levels,) = _numbers(file, "<xxxxQ", name, weight)
    if levels > MAX_LEVELS:
        raise corrupt(name, f"weight {weight} with at most {MAX_LEVELS} levels", levels)
    for _ in range(levels):
        (length,) = _numbers(file, "<Q", name, weight)
        if file.tell() + length > size:
            raise corrupt(name, f"weight {weight} with a level of {length} bytes", f"the end of {size} bytes")
        file.seek(length, 1)
    version, length = _numbers(file, "<Ii", name, weight)
    if version != 0 or not 0 < length <= MAX_DESCRIPTION:
        raise corrupt(name, f"the description of weight {weight}", f"version {version} and {length} bytes")
    tensor = new_tensor()
    try:
        tensor.ParseFromString(file.read(length))
    except DecodeError as error:
        raise corrupt(name, f"the description of weight {weight}", error) from error
    dtype = DTYPES.get(tensor.data_type, "")
    if not dtype or len(tensor.dims) > MAX_RANK or any(each < 0 for each in tensor.dims):
        raise corrupt(name, f"type and lengths of weight {weight}", f"type {tensor.data_type}, {list(tensor.dims)[:8]}")
    shape, offset = tuple(tensor.dims), file.tell()
    count = math.prod(shape) * (SIZES.get(dtype) or np.dtype(dtype).itemsize)
    if offset + count > size:
        raise corrupt(name, f"{count} bytes of weight {weight} from {offset}", f"{size} bytes; the file is truncated")
    file.seek(count, 1)
    return Stored(dtype, shape, offset, count)


def _numbers(file: BinaryIO, layout: str, name: str, weight: str) -> tuple[int, ...]:
    content = file.read(struct.calcsize(layout))
    if len(content) < struct.calcsize(layout):
        raise corrupt(name, f"weight {weight} of the program", f"the end of the file at {file.tell()}")
    return struct.unpack(layout, content)


def _checked(name: str, found: Stored, wanted: Value) -> Stored:
    same = len(found.shape) == len(wanted.shape) and all(
        one in {-1, other} for one, other in zip(wanted.shape, found.shape, strict=True)
    )
    if found.dtype != wanted.dtype or not (same or math.prod(found.shape) == math.prod(wanted.shape)):
        raise corrupt(
            name,
            f"weight {wanted.name} as {wanted.dtype} {list(wanted.shape)}, as the program says",
            f"{found.dtype} {list(found.shape)}; the two files are of different models",
        )
    return found
