"""Raw tensors in messages, without a copy: cut out of a request before it is parsed, put behind an answer.

A message is a sequence of fields: a tag, which is a number and a kind of encoding, and a value. Repeated fields may
stand anywhere, and messages one after another are one message. So the raw tensors of a request, a repeated field of its
top level, can be taken out and the rest still is a message; and those of an answer can follow its other fields.
Source: the encoding guide of Protocol Buffers.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from modelport_server.errors import BadRequestError
from modelport_server.protocol.payloads import Buffer

RAW_OUTPUT = 6
"""Number of the field in ModelInferResponse."""
MAX_FIELDS = 4096
"""Fields on the top level of a request; each costs time in the event loop, and no model has so many inputs."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_KIND = 7
"""Bits of a tag that are the kind of encoding; the others are the number."""
_RAW_INPUT = 7 << 3 | _BYTES
_MORE = 0x80
"""Bit of a byte that is not the last one of a number."""
_SHORT, _LONG = 5, 10
"""Most bytes of a tag or length, and of any number."""


class Cut(NamedTuple):
    """A request in two parts."""

    head: bytes
    """A message without the raw tensors."""
    raw: list[memoryview]


def cut(message: bytes) -> Cut:
    """Take out the raw tensors. Raises BadRequestError."""
    view, raw, kept = memoryview(message), list[memoryview](), list[memoryview]()
    position = copied = fields = 0
    end = len(message)
    try:
        while position < end and fields < MAX_FIELDS:
            fields += 1
            begin = position
            tag = message[position]
            position += 1
            if tag & _MORE:
                tag, position = _number(message, begin, _SHORT)
            if tag & _KIND != _BYTES:
                position = _behind(message, position, tag & _KIND)
                continue
            length = message[position]
            position += 1
            if length & _MORE:
                length, position = _number(message, position - 1, _SHORT)
            if tag == _RAW_INPUT:
                kept.append(view[copied:begin])
                copied = position + length
                raw.append(view[position:copied])
            position += length
    except IndexError:
        position = end + 1
    if position != end:
        told = "a field that goes beyond them" if position > end else f"more than {MAX_FIELDS} fields"
        raise BadRequestError(f"message: expected fields in {end} bytes, found {told}")
    if not raw:
        return Cut(message, raw)
    kept.append(view[copied:])
    return Cut(b"".join(kept), raw)


def raw_fields(contents: Sequence[Buffer]) -> list[Buffer]:
    """Return the pieces of an answer's field with raw outputs."""
    pieces: list[Buffer] = []
    for content in contents:
        pieces += (head(RAW_OUTPUT, len(content)), content)
    return pieces


@lru_cache(256)
def head(number: int, length: int) -> bytes:
    """Return what stands before the bytes of a field."""
    content = bytearray((number << 3 | _BYTES,))
    while length >= _MORE:
        content.append(length & 0x7F | _MORE)
        length >>= 7
    content.append(length)
    return bytes(content)


def _behind(message: bytes, position: int, kind: int) -> int:
    """Return the position behind a value that is no sequence of bytes."""
    if kind == _VARINT:
        return _number(message, position, _LONG)[1]
    if kind not in _SIZES:
        raise BadRequestError(f"message: expected no groups, found a field of kind {kind} at byte {position}")
    return position + _SIZES[kind]


def _number(message: bytes, position: int, most: int) -> tuple[int, int]:
    """Return a number and the position behind it."""
    value = 0
    for index in range(most):
        byte = message[position + index]
        value |= (byte & 0x7F) << 7 * index
        if not byte & _MORE:
            return value, position + index + 1
    raise BadRequestError(f"message: expected a number of at most {most} bytes, found a longer one at byte {position}")
