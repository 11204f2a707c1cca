"""Long lists of JSON numbers into arrays by compiled code (`numbers.c`), outside of the interpreter's lock.

Images and `make install` compile it. Where that was not done, there is no function for any type, and lists are read by
what reads short ones: as right, five times slower.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelport_server.protocol.payloads import Buffer, address_of

LIBRARY = Path(__file__).with_name("_numbers.so")
_FUNCTIONS = {"float32": "read_floats", "float64": "read_doubles", "int64": "read_int64s"}
Read = Callable[[int, int, int, int], int]


def _load() -> dict[str, Read]:
    try:
        library = ctypes.CDLL(str(LIBRARY))  # lets go of the interpreter's lock during calls
    except OSError:
        return {}
    found: dict[str, Read] = {}
    for dtype, name in _FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long)
        function.restype = ctypes.c_long
        found[dtype] = function
    return found


_READ = _load()


def is_compiled() -> bool:
    """Tell whether long lists are read by compiled code."""
    return bool(_READ)


def read_numbers(text: Buffer, start: int, stop: int, dtype: str, count: int) -> npt.NDArray[Any] | None:
    """Return the elements of the flat list between two places of a text.

    None if it is anything else, or has an element that `dtype` does not hold, or not `count` of them, or if there is no
    compiled code for the type.
    """
    read = _READ.get(dtype)
    if read is None or text[start] != ord("[") or count > stop - start:
        return None
    array = np.empty(count, dtype)
    address = address_of(text)
    return array if read(address + start, address + stop, array.ctypes.data, count) == count else None
