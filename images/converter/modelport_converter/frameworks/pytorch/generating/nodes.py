"""One node as the functions that write its code see it."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx.helper import get_attribute_value

from modelport.verification.arrays import Array
from modelport_converter.frameworks.pytorch.generating.code import Code
from modelport_converter.frameworks.pytorch.generating.values import (
    Item,
    UnsupportedError,
    Value,
    is_float,
    literal,
    of_items,
    show,
    show_list,
)

_WORDS = re.compile(r"[A-Za-z0-9_.,> -]*")
"""Strings that may stand in code: names of modes, and equations."""


class Node:
    """A node, its inputs as values, and where its code goes."""

    def __init__(
        self, proto: onnx.NodeProto, code: Code, types: Mapping[str, onnx.TypeProto.Tensor], version: int
    ) -> None:
        self.proto, self.code, self.version = proto, code, version
        self.types = types
        self.inputs = [code.values[name] if name else None for name in proto.input]
        self._attributes = {each.name: each for each in proto.attribute}

    @property
    def name(self) -> str:
        """Name, or first output."""
        return str(self.proto.name or self.proto.output[0])

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute; strings are text. Raises UnsupportedError for what no operator has and code could be."""
        if name not in self._attributes:
            return default
        value = get_attribute_value(self._attributes[name])
        if isinstance(value, bytes):
            return self._word(name, value)
        if isinstance(value, list) and value and isinstance(value[0], bytes):
            return [self._word(name, each) for each in value]
        if isinstance(value, float):
            return float(str(np.float32(value)))
        return value

    def _word(self, name: str, value: bytes) -> str:
        text = value.decode(errors="replace")
        if not _WORDS.fullmatch(text):
            raise UnsupportedError(f"whose {name} is {text!r:.60}")
        return text

    def has(self, index: int) -> bool:
        """Whether an input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def wants(self, index: int) -> bool:
        """Whether somebody needs an output."""
        return index < len(self.proto.output) and bool(self.proto.output[index])

    def value(self, index: int) -> Value:
        """Return an input. Raises UnsupportedError if there is none."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise UnsupportedError(f"without its input {index}")
        return found

    def tensor(self, index: int) -> str:
        """Return an input as the expression of a tensor."""
        return self.code.tensor(self.value(index), self.proto.input[index])

    def array(self, index: int) -> Array:
        """Return an input that must be constant. Raises UnsupportedError."""
        found = self.value(index).constant
        if found is None:
            raise UnsupportedError(f"with an input {index} that is no constant")
        return found

    def constant(self, index: int) -> Array | None:
        """Return an input if it is there and constant."""
        return self.value(index).constant if self.has(index) else None

    def operand(self, index: int, other: int) -> str:
        """Return an input of arithmetic with another one: a single constant as Python's number, else a tensor."""
        array, rank = self.value(index).constant, self.rank(other)
        is_single = array is not None and array.size == 1 and array.dtype.kind in "fiu"
        if is_single and self.value(other).items is None and array.ndim <= (rank or 0):  # type: ignore[union-attr]
            with suppress(ValueError):
                return literal(array.reshape(())[()])  # type: ignore[union-attr]
        return self.tensor(index)

    def dtype(self, index: int) -> int:
        """Return the ONNX element type of an input; 0 if nothing tells."""
        value = self.value(index)
        if value.items is not None:
            return value.dtype
        if value.array is not None:
            return onnx.helper.np_dtype_to_tensor_dtype(value.array.dtype)
        return self.type_of(self.proto.input[index])

    def type_of(self, name: str) -> int:
        """Return the ONNX element type of a value as it was declared or inferred; 0 if nothing tells."""
        return int(self.types[name].elem_type) if name in self.types else 0

    def is_float(self, index: int) -> bool:
        """Whether an input is of a floating-point type."""
        return is_float(self.dtype(index))

    def rank(self, index: int) -> int | None:
        """Return the number of axes of an input, if it is known."""
        shape = self.shape(index)
        return self.code.ranks.get(self.proto.input[index]) if shape is None else len(shape)

    def known_rank(self, index: int = 0) -> int:
        """Return the number of axes of an input. Raises UnsupportedError where it is not known."""
        rank = self.rank(index)
        if rank is None:
            raise UnsupportedError("of a tensor whose rank is not known")
        return rank

    def shape(self, index: int) -> list[int | None] | None:
        """Return the lengths of an input, as far as they are known."""
        value = self.value(index)
        if value.array is not None:
            return list(value.array.shape)
        if value.items is not None:
            return [len(value.items)] if value.axes else []
        shape = shape_in(self.types, self.proto.input[index])
        rank = self.code.ranks.get(self.proto.input[index])
        return shape if shape is not None or rank is None else [None] * rank

    def lengths(self, index: int) -> str:
        """Return an input as the expression of a list of whole numbers."""
        from modelport_converter.frameworks.pytorch.generating.support.lengths import to_lengths

        numbers = self.value(index).numbers
        return self.code.call(to_lengths, self.tensor(index)) if numbers is None else show_list(numbers)

    def length(self, index: int) -> str:
        """Return an input as the expression of a whole number."""
        numbers = self.value(index).numbers
        if numbers is None:
            return f"int({self.tensor(index)})"
        return show(int(numbers[0]) if isinstance(numbers[0], float) else numbers[0])

    def items(self, index: int) -> tuple[Item, ...]:
        """Return the numbers of an input; of a tensor of known length, its elements. Raises UnsupportedError."""
        numbers = self.value(index).numbers
        if numbers is not None:
            return tuple(map(self.code.exact, numbers))
        shape = self.shape(index)
        if shape is None or len(shape) > 1 or (shape and shape[0] is None):
            raise UnsupportedError(f"with an input {index} of unknown length")
        if self.is_float(index):
            raise UnsupportedError(f"with an input {index} that is no constant")
        listed = self.code.assign(f"{self.proto.input[index]}_lengths", self.lengths(index))
        return tuple(f"{listed}[{place}]" for place in range((shape[0] or 0) if shape else 1))

    def axes(self, attribute: str, index: int) -> list[int] | None:
        """Return axes that are an attribute or an input; None if there are none. Raises UnsupportedError."""
        stated = self.get(attribute)
        if stated is None and self.has(index):
            stated = self.array(index).reshape(-1).tolist()
        return None if stated is None else [int(each) for each in stated]


def shape_in(types: Mapping[str, onnx.TypeProto.Tensor], name: str) -> list[int | None] | None:
    """Return the lengths of a value, as far as they are known."""
    if name not in types or not types[name].HasField("shape"):
        return None
    # some exporters write 0 or -1 for a length that they do not know
    return [axis.dim_value if axis.dim_value > 0 else None for axis in types[name].shape.dim]


Written: TypeAlias = str | Value
"""The expression of a tensor, or a value."""
Handler: TypeAlias = Callable[[Node], Written | Sequence[Written]]
"""Writes lines for a node where it needs some, and returns its outputs."""

__all__ = ["Handler", "Node", "UnsupportedError", "Value", "Written", "of_items", "shape_in"]
