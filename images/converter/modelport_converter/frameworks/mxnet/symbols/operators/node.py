"""One call of an operator, while it is written as ONNX: its attributes, operands, lengths and element types."""

import ast
import copy
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.mxnet.symbols.reading.graphs import Node
from modelport_converter.onnx_graphs.writing import GraphWriter, Operand

Shape = tuple[int | None, ...]
"""Lengths of axes; None is one that follows from the inputs' free ones."""
Lengths = tuple[int | None, ...]
Origin = tuple[str, int]
"""An input of the graph, and the axis of it that a free length is the one of."""
_LONG = re.compile(r"(?<=\d)L\b")
"""How Python 2 wrote its long numbers."""
LARGE = 1 << 62
"""Above all numbers that lengths and places are."""
_TRUE, _FALSE = {"True", "true", "1"}, {"False", "false", "0"}
_ABSENT = {"None", ""}
_DTYPES = {"0": "float32", "1": "float64", "2": "float16", "3": "uint8", "4": "int32", "5": "int8", "6": "int64"}
"""mshadow::TypeFlag, as very old files have it."""


class Value(NamedTuple):
    """What an operator takes or gives."""

    operand: Operand
    """Its name in the ONNX graph, or the weight itself."""
    shape: Shape
    dtype: np.dtype[Any]


class Call:
    """A node of the symbol, the graph that it is written into, and what is known of its operands and results."""

    def __init__(
        self,
        node: Node,
        graph: GraphWriter,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        origins: Sequence[Origin | None] = (),
    ) -> None:
        """Keep what is known; `outputs` have no operands yet; their lengths and types are MXNet's own, `origins` those of the first one."""
        self.node, self.graph, self.inputs, self.outputs = node, graph, list(inputs), list(outputs)
        self.origins = origins
        self.add: Callable[..., str] = graph.add

    # --- attributes: texts, as Python or C++ wrote them ---

    def has(self, key: str) -> bool:
        """Whether an attribute is there and not None."""
        return self.node.attributes.get(key, "None").strip() not in _ABSENT

    def text(self, key: str, default: str = "") -> str:
        """Return a word."""
        return self.node.attributes[key].strip() if self.has(key) else default

    def flag(self, key: str, default: bool = False) -> bool:
        """Return a truth."""
        text = self.text(key, str(default))
        if text not in _TRUE | _FALSE:
            raise self.refuse(f"expected True or False as {key}", text)
        return text in _TRUE

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number; without a default it must be there."""
        text = self.text(key, "" if default is None else str(default))
        try:
            return float(text)
        except ValueError:
            raise self.refuse(f"expected a number as {key}", text) from None

    def integer(self, key: str, default: int | None = None) -> int:
        """Return a whole number; without a default it must be there."""
        text = _LONG.sub("", self.text(key, "" if default is None else str(default)))
        try:
            found = int(text) if text not in {"True", "False"} else int(text == "True")
        except ValueError:
            raise self.refuse(f"expected a whole number as {key}", text) from None
        if abs(found) >= LARGE:
            raise self.refuse(f"expected a whole number as {key}", text)
        return found

    def lengths(self, key: str, default: Lengths = ()) -> Lengths:
        """Return whole numbers, some of which may be None; a single one is a list of one."""
        if not self.has(key):
            return default
        text = _LONG.sub("", self.text(key))
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise self.refuse(f"expected whole numbers as {key}", text) from None
        found = tuple(found) if isinstance(found, (tuple, list)) else (found,)
        if not all(each is None or (isinstance(each, int) and abs(each) < LARGE) for each in found):
            raise self.refuse(f"expected whole numbers as {key}", text)
        return found

    def whole(self, key: str, default: Sequence[int] = ()) -> tuple[int, ...]:
        """Return whole numbers."""
        found = self.lengths(key, tuple(default))
        if any(each is None for each in found):
            raise self.refuse(f"expected whole numbers as {key}", self.text(key))
        return tuple(each for each in found if each is not None)

    def dtype_of(self, key: str, default: str) -> np.dtype[Any]:
        """Return the element type that an attribute names."""
        text = self.text(key, default)
        try:
            return np.dtype(_DTYPES.get(text, text))
        except TypeError:
            raise self.refuse(f"expected an element type as {key}", text) from None

    # --- operands ---

    def x(self, index: int = 0) -> str:
        """Return the name of an operand, added as a weight if it is one."""
        if index >= len(self.inputs):
            raise self.refuse(f"expected {index + 1} inputs", str(len(self.inputs)))
        value = self.inputs[index]
        name = self.graph.weight(value.operand)
        self.inputs[index] = value._replace(operand=name)
        return name

    def weight(self, index: int) -> Array | None:
        """Return an operand that is a weight; None for what follows from the inputs."""
        operand = self.inputs[index].operand if index < len(self.inputs) else None
        return operand if isinstance(operand, np.ndarray) else None

    def shape(self, index: int = 0) -> Shape:
        """Return the lengths of an operand."""
        if index >= len(self.inputs):
            raise self.refuse(f"expected {index + 1} inputs", str(len(self.inputs)))
        return self.inputs[index].shape

    def rank(self, index: int = 0) -> int:
        """Return the number of axes of an operand."""
        return len(self.shape(index))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the first operand."""
        return self.inputs[0].dtype

    @property
    def out(self) -> Value:
        """What is known of the first result."""
        return self.outputs[0]

    def axis(self, key: str, default: int, index: int = 0) -> int:
        """Return an axis of an operand, counted from the front."""
        return self.from_front(self.integer(key, default), self.rank(index))

    def from_front(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front."""
        if not -rank <= axis < rank:
            raise self.refuse(f"expected an axis of {rank}", str(axis))
        return axis % rank

    def fixed(self, axis: int, index: int = 0) -> int:
        """Return the length of an axis that must not depend on the inputs' free ones."""
        length = self.shape(index)[axis]
        if length is None:
            message = f"expected a fixed length of axis {axis}, which the inputs leave free; state it as a number"
            raise self.refuse(message, str(list(self.shape(index))))
        return length

    def computing_in(self, dtype: np.dtype[Any]) -> "Call":
        """Return the same call with results of another element type."""
        other = copy.copy(self)
        other.outputs = [each._replace(dtype=dtype) for each in self.outputs]
        return other

    # --- writing ---

    def constant(self, value: float, dtype: np.dtype[Any] | None = None) -> Array:
        """Return a number in the type of the first operand, or another one; of whole ones, fractions are cut off."""
        wanted = dtype or self.dtype
        if wanted.kind in "iu" and not math.isfinite(value):
            raise self.refuse(f"expected a number of {wanted}", str(value))
        return np.array(value, wanted)

    def cast(self, value: str, given: np.dtype[Any], wanted: np.dtype[Any]) -> str:
        """Return a value in another element type."""
        return value if given == wanted else self.graph.cast(value, wanted)

    def lengths_of(self, shape: Shape, name: str) -> str:
        """Return lengths, int64 [n], of which those that are None are those of a value with this name."""
        if all(length is not None for length in shape):
            return self.graph.weight(np.array(shape, np.int64))
        parts = [
            self.graph.length(name, axis) if length is None else self.graph.lengths(length)
            for axis, length in enumerate(shape)
        ]
        return self.graph.concat(parts, 0)

    def refuse(self, expected: str, found: str) -> ModelportError:
        """Return the error that names the layer."""
        message = f"layer {self.node.name:.80} ({self.node.operator:.60}): {expected}, found {found:.120}"
        return ModelportError(Reason.CONVERSION_FAILED, message)


Write = Callable[[Call], str | Sequence[str]]


class Operator(NamedTuple):
    """How an operator is written, and how many inputs it has at least."""

    write: Write
    least: int
    labels: frozenset[int]
    """Inputs that only training reads."""


OPERATORS: dict[str, Operator] = {}


def operator(*names: str, least: int = 1, labels: Sequence[int] = ()) -> Callable[[Write], Write]:
    """Register what writes operators of these names."""

    def register(write: Write) -> Write:
        OPERATORS.update(dict.fromkeys(names, Operator(write, least, frozenset(labels))))
        return write

    return register


def attributes_of(node: Node) -> Mapping[str, str]:
    """Return the attributes that an operator reads: what users note has underscores around it."""
    return {key: value for key, value in node.attributes.items() if not key.startswith("__")}
