"""Long lists of JSON numbers into arrays by compiled code (`numbers.c`), outside of the interpreter's lock.

Images and `make install` compile it. Where that was not done, there is no function for any type, and lists are read by
what reads others, five to twenty times slower, and in FP32 by way of float64, which rounds twice.
"""

import ctypes
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelport_server.protocol.payloads import Buffer, address_of

LIBRARY = Path(__file__).with_name("_numbers.so")
_FUNCTIONS = {"float32": "read_floats", "float64": "read_doubles", "int64": "read_int64s"}


def _load() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(LIBRARY))  # lets go of the interpreter's lock during calls
    except OSError:
        return None
    for name in _FUNCTIONS.values():
        getattr(library, name).argtypes = (*[ctypes.c_void_p] * 4, ctypes.c_long)
    library.end_of_list.argtypes, library.end_of_list.restype = [ctypes.c_void_p] * 2, ctypes.c_void_p
    return library


_COMPILED = _load()


def is_compiled() -> bool:
    """Tell whether there is compiled code."""
    return _COMPILED is not None


def end_of_list(text: Buffer, start: int) -> int:
    """Return the place behind the list that begins there.

    0 if there are strings in it, or lists that no array can be, or if it does not end, or if there is no compiled code.
    """
    if _COMPILED is None:
        return 0
    address = address_of(text)
    found: int | None = _COMPILED.end_of_list(address + start, address + len(text))
    return 0 if found is None else found - address


def read_numbers(text: Buffer, start: int, stop: int, dtype: str, lengths: Sequence[int]) -> npt.NDArray[Any] | None:
    """Return the elements, in one dimension, of the lists in lists between two places of a text.

    `lengths` are those of the outermost list, of each list in it, and so on; a flat list has one. The text must end with "]".
    None if it is anything else, or has an element that `dtype` does not hold or no elements, or if there is no compiled code
    for the type.
    """
    count = math.prod(lengths)
    if _COMPILED is None or dtype not in _FUNCTIONS or min(lengths, default=0) < 1 or count > stop - start:
        return None
    array = np.empty(count, dtype)
    address, depth = address_of(text), len(lengths)
    told = (ctypes.c_long * depth)(*lengths)
    read = getattr(_COMPILED, _FUNCTIONS[dtype])
    return array if read(address + start, address + stop, array.ctypes.data, told, depth) else None
