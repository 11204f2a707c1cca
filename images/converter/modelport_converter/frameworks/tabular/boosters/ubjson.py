"""Universal Binary JSON (https://ubjson.org, draft 12) as XGBoost writes it: objects, arrays, typed arrays, lengths of all kinds.

Lengths are checked against the bytes that are left before anything is made of them.
"""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

NUMBERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
INTEGERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q"}
FLOATS = {b"d": ">f", b"D": ">d"}
CONSTANTS = {b"Z": None, b"T": True, b"F": False}
MAX_DEPTH = 64


def decode(content: bytes) -> Any:
    """Return the value that fills the content; typed arrays become lists. Raises ValueError."""
    reader = _Reader(content)
    value = reader.value(reader.take(1), 0)
    if reader.place != len(content):
        raise ValueError(f"{len(content) - reader.place} bytes behind the end")
    return value


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def take(self, size: int) -> bytes:
        if not 0 <= size <= len(self._content) - self.place:
            raise ValueError(f"{size} bytes at {self.place} of {len(self._content)}")
        begin, self.place = self.place, self.place + size
        return self._content[begin : self.place]

    def value(self, kind: bytes, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels")
        if kind in CONSTANTS:
            return CONSTANTS[kind]
        if kind in INTEGERS:
            return self._number(INTEGERS[kind])
        if kind in FLOATS:
            return self._number(FLOATS[kind])
        if kind == b"S":
            return self._text()
        if kind == b"[":
            return self._array(depth)
        if kind == b"{":
            return self._object(depth)
        raise ValueError(f"the unknown mark {kind!r} at {self.place - 1}")

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def _length(self) -> int:
        kind = self.take(1)
        if kind not in INTEGERS:
            raise ValueError(f"the mark {kind!r} at {self.place - 1} instead of a length")
        return int(self._number(INTEGERS[kind]))

    def _text(self) -> str:
        return self.take(self._length()).decode()

    def _peek(self, mark: bytes) -> bool:
        found = self._content[self.place : self.place + 1] == mark
        self.place += found
        return found

    def _array(self, depth: int) -> list[Any]:
        if self._peek(b"$"):
            kind = self.take(1)
            if kind not in NUMBERS or not self._peek(b"#"):
                raise ValueError(f"an array of {kind!r} at {self.place}")
            dtype = np.dtype(NUMBERS[kind])
            found: list[Any] = np.frombuffer(self.take(self._length() * dtype.itemsize), dtype).tolist()
            return found
        return self._items(b"]", lambda: self.value(self.take(1), depth + 1))

    def _object(self, depth: int) -> dict[str, Any]:
        return dict(self._items(b"}", lambda: (self._text(), self.value(self.take(1), depth + 1))))

    def _items(self, end: bytes, read: Callable[[], Any]) -> list[Any]:
        if self._peek(b"#"):
            count = self._length()
            if not 0 <= count <= len(self._content) - self.place:
                raise ValueError(f"{count} items in {len(self._content) - self.place} bytes")
            return [read() for _ in range(count)]
        found = []
        while not self._peek(end):
            found.append(read())
        return found
