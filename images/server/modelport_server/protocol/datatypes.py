"""Element types: what the protocol calls them, what numpy calls them, and what a signature says."""

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt


class Datatype:
    """An element type. Everything that a request asks of it is worked out once."""

    __slots__ = ("dtype", "is_float", "is_string", "name", "numpy")

    def __init__(self, name: str, dtype: str, numpy: npt.DTypeLike | None = None) -> None:
        """Name a type as the protocol and as signatures spell it."""
        self.name, self.dtype = name, dtype
        self.numpy: np.dtype[Any] = np.dtype(numpy or dtype)
        """The type of arrays."""
        self.is_float = "FP" in name or name == "BF16"
        self.is_string = name == "BYTES"
        """Whether elements have no size of their own (`strings`)."""


BYTES = Datatype("BYTES", "string", object)
DATATYPES = (
    Datatype("BOOL", "bool"),
    Datatype("UINT8", "uint8"),
    Datatype("UINT16", "uint16"),
    Datatype("UINT32", "uint32"),
    Datatype("UINT64", "uint64"),
    Datatype("INT8", "int8"),
    Datatype("INT16", "int16"),
    Datatype("INT32", "int32"),
    Datatype("INT64", "int64"),
    Datatype("FP16", "float16"),
    Datatype("BF16", "bfloat16", ml_dtypes.bfloat16),
    Datatype("FP32", "float32"),
    Datatype("FP64", "float64"),
    BYTES,
)
BY_DTYPE = {each.dtype: each for each in DATATYPES}
_BY_CHARACTER = {each.numpy.char: each for each in DATATYPES}


def datatype_of(array: npt.NDArray[Any]) -> Datatype:
    """Return the element type of an array."""
    kind = array.dtype
    # by the character, which costs a tenth of the name; an equal type can have two of them
    return _BY_CHARACTER.get(kind.char) or (BYTES if kind.kind in "US" else BY_DTYPE[kind.name])
