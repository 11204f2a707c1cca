"""Arrays as ND4J writes them: a buffer of shape information, and one of values (Nd4j.write, BaseDataBuffer.write).

A buffer is how it was allocated (UTF), the number of its elements (int32; int64 since 1.0.0-beta), their type (UTF), and
the elements, big-endian. Shape information is rank, shape, strides, options, the stride from element to element, and the order.
"""

import struct
from typing import IO, NamedTuple

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.dl4j.reading.fields import corrupt

LONG = ("LONG_SHAPE", "MIXED_DATA_TYPES")
SHORT = ("DIRECT", "HEAP", "JAVACPP")
TYPES = {"FLOAT": ">f4", "DOUBLE": ">f8", "HALF": ">f2", "INT": ">i4", "LONG": ">i8"}
FLOATS = ("FLOAT", "DOUBLE", "HALF")
MAX_RANK, MIN_WORDS = 32, 4
MAX_WORD = 64
"""Characters of a word that names an allocation or a type."""


class _Head(NamedTuple):
    length: int
    type: str


def read_vector(file: IO[bytes], name: str, count: int) -> Array:
    """Return the values of an array of that many elements, in a row, as they lie in its file.

    Parameters are one row (or, later, one axis), whose order does not matter. Raises ModelportError (SourceCorrupt).
    """
    head = _read_head(file, name)
    if head.type not in {"INT", "LONG"} or not MIN_WORDS <= head.length <= 2 * MAX_RANK + 4:
        raise corrupt(f"{name}: expected shape information, found {head.length} elements of {head.type}")
    words = np.frombuffer(_take(file, head.length * np.dtype(TYPES[head.type]).itemsize, name), TYPES[head.type])
    rank = int(words[0])
    if not 0 <= rank <= MAX_RANK or 2 * rank + 4 != head.length:
        raise corrupt(f"{name}: expected shape information of 2 rank + 4 numbers, found {head.length}, rank {rank}")
    shape = [int(each) for each in words[1 : rank + 1]]
    if np.prod([float(each) for each in shape]) != count or min(shape, default=1) < 0:
        raise corrupt(f"{name}: expected {count} parameters, as the layers have them, found shape {shape}")
    if max(shape, default=1) != count:
        raise corrupt(f"{name}: expected parameters in one row, found shape {shape}")
    head = _read_head(file, name)
    if head.type not in FLOATS or head.length != count:
        raise corrupt(f"{name}: expected {count} numbers ({', '.join(FLOATS)}), found {head.length} of {head.type}")
    values = np.frombuffer(_take(file, count * np.dtype(TYPES[head.type]).itemsize, name), TYPES[head.type])
    return values.astype(values.dtype.newbyteorder("="))


def _read_head(file: IO[bytes], name: str) -> _Head:
    mode = _read_word(file, name)
    if mode not in LONG + SHORT:
        raise corrupt(f"{name}: expected a buffer ({', '.join(SHORT + LONG)}), found {mode!r:.70}")
    kind, size = (">q", 8) if mode in LONG else (">i", 4)
    (length,) = struct.unpack(kind, _take(file, size, name))
    return _Head(length, _read_word(file, name))


def _read_word(file: IO[bytes], name: str) -> str:
    (length,) = struct.unpack(">H", _take(file, 2, name))
    if length > MAX_WORD:
        raise corrupt(f"{name}: expected a word, found one of {length} characters")
    return _take(file, length, name).decode("ascii", "replace")


def _take(file: IO[bytes], length: int, name: str) -> bytes:
    content = file.read(length)
    if len(content) != length:
        raise corrupt(f"{name}: expected {length} bytes more, found {len(content)}; the file is truncated")
    return content
