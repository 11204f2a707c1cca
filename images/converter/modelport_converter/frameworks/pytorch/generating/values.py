"""Values of an ONNX graph as the generated code has them.

A shape and what is computed from it is no tensor there, but Python's numbers: eager PyTorch, TorchScript and torch.export
all keep free lengths in them, and none has to look into a tensor to reshape another one.
"""

import math
import re
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from onnx import TensorProto, helper

from modelport.verification.arrays import Array

Item: TypeAlias = int | float | bool | str
"""A number that is known, or an expression."""
MAX_ITEMS = 64
DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "torch.float32",
    TensorProto.UINT8: "torch.uint8",
    TensorProto.INT8: "torch.int8",
    TensorProto.INT16: "torch.int16",
    TensorProto.INT32: "torch.int32",
    TensorProto.INT64: "torch.int64",
    TensorProto.BOOL: "torch.bool",
    TensorProto.FLOAT16: "torch.float16",
    TensorProto.DOUBLE: "torch.float64",
    TensorProto.UINT16: "torch.uint16",
    TensorProto.UINT32: "torch.uint32",
    TensorProto.UINT64: "torch.uint64",
    TensorProto.BFLOAT16: "torch.bfloat16",
}
_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}


class UnsupportedError(Exception):
    """What of a node has no code yet."""


class Value(NamedTuple):
    """One value: a tensor by its expression, a constant, or numbers."""

    text: str = ""
    """Expression of a tensor, where it is one."""
    array: Array | None = None
    """The constant."""
    items: tuple[Item, ...] | None = None
    """Numbers of a value without axes, or with one."""
    axes: int = 0
    """Of `items`: 0 or 1."""
    dtype: int = TensorProto.INT64
    """Of `items`."""

    @property
    def is_constant(self) -> bool:
        """Whether all of it is known."""
        return self.array is not None or (self.items is not None and not any(isinstance(i, str) for i in self.items))

    @property
    def constant(self) -> Array | None:
        """The constant as an array."""
        if self.array is not None or not self.is_constant or self.items is None:
            return self.array
        array = np.array(self.items, helper.tensor_dtype_to_np_dtype(self.dtype))
        return array.reshape(()) if self.axes == 0 else array

    @property
    def numbers(self) -> tuple[Item, ...] | None:
        """The numbers, of a small constant, too."""
        if self.items is not None:
            return self.items
        if self.array is None or self.array.ndim > 1 or self.array.size > MAX_ITEMS or self.array.dtype.hasobject:
            return None
        return tuple(self.array.reshape(-1).tolist())


def of_items(items: Any, *, axes: int, dtype: int = TensorProto.INT64) -> Value:
    """Return a value of numbers."""
    return Value(items=tuple(items), axes=axes, dtype=dtype)


def is_float(dtype: int) -> bool:
    """Whether an ONNX element type is a floating-point one."""
    return dtype in _FLOATS


def literal(number: Any) -> str:
    """Return a number as Python writes it, in as few digits as its type needs. Raises ValueError for what has none."""
    if isinstance(number, (bool, np.bool_)):
        return str(bool(number))
    if isinstance(number, (int, np.integer)):
        return str(int(number))
    if not math.isfinite(float(number)):
        raise ValueError(str(number))
    return repr(float(str(number))) if isinstance(number, np.generic) else repr(float(number))


def show(item: Item) -> str:
    """Return a number, or its expression."""
    return item if isinstance(item, str) else literal(item)


def show_list(items: tuple[Item, ...]) -> str:
    """Return numbers as a list."""
    return f"[{', '.join(map(show, items))}]"


def identifier(name: str) -> str:
    """Return a name of Python's that is near to one of a graph's."""
    plain = re.sub(r"_output_0$", "", re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_"))
    return plain if plain and not plain[0].isdigit() else f"value_{plain}".rstrip("_")
