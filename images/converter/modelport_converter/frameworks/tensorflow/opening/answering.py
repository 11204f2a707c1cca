"""Ask a TensorFlow model with named arrays."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport.verification.source.moving import move_weights
from modelport_converter.frameworks.tensorflow.model import Graph, Model

ANY_BYTES = "surrogateescape"
"""How elements that are no text, such as files of images, stand in strings (PEP 383)."""


def make_run(model: Model) -> Infer:
    """Return the function that asks the model operator by operator, as Python runs it."""
    return partial(_run, model, model.call)


def make_graph_run(model: Model, graph: Graph) -> Infer:
    """Return the function that asks the model as a graph, whose loops are not Python's."""
    return partial(_run, model, lambda tensors: dict(zip(graph.outputs, graph.function(*tensors), strict=True)))


def _run(model: Model, call: Callable[[list[tf.Tensor]], Mapping[str, object]], tensors: Tensors) -> Tensors:
    given = [tf.constant(_to_bytes(tensors[each.name]), each.dtype) for each in model.inputs]
    return {name: to_array(name, tensor) for name, tensor in call(given).items()}


def _to_bytes(array: Array) -> Array:
    return _map(lambda each: each.encode(errors=ANY_BYTES), array) if array.dtype.kind in "OU" else array


def _map(change: Callable[[Any], Any], array: Array) -> Array:
    changed = np.empty(array.size, object)
    changed[:] = [change(each) for each in array.flat]
    return changed.reshape(array.shape)


def to_array(name: str, tensor: object) -> Array:
    """Return an output's elements. Raises ModelportError (ConversionFailed) for what is no tensor."""
    if not tf.is_tensor(tensor) or not hasattr(tensor, "numpy"):
        found = type(tensor).__name__.removesuffix("Value")
        message = f"output {name:.100}: expected a dense tensor, found a {found:.60}, which cannot be served"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    array: Array = np.asarray(tensor.numpy())
    if array.dtype.kind in "OS":  # of no axis: bytes alone
        return _map(lambda each: each.decode(errors=ANY_BYTES), array)
    return array


def move_variables(model: Model) -> None:
    """Move the weights of a model by one unit in the last place."""
    random = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(move_weights(variable.numpy(), random))
