"""What float32 makes of a length, as Python's numbers have it, which round to more digits."""

from collections.abc import Callable
from typing import Any

import numpy as np

LONGEST = 1 << 17
"""Free lengths are looked at up to this one."""
_STEP = 2.0**-24


def find_factor(
    number: Any, operation: Callable[..., Any], function: Callable[..., Any], length: int | None = None
) -> float | None:
    """Return what takes the place of a float32 number in an operation (product or quotient) with a length of Python's.

    The result is rounded by the function to the same whole number, for all lengths, or for the one that is known; None
    if nothing is.
    """
    lengths = np.arange(LONGEST) if length is None else np.array([length])
    right = function(operation(lengths.astype(np.float32), np.float32(number)))
    exact = float(np.float32(number))
    for found in (float(str(np.float32(number))), exact, exact * (1 + _STEP), exact * (1 - _STEP)):
        if np.array_equal(function(operation(lengths, found)), right):
            return found
    return None


def has_same_places(scale: Any, factor: float, length: int | None = None) -> bool:
    """Return whether PyTorch's nearest elements, which multiply by 1 / factor, are ONNX's, which divide by the scale.

    Both count in float32, over so many new elements; None are any number.
    """
    places = np.arange(LONGEST if length is None else length, dtype=np.float32)
    return np.array_equal(np.floor(places * np.float32(1.0 / factor)), np.floor(places / np.float32(scale)))
