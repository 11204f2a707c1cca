"""Take long lists of elements out of a JSON text, so that the rest of it is read without going through them.

What is looked for is the text `"data":[` with a list that has no strings in it. In a valid document it is a key with a list
wherever it stands outside of a string, and inside of one its quotes would have a backslash before them. A word that no client
can know stands for each list that was taken out. If the rest is no JSON, or a word turns up anywhere but as the data of an
input, the text is to be read as a whole. If all is well, and what was taken out is a list, as whoever reads it finds out, then
the text was valid: a list may stand wherever a word may.
"""

import re
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from modelport_server.protocol.numbers import end_of_list
from modelport_server.protocol.payloads import Buffer

LONG = 1 << 14
"""Bytes from which this is worth while: below, the whole is read as quickly."""
# a pattern that begins with letters is found ten times faster than one that begins with what may not stand before them
_KEY = re.compile(rb'"data"(?<!\\"data")[ \t\r\n]*+:[ \t\r\n]*+(?=\[)')
_WORD = b'"' + secrets.token_hex(8).encode() + b'-%d"'
_MAX_KEYS = 64
"""More than models have inputs; to look at each of millions in a large body would hold up everybody else."""
_PLACES = {_WORD % number: number for number in range(_MAX_KEYS)}


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
    position = kept = 0
    for _ in range(_MAX_KEYS):
        if (key := _KEY.search(text, position)) is None:
            break
        start = position = key.end()
        stop = end_of_list(text, start)
        if stop - start >= LONG:
            pieces += (text[kept:start], _WORD % len(places))
            places.append((start, stop))
            kept = position = stop
    if not places:
        return text, None
    pieces.append(text[kept:])
    return b"".join(pieces), Lists(text, places)
