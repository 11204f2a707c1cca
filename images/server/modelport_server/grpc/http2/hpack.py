"""Header blocks. Source: RFC 7541; its tables, and the bits of its Huffman code, are the library's of the same name.

The library reads blocks too, but is interpreted, and clients with deadlines send another block with each request: this is
to be compiled.
"""

import re
from collections.abc import Iterable
from typing import Final

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from modelport_server.grpc.http2.framing import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, FIRST_TABLE, ConnectionFailedError

OVERHEAD: Final = 32
"""What an entry counts beside its name and value."""
_INDEXED: Final = 0x80
_ADDED: Final = 0x40
_RESIZED: Final = 0x20
_HUFFMAN: Final = 0x80
_MOST_SHIFT: Final = 28
"""Bits of a number behind its first byte; no length or index here is larger than this leaves room for."""
_is_name = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_has_control = re.compile(rb"[\0\r\n]|^[ \t]|[ \t]$").search


class Field:
    """A header."""

    __slots__ = ("is_valid", "name", "size", "value")

    def __init__(self, name: bytes, value: bytes) -> None:
        """Look once whether names and values are what RFC 9113, 8.2.1, wants: the entries of a table come many times."""
        self.name, self.value = name, value
        self.size: int = len(name) + len(value) + OVERHEAD
        self.is_valid: bool = _is_name(name) is not None and _has_control(value) is None


_STATIC: Final = [Field(name, value) for name, value in HeaderTable.STATIC_TABLE]


class Decoder:
    """Reads the blocks of one connection, in their order."""

    def __init__(self, max_bytes: int) -> None:
        """Take headers of up to `max_bytes` together, each counted as in a table."""
        self._max_bytes = max_bytes
        self._dynamic: list[Field] = []
        """The newest last."""
        self._size = 0
        self._capacity = FIRST_TABLE
        self._position = 0

    def decode(self, block: bytes) -> list[Field]:
        """Return the headers of a block. Raises ConnectionFailedError: all later blocks build on this one."""
        fields: list[Field] = []
        try:
            self._read(block, fields)
        except (IndexError, HPACKDecodingError) as error:
            raise ConnectionFailedError(COMPRESSION_ERROR, f"header block: {error}") from error
        return fields

    def _read(self, block: bytes, fields: list[Field]) -> None:
        end, left = len(block), self._max_bytes
        self._position = 0
        while self._position < end:
            first = block[self._position]
            if first & _INDEXED:
                field = self._entry(self._number(block, 0x7F))
            elif first & _ADDED:
                field = self._literal(block, 0x3F)
                self._add(field)
            elif first & _RESIZED:
                if fields:
                    raise IndexError("expected a new size of the table before all headers")
                self._resize(self._number(block, 0x1F))
                continue
            else:
                field = self._literal(block, 0x0F)
            left -= field.size
            if left < 0:
                raise ConnectionFailedError(ENHANCE_YOUR_CALM, f"headers: expected at most {self._max_bytes} bytes")
            fields.append(field)

    def _literal(self, block: bytes, mask: int) -> Field:
        index = self._number(block, mask)
        name = self._entry(index).name if index else self._string(block)
        return Field(name, self._string(block))

    def _entry(self, index: int) -> Field:
        known = len(_STATIC)
        if 0 < index <= known:
            return _STATIC[index - 1]
        behind = index - known
        if not 0 < behind <= len(self._dynamic):
            raise IndexError(f"expected an index of the table, found {index}")
        return self._dynamic[-behind]

    def _string(self, block: bytes) -> bytes:
        is_huffman = block[self._position] & _HUFFMAN
        length = self._number(block, 0x7F)
        begin = self._position
        self._position = begin + length
        if self._position > len(block):
            raise IndexError(f"expected {length} bytes, found its end")
        content = block[begin : self._position]
        return bytes(decode_huffman(content)) if is_huffman else content

    def _number(self, block: bytes, mask: int) -> int:
        value = block[self._position] & mask
        self._position += 1
        if value < mask:
            return value
        shift = 0
        while True:
            byte = block[self._position]
            self._position += 1
            value += (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7
            if shift > _MOST_SHIFT:
                raise IndexError("expected a number of at most 5 bytes behind its first")

    def _add(self, field: Field) -> None:
        self._size += field.size
        self._dynamic.append(field)
        self._evict()

    def _resize(self, capacity: int) -> None:
        if capacity > FIRST_TABLE:
            raise IndexError(f"expected a table of at most {FIRST_TABLE} bytes, found {capacity}")
        self._capacity = capacity
        self._evict()

    def _evict(self) -> None:
        while self._size > self._capacity:
            self._size -= self._dynamic.pop(0).size


def encode(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a block of literals, which leaves the client's table alone: a block is the same for all connections."""
    block = bytearray()
    for name, value in headers:
        block.append(0)
        for part in (name, value):
            block += _length(len(part)) + part
    return bytes(block)


def _length(value: int) -> bytes:
    most = 0x7F
    if value < most:
        return bytes((value,))
    content, value = bytearray((most,)), value - most
    while value > most:
        content.append(value & most | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)
