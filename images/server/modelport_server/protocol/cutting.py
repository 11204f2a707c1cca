"""Take long lists of elements out of a JSON text, so that the rest of it is read without going through them.

What is looked for is the text `"data":[` and the next `]`. In a valid document it is a key with a list wherever it
stands outside of a string, and inside of one its quotes would have a backslash before them. The `]` ends the list if there
are neither lists nor strings in it; else the rest is no JSON, and the text is to be read as a whole. A word that no client
can know stands for each list that was taken out; if it turns up anywhere but as the data of an input, the text is to be
read as a whole too.
"""

import ctypes
import re
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from modelport_server.protocol.payloads import Buffer, address_of

LONG = 1 << 14
"""Bytes from which this is worth while: below, the whole is read as quickly."""
_KEY = re.compile(rb'(?<!\\)"data"[ \t\r\n]*:[ \t\r\n]*(?=\[)')
_MEMCHR = ctypes.CDLL(None).memchr
_MEMCHR.argtypes, _MEMCHR.restype = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t), ctypes.c_void_p
_WORD = b'"' + secrets.token_hex(8).encode() + b'-%d"'
_PLACES = {_WORD % number: number for number in range(64)}


class Lists(NamedTuple):
    """A text, and where in it the lists are that were taken out."""

    text: Buffer
    places: list[tuple[int, int]]

    def place_of(self, data: bytes) -> tuple[int, int] | None:
        """Return where the list is that `data` stands for; None if it stands for itself."""
        number = _PLACES.get(data)
        return None if number is None else self.places[number]

    def are_all_of(self, data: Sequence[bytes]) -> bool:
        """Tell whether each list that was taken out is one of these."""
        return sum(self.place_of(each) is not None for each in data) == len(self.places)


def cut(text: Buffer) -> tuple[Buffer, Lists | None]:
    """Return the text with words in place of its long lists, and the lists if there are any."""
    if len(text) < LONG:
        return text, None
    pieces: list[Buffer] = []
    places: list[tuple[int, int]] = []
    position = stop = 0
    while len(places) < len(_PLACES) and (key := _KEY.search(text, position)):
        start = key.end()
        if stop <= start:  # else the one found before is still the next: looking again could cost size times keys
            stop = _find_end(text, start)
        if stop == 0:
            break
        if stop - start < LONG:
            pieces.append(text[position:start])
            position = start
            continue
        pieces += (text[position:start], _WORD % len(places))
        places.append((start, stop))
        position = stop
    if not places:
        return text, None
    pieces.append(text[position:])
    return b"".join(pieces), Lists(text, places)


def _find_end(text: Buffer, start: int) -> int:
    """Return the place behind the next `]`; 0 if there is none. Views have no `find`, and `re` takes ten times longer."""
    address = address_of(text)
    found: int | None = _MEMCHR(address + start, ord("]"), len(text) - start)
    return 0 if found is None else found - address + 1
