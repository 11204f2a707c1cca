"""Elements of a tensor as they travel, and as arrays: raw bytes, which REST's binary extension and gRPC share.

Raw elements are little-endian and in row-major order; elements of BYTES are a length of four bytes and as many bytes
each. Source: the binary tensor data extension of the protocol.
"""

import struct
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from modelport_server.errors import BadRequestError
from modelport_server.protocol.datatypes import Datatype, datatype_of
from modelport_server.strings import strings, to_bytes, to_string

Array = npt.NDArray[Any]
Buffer = bytes | memoryview
_LENGTH = struct.Struct("<I")


class Payload(Protocol):
    """The elements of one tensor of a request."""

    @property
    def is_for_a_thread(self) -> bool:
        """Whether reading them takes long, and goes on without the interpreter."""

    def read(self, datatype: Datatype, shape: list[int], count: int, field: str) -> Array:
        """Return `count` elements in one dimension; `count` is the product of `shape`. Raises BadRequestError."""


class RawPayload:
    """Raw bytes; the array is a view of them."""

    __slots__ = ("_content",)
    is_for_a_thread = False

    def __init__(self, content: Buffer) -> None:
        """Take the bytes of this tensor alone."""
        self._content = content

    def read(self, datatype: Datatype, shape: list[int], count: int, field: str) -> Array:  # noqa: ARG002
        """Return a view. Raises BadRequestError."""
        if datatype.is_string:
            return _read_strings(self._content, count, field)
        expected = count * datatype.numpy.itemsize
        if len(self._content) != expected:
            message = f"expected {expected} bytes for {count} elements of {datatype.name}, found {len(self._content)}"
            raise BadRequestError(f"{field}: {message}")
        if datatype.name == "BOOL" and np.frombuffer(self._content, np.uint8).max(initial=0) > 1:
            raise BadRequestError(f"{field}: expected bytes 0 and 1 for elements of BOOL, found another")
        return np.frombuffer(self._content, datatype.numpy)


def address_of(content: Buffer) -> int:
    """Return where bytes are in memory, for compiled code that reads them."""
    address: int = np.frombuffer(content, np.uint8).ctypes.data
    return address


def to_raw(array: Array) -> Buffer:
    """Return the raw bytes of an array; a view where they are in memory as they travel."""
    if datatype_of(array).is_string:
        encoded = [to_bytes(each) for each in array.ravel().tolist()]
        return b"".join(part for each in encoded for part in (_LENGTH.pack(len(each)), each))
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _read_strings(content: Buffer, count: int, field: str) -> Array:
    values: list[str] = []
    position, end = 0, len(content)
    while position < end:
        if position + _LENGTH.size > end:
            raise BadRequestError(f"{field}: expected a length of 4 bytes, found {end - position} at byte {position}")
        (length,) = _LENGTH.unpack_from(content, position)
        position += _LENGTH.size
        if position + length > end:
            raise BadRequestError(f"{field}: expected an element of {length} bytes, found {end - position}")
        values.append(to_string(bytes(content[position : position + length])))
        position += length
    if len(values) != count:
        raise BadRequestError(f"{field}: expected {count} elements of BYTES, found {len(values)}")
    return strings(values)
