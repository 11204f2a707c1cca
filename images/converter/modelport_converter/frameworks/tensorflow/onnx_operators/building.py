"""Runs the nodes of an ONNX graph within a function of TensorFlow, which so becomes their graph.

What follows from constants alone is computed at once. Weights become variables, which a SavedModel holds beside its graph.
A convolution's result is noted with its channels last, too, and what works element by element goes on with that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from tensorflow.python.ops.resource_variable_ops import ResourceVariable  # tf.Variable has functions traced twice

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport_converter.frameworks.tensorflow.onnx_operators import lengths
from modelport_converter.frameworks.tensorflow.onnx_operators.node import (
    OPERATORS,
    Known,
    Length,
    MisfitError,
    Node,
    Operator,
    Value,
    stack,
)
from modelport_converter.frameworks.tensorflow.onnx_operators.parsing import Graph, Step, parse, versions_of

SMALL_BYTES = 1_024
"""Up to this size a constant stays in the graph, which may be needed there: as a shape, or an axis."""
FOLDED_BYTES = 1 << 20
"""Constants beyond this size are computed at once only if their inputs are as large."""
UNFOLDED = {"If", "Loop", "Scan", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli"}
"""Operators that are not computed at once."""
FEW_BITS = {"int2", "int4", "uint2", "uint4"}
"""Types that TensorFlow hardly knows, which are held in bytes."""
UNKNOWN_TYPES = "O", "U", "S"


class Building:
    """The weights of a model, and what runs its nodes in a function that is being traced."""

    def __init__(self, model: onnx.ModelProto, *, lite: bool) -> None:
        self.lite = lite
        self.weights: list[tf.Variable] = []
        self._versions = versions_of(model)
        self._model = parse(model.graph, self._versions)
        self._kept: dict[int, tuple[Known, tf.Variable]] = {}
        self._derived: dict[tuple[int, str], tuple[Known, Known]] = {}
        self._read: dict[int, tf.Tensor] = {}
        self._last: dict[Any, tf.Tensor] = {}
        self._lengths: dict[tuple[Any, ...], tf.Tensor] = {}
        self.drops_branches = False
        """Whether a branch that cannot be built is left out, and is an error whenever it is asked for."""
        self._choices: list[bool] = []
        self._decided = 0
        self._folding = False
        self._graph: tf.Graph | None = None

    # --- what operators ask for ---------------------------------------------------------------------------------------

    def keep(self, array: Known) -> tf.Tensor:
        """Return the tensor of a known value: a constant, or a variable's."""
        if array.dtype == object:
            flat = stack([each if tf.is_tensor(each) else int(each) for each in array.flat])
            return tf.cast(tf.reshape(flat, array.shape), tf.int64)
        if array.dtype.name in FEW_BITS:
            array = self.derive(
                array,
                "bytes",
                lambda: array.astype(np.int16).astype(np.int8 if array.dtype.name[0] == "i" else np.uint8),
            )
        if self._folding or array.nbytes <= SMALL_BYTES:
            return tf.constant(array)
        key = id(array)
        if key not in self._kept:
            with tf.init_scope():
                variable = ResourceVariable(array, trainable=False, name=f"weight_{len(self.weights)}")
            self.weights.append(variable)
            self._kept[key] = array, variable
        if key not in self._read:
            assert self._graph is not None
            with self._graph.as_default():  # not in the graph of a branch, which others do not see
                self._read[key] = tf.convert_to_tensor(self._kept[key][1])
        return self._read[key]

    def derive(self, array: Known, how: str, make: Callable[[], Known]) -> Known:
        """Return what is made of a known value, the same each time it is asked for."""
        key = id(array), how
        if key not in self._derived:
            self._derived[key] = array, make()
        return self._derived[key][1]

    def choose(self) -> bool:
        """Return which branch is taken: the first one, until nothing that follows from it can be built."""
        if self._decided == len(self._choices):
            self._choices.append(True)
        self._decided += 1
        return self._choices[self._decided - 1]

    def choose_otherwise(self) -> bool:
        """Have the last decision that may be taken otherwise be so; return whether there is one.

        After all of them it is whether branches may be left out.
        """
        while self._choices and not self._choices[-1]:
            self._choices.pop()
        if self._choices:
            self._choices[-1] = False
            return True
        if self.lite or self.drops_branches:  # TensorFlow Lite has no errors of a model's own
            return False
        self.drops_branches = True
        return True

    def length(self, tensor: tf.Tensor, axis: int) -> Length:
        """Return the length of an axis; the same scalar each time."""
        static = tensor.shape[axis]
        if static is not None:
            return int(static)
        if tf.executing_eagerly():
            return tf.shape(tensor)[axis]
        key: tuple[Any, ...] = tensor.ref(), axis
        if key not in self._lengths:
            key = tensor.ref(), axis, tf.compat.v1.get_default_graph()
        if key not in self._lengths:
            self._lengths[key] = tf.shape(tensor)[axis]
        return self._lengths[key]

    def last_of(self, tensor: Value) -> tf.Tensor | None:
        """Return a tensor with its channels last, where it was made of one."""
        if tensor is None or isinstance(tensor, np.ndarray):
            return None
        return self._last.get(tensor.ref())

    def from_last(self, tensor: tf.Tensor) -> tf.Tensor:
        """Return a tensor of channels last with its channels second."""
        rank = tensor.shape.rank
        second = tf.transpose(tensor, [0, rank - 1, *range(1, rank - 1)])
        self._last[second.ref()] = tensor
        return second

    def run(self, graph: Graph, inputs: Sequence[Value], outer: Mapping[str, Value]) -> list[Value]:
        """Return the outputs of a graph for inputs in order; it sees the values of the graph that it stands in."""
        values = dict(outer)
        values |= {name: _as_value(array) for name, array in graph.constants.items()}
        values |= dict(zip(graph.inputs, inputs, strict=False))
        for step in graph.steps:
            self._run_step(step, values)
        return [values[name] for name in graph.outputs]

    # --- the whole model ----------------------------------------------------------------------------------------------

    def call(self, inputs: Mapping[str, tf.Tensor], shapes: Mapping[str, Sequence[int | str]]) -> dict[str, tf.Tensor]:
        """Return the model's outputs by name, within a function that is being traced.

        Lengths of the same name in `shapes` are the same. Raises ModelportError (ConversionFailed) naming a node.
        """
        self._graph = tf.compat.v1.get_default_graph()
        self._decided = 0
        for memory in (self._read, self._last, self._lengths):
            memory.clear()
        named: dict[str, tf.Tensor] = {}
        for name, shape in shapes.items():
            for axis, length in enumerate(shape):
                if isinstance(length, str):
                    scalar = named.setdefault(length, self.length(inputs[name], axis))
                    self._lengths[inputs[name].ref(), axis] = scalar
        values = self.run(self._model, [], inputs)
        return {
            name: tf.identity(self.keep(value) if isinstance(value, np.ndarray) else value)
            for name, value in zip(self._model.outputs, values, strict=True)
        }

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _run_step(self, step: Step, values: dict[str, Value]) -> None:
        inputs = [values[name] if name else None for name in step.inputs]
        node = Node(
            step.kind,
            step.name,
            self._versions.get(step.domain, 1),
            step.attributes,
            inputs,
            len(step.outputs),
            self,
            values,
        )
        operator = OPERATORS[step.domain, step.kind]
        with _naming(node):
            found = self._fold(operator, node) if _is_known(inputs) and node.kind not in UNFOLDED else None
            if found is None:
                found = self._run_operator(operator, node)
        results = found if isinstance(found, list | tuple) else [found]
        values.update({name: result for name, result in zip(step.outputs, results, strict=False) if name})

    def _run_operator(self, operator: Operator, node: Node) -> Any:
        if operator.elementwise:
            last = self._with_channels_last(node)
            if last is not None:
                return self.from_last(operator.run(last))
        return operator.run(node)

    def _with_channels_last(self, node: Node) -> Node | None:
        """Return a node whose inputs have their channels last, where one was made so and all can be."""
        known = [self.last_of(value) for value in node.inputs]
        ranks = {each.shape.rank for each in known if each is not None}
        if len(ranks) != 1:
            return None
        (rank,) = ranks
        inputs: list[Value] = []
        for value, last in zip(node.inputs, known, strict=True):
            if last is not None or value is None:
                inputs.append(last)
                continue
            found = value.ndim if isinstance(value, np.ndarray) else value.shape.rank
            if found is None or found > rank or (found > 1 and not isinstance(value, np.ndarray) and found < rank):
                return None
            if found == 0 or (isinstance(value, np.ndarray) and value.size == 1):
                inputs.append(value.reshape(()) if isinstance(value, np.ndarray) else value)
            elif isinstance(value, np.ndarray):
                whole = value.reshape((1,) * (rank - found) + value.shape)
                inputs.append(np.moveaxis(whole, 1, -1))
            elif found == rank:
                inputs.append(tf.transpose(value, [0, *range(2, rank), 1]))
            else:
                return None
        return node._replace(inputs=inputs)

    def _fold(self, operator: Operator, node: Node) -> Any:
        """Return what follows from known inputs, or None where the graph's operators are needed."""
        if not node.inputs and node.kind != "Constant":
            return None
        if any(isinstance(value, np.ndarray) and value.dtype == object for value in node.inputs):
            return lengths.compute(node)
        with tf.init_scope(), self._folded():
            found = operator.run(node)
        results = found if isinstance(found, list | tuple) else [found]
        arrays = [_as_value(each.numpy() if tf.is_tensor(each) else each) for each in results]
        size = sum(value.nbytes for value in node.inputs if isinstance(value, np.ndarray))
        made = sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))
        return None if made > max(FOLDED_BYTES, size) else arrays

    @contextmanager
    def _folded(self) -> Iterator[None]:
        before, self._folding = self._folding, True
        try:
            yield
        finally:
            self._folding = before


def _is_known(inputs: Sequence[Value]) -> bool:
    return all(value is None or isinstance(value, np.ndarray) for value in inputs)


def _as_value(array: Any) -> Value:
    """Return a known value; texts are constants of the graph."""
    array = np.asarray(array)
    return tf.constant(array) if array.dtype.kind in UNKNOWN_TYPES else array


@contextmanager
def _naming(node: Node) -> Iterator[None]:
    """Have errors name a node, once."""
    try:
        yield
    except Exception as error:  # of no common base
        if lacks_memory(error) or isinstance(error, ModelportError):
            raise
        message = f"node {node.name:.100} ({node.kind}): {describe_error(error)}"
        kind = MisfitError if isinstance(error, ValueError) else ModelportError
        raise kind(Reason.CONVERSION_FAILED, message) from error
