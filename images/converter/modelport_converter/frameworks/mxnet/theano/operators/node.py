"""The graph that is written: names of values, numbers that are known before anything is asked, and the table of operators."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import numpy as np
from onnx.helper import np_dtype_to_tensor_dtype

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.mxnet.theano.lengths.equal import Equal
from modelport_converter.frameworks.mxnet.theano.library import theano
from modelport_converter.onnx_graphs.writing import GraphWriter
from modelport_converter.tasks import last_line

SMALL = 1 << 16
"""Numbers up to which a result that is known becomes a weight, though it is larger than what it is made of."""
NOT_FOLDED = {"Scan", "IfElse", "RandomFunction"}
WIDE = {"float32", "float64", "int32", "int64"}
"""Types that ONNX Runtime computes with in most operators."""
SINGLE = frozenset({
    "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Conv", "ConvTranspose", "Cosh", "Erf", "Sinh", "Softplus", "Softsign",
    "Tan",
})  # fmt: skip
"""Operators that ONNX Runtime has for float32 alone."""


class Graph:
    """One ONNX graph: of the model, or of the body of a loop, which sees the outer one's values."""

    def __init__(self, writer: GraphWriter, equal: Equal, outer: "Graph | None" = None) -> None:
        """Begin with nothing; `equal` tells which lengths are the same."""
        self.writer = writer
        self.equal = equal
        self.outer = outer
        self.rounded: set[str] = outer.rounded if outer else set()
        """Operators that compute in float32 what Theano computes in float64."""
        self.names: dict[Any, str] = {}
        self.numbers: dict[Any, Array] = {}

    def value(self, variable: Any) -> str:
        """Return the name of a variable, whose node is written."""
        graph: Graph | None = self
        while graph is not None:
            if variable in graph.names:
                return graph.names[variable]
            graph = graph.outer
        array = self.known(variable)
        if array is None:
            refuse(f"input {variable}", "its value is not in the file, and it is no input of the function")
        self.names[variable] = self.writer.weight(array)
        return self.names[variable]

    def values(self, variables: Iterable[Any]) -> list[str]:
        """Return the names of variables."""
        return [self.value(each) for each in variables]

    def known(self, variable: Any) -> Array | None:
        """Return the numbers of a variable that follow from no input, else None."""
        if isinstance(variable, theano.gof.Constant):
            return np.asarray(variable.data) if _is_numeric(variable) else None
        graph: Graph | None = self
        while graph is not None:
            if variable in graph.numbers:
                return graph.numbers[variable]
            graph = graph.outer
        if variable.owner is None and hasattr(variable, "get_value"):
            self.numbers[variable] = np.asarray(variable.get_value(borrow=True))
        return self.numbers.get(variable)

    def constant(self, variable: Any, what: str) -> Array:
        """Return the numbers of a variable. Raises ModelportError where they follow from an input."""
        array = self.known(variable)
        if array is None:
            refuse(what, "it follows from an input; only what is known beforehand is converted")
        return array

    def note(self, variable: Any, array: Array) -> None:
        """Note the numbers of a variable."""
        self.numbers[variable] = array

    def name(self, variable: Any, name: str) -> None:
        """Let a variable be known by this name."""
        self.names[variable] = name

    def write(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Write all nodes between variables. Raises ModelportError for those that have no word in ONNX."""
        for node in theano.gof.graph.io_toposort(list(inputs), list(outputs)):
            if all(each in self.names for each in node.outputs) or self._fold(node):
                continue
            kind = type(node.op)
            if kind.__name__ == "MakeSlice":  # read by what cuts with it
                continue
            write = OPERATORS.get(kind.__name__) if kind.__module__.startswith("theano.") else None
            if write is None:
                refuse(f"operator {kind.__module__}.{kind.__name__}", _why(kind.__name__))
            made = self._written(write, node)
            names = [made] if isinstance(made, str) else made
            self.names.update(zip(node.outputs, names, strict=False))

    def _written(self, write: "Write", node: Any) -> str | Sequence[str]:
        try:
            return write(self, node)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, AssertionError) as error:
            refuse(f"operator {type(node.op).__name__}", f"it is not as Theano 0.7 to 1.0 made it: {last_line(error)}")

    def _fold(self, node: Any) -> bool:
        """Compute a node whose inputs are all known, by Theano itself; whether its results are known now."""
        if type(node.op).__name__ in NOT_FOLDED or not node.inputs:
            return False
        arrays = [self.known(each) for each in node.inputs]
        if not all(map(_is_numeric, (*node.inputs, *node.outputs))) or any(each is None for each in arrays):
            return False
        if all(each in self.numbers for each in node.outputs):
            return True
        storage = {variable: [array] for variable, array in zip(node.inputs, arrays, strict=True)}
        storage |= {variable: [None] for variable in node.outputs}
        done = {variable: [storage[variable][0] is not None] for variable in storage}
        with suppress(Exception), np.errstate(all="ignore"):  # what it cannot compute is written
            node.op.make_thunk(node, storage, done, [], impl="py")()
            results = [np.asarray(storage[each][0], each.dtype) for each in node.outputs]
            limit = max(SMALL, *(each.size for each in arrays if each is not None))
            if all(each.size <= limit for each in results):
                self.numbers.update(zip(node.outputs, results, strict=True))
                return True
        return False

    # --- words that several operators use -----------------------------------------------------------------------------

    def cast(self, name: str, given: str, wanted: str) -> str:
        """Return a value in another type."""
        if given == wanted:
            return name
        return self.writer.cast(name, wanted)

    def valued(self, variable: Any, dtype: str) -> str:
        """Return the name of a variable in a type."""
        array = self.known(variable)
        if array is not None and variable not in self.names and variable.dtype != dtype:
            return self.writer.weight(np.asarray(array).astype(dtype))
        return self.cast(self.value(variable), variable.dtype, dtype)

    def number(self, value: float, dtype: str) -> str:
        """Return a scalar of a type."""
        return self.writer.weight(np.array(value, dtype))

    def compute(self, operator: str, names: Sequence[str], dtype: str, **attributes: Any) -> str:
        """Return what an operator makes of values of one type, in that type, by one that runtimes compute with."""
        wide = self._single(operator, dtype) if operator in SINGLE else widened(dtype)
        if wide == dtype:
            return self.writer.add(operator, *names, **attributes)
        made = self.writer.add(operator, *(self.writer.cast(each, wide) for each in names), **attributes)
        return self.writer.cast(made, dtype)

    def _single(self, operator: str, dtype: str) -> str:
        """Return the type in place of one that an operator is not there for."""
        if not dtype.startswith("float"):
            refuse(f"{operator} of {dtype}", "ONNX Runtime computes it in float32 alone; cast to float32 before it")
        if dtype == "float64":
            self.rounded.add(operator)
        return "float32"

    def vector(self, variables: Sequence[Any]) -> str:
        """Return whole numbers, scalars each, as one int64 vector."""
        return self.joined([self.scalar(each) for each in variables])

    def scalar(self, variable: Any) -> int | str:
        """Return a whole number, or the name of an int64 [1]."""
        array = self.known(variable)
        if array is not None:
            return int(array)
        return self.writer.reshape(self.cast(self.value(variable), variable.dtype, "int64"), 1)

    def joined(self, parts: Sequence[int | str]) -> str:
        """Return whole numbers and names of int64 [1] as one vector."""
        if all(isinstance(each, int) for each in parts):
            return self.writer.lengths(*(int(each) for each in parts))
        return self.writer.concat([self.writer.lengths(each) if isinstance(each, int) else each for each in parts], 0)


Write = Callable[[Graph, Any], str | Sequence[str]]
OPERATORS: dict[str, Write] = {}
"""By the name of the class."""


def operator(*names: str) -> Callable[[Write], Write]:
    """Note a function as the one that writes these operators."""

    def note(write: Write) -> Write:
        OPERATORS.update(dict.fromkeys(names, write))
        return write

    return note


def refuse(what: str, why: str) -> NoReturn:
    """Raise ModelportError (ConversionFailed)."""
    raise ModelportError(Reason.CONVERSION_FAILED, f"{what:.200}: {why}")


def widened(dtype: str) -> str:
    """Return the type that runtimes compute in for one: itself, or one that holds all of its numbers."""
    return dtype if dtype in WIDE else "float32" if dtype == "float16" else "int64"


def tensor_type(dtype: str) -> int:
    """Return ONNX's number of a type."""
    return int(np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _is_numeric(variable: Any) -> bool:
    dtype = getattr(variable.type, "dtype", None)
    is_dense = isinstance(variable.type, (theano.tensor.TensorType, theano.scalar.Scalar))
    return is_dense and dtype is not None and not str(dtype).startswith("complex")


def _why(name: str) -> str:
    if "random" in name.lower() or "mrg" in name.lower() or "uniform" in name:
        return "it draws numbers; pickle the function that predicts, without dropout (deterministic=True)"
    if "Grad" in name or "grad" in name:
        return "it is a gradient, and only what predicts is converted; pickle the function without it"
    return "it has no word in ONNX here; compute the same of other operators, and pickle that function"
