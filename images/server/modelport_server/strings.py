"""Elements of BYTES: any bytes, of which most are text.

They are `str` objects in arrays. Bytes that are no UTF-8 stand in them as Python's `surrogateescape` writes them (PEP 383):
nothing is lost, equal bytes are equal strings, and nothing that writes text takes them for some.
"""

from collections.abc import Sequence

import numpy as np

from modelport.verification.arrays import Array

_ERRORS = "surrogateescape"


def to_string(content: bytes) -> str:
    """Return an element that holds these bytes."""
    return content.decode(errors=_ERRORS)


def to_bytes(element: str) -> bytes:
    """Return the bytes of an element."""
    return element.encode(errors=_ERRORS)


def is_text(element: str) -> bool:
    """Whether the bytes of an element are UTF-8."""
    if element.isascii():
        return True
    try:
        element.encode()
    except UnicodeEncodeError:
        return False
    return True


def strings(values: Sequence[str]) -> Array:
    """Return an array of strings, in one dimension."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
