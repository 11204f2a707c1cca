"""What an operator of ONNX is given: a node with its inputs as far as they are known, and the table of operators.

A value is known (an array), partly known (an array of objects: whole numbers, of which some are scalars of the graph, as
lengths are), or a tensor of the graph.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from modelport.errors import ModelportError

Known = npt.NDArray[Any]
Value: TypeAlias = Known | tf.Tensor | None
Length: TypeAlias = int | tf.Tensor
"""An int, or a scalar of int32 in the graph."""
Results = Any
"""A value, or a list of them where an operator has several results."""


class MisfitError(ModelportError):
    """A node whose inputs do not fit it, by their shapes or types."""


class Scope(Protocol):
    """What runs the nodes of one model."""

    lite: bool
    """Whether only operators may be used that TensorFlow Lite has built in."""
    drops_branches: bool
    """Whether a branch that cannot be built, such as one for inputs of other lengths, is left out."""

    def keep(self, array: Known) -> tf.Tensor:
        """Return the tensor of a known value."""

    def derive(self, array: Known, how: str, make: Callable[[], Known]) -> Known:
        """Return what is made of a known value, the same each time: two nodes with one weight share it, too."""

    def run(self, graph: Any, inputs: Sequence[Value], outer: Mapping[str, Value]) -> list[Value]:
        """Return the outputs of a graph within a node, for inputs in order."""

    def choose(self) -> bool:
        """Return which branch is taken of a decision between results that cannot both go on."""

    def length(self, tensor: tf.Tensor, axis: int) -> Length:
        """Return the length of an axis."""

    def last_of(self, tensor: Value) -> tf.Tensor | None:
        """Return a tensor with its channels last, where it was made of one."""

    def from_last(self, tensor: tf.Tensor) -> tf.Tensor:
        """Return a tensor of channels last with its channels second, and note what it is made of."""


class Node(NamedTuple):
    """A node, with its inputs."""

    kind: str
    name: str
    version: int
    """Of the operator set."""
    attributes: Mapping[str, Any]
    """Those that are set, and ONNX's own defaults."""
    inputs: Sequence[Value]
    results: int
    """How many results it names."""
    scope: Scope
    outer: Mapping[str, Value]
    """Values by name, which the graphs within the node see."""

    def has(self, index: int) -> bool:
        """Whether it has this input."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def tensor(self, index: int = 0) -> tf.Tensor:
        """Return an input."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            message = f"expected input {index}, found none"
            raise ValueError(message)
        return self.scope.keep(value) if isinstance(value, np.ndarray) else value

    def optional(self, index: int) -> tf.Tensor | None:
        """Return an input, or None where it is left out."""
        return self.tensor(index) if self.has(index) else None

    def tensors(self) -> list[tf.Tensor]:
        """Return all inputs."""
        return [self.tensor(index) for index in range(len(self.inputs))]

    def known(self, index: int) -> Known | None:
        """Return an input whose numbers are known."""
        value = self.inputs[index] if index < len(self.inputs) else None
        return value if isinstance(value, np.ndarray) and value.dtype != object else None

    def constant(self, index: int, what: str) -> Known:
        """Return an input whose numbers must be known."""
        found = self.known(index)
        if found is None:
            message = f"expected {what} that follow from no input, found others"
            raise ValueError(message)
        return found

    def lengths(self, index: int) -> list[Length]:
        """Return the elements of a list of whole numbers of known length, each known or a scalar of int32."""
        value = self.inputs[index]
        if isinstance(value, np.ndarray):
            return [each if tf.is_tensor(each) else int(each) for each in value.reshape(-1)]
        tensor = self.tensor(index)
        count = tensor.shape.num_elements()
        if count is None:
            message = f"expected a list of known length as input {index}, found one that follows from an input"
            raise ValueError(message)
        narrow = to_int32(tf.reshape(tensor, [count]))
        return [narrow[number] for number in range(count)]

    def vector(self, index: int) -> tf.Tensor:
        """Return a list of whole numbers as int32, as far as possible a constant."""
        return stack(self.lengths(index)) if self.is_list(index) else to_int32(self.tensor(index))

    def is_list(self, index: int) -> bool:
        """Whether an input has a known number of elements."""
        value = self.inputs[index]
        return isinstance(value, np.ndarray) or self.tensor(index).shape.num_elements() is not None

    def shape(self, index: int = 0) -> list[Length]:
        """Return the lengths of an input."""
        tensor = self.tensor(index)
        return [self.scope.length(tensor, axis) for axis in range(self.rank(index))]

    def rank(self, index: int = 0) -> int:
        """Return the number of axes of an input."""
        value = self.inputs[index]
        rank = value.ndim if isinstance(value, np.ndarray) else self.tensor(index).shape.rank
        if rank is None:
            message = f"expected a known number of axes of input {index}, found one that follows from an input"
            raise ValueError(message)
        return int(rank)

    def axis(self, name: str = "axis", rank: int | None = None) -> int:
        """Return the attribute that is an axis of the first input, counted from the first axis."""
        return int(self.attributes[name]) % max(1, self.rank() if rank is None else rank)


Run = Callable[[Node], Results]


class Operator(NamedTuple):
    """How an operator is written in TensorFlow."""

    run: Run
    elementwise: bool
    """Whether each element of the result follows from one of each input's, as NumPy broadcasts them."""


OPERATORS: dict[tuple[str, str], Operator] = {}
"""By domain and name."""
MICROSOFT = "com.microsoft"


def operator(*names: str, domain: str = "", elementwise: bool = False) -> Callable[[Run], Run]:
    """Note a function as the one that writes these operators."""

    def note(run: Run) -> Run:
        OPERATORS.update({(domain, name): Operator(run, elementwise) for name in names})
        return run

    return note


def where_last(axis: int, rank: int) -> int:
    """Return where an axis stands once channels, the second one, are the last."""
    axis = axis % rank
    return axis if axis == 0 else rank - 1 if axis == 1 else axis - 1


def to_int32(tensor: tf.Tensor) -> tf.Tensor:
    """Return whole numbers as int32, cut to what it holds: `to the end` is written as a very large one."""
    if tensor.dtype == tf.int32:
        return tensor
    if tensor.dtype.size > tf.int32.size:
        tensor = tf.clip_by_value(
            tensor, tf.constant(tf.int32.min, tensor.dtype), tf.constant(tf.int32.max, tensor.dtype)
        )
    return tf.cast(tensor, tf.int32)


def stack(lengths: Sequence[Length]) -> tf.Tensor:
    """Return a list of int32; a constant where all are known."""
    if all(isinstance(each, int) for each in lengths):
        return tf.constant(np.array(lengths, np.int32))
    return tf.stack([tf.constant(each, tf.int32) if isinstance(each, int) else each for each in lengths])


def product(lengths: Sequence[Length]) -> Length:
    """Return the number of elements of a shape."""
    known, result = 1, None
    for each in lengths:
        if isinstance(each, int):
            known *= each
        else:
            result = each if result is None else result * each
    if result is None or known == 0:
        return known
    return result if known == 1 else result * known
