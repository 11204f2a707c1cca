"""Models of Keras as functions: their inputs and outputs in order, named as in their files."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.asking.tensorflow.calling import Arranged, arrange, name_input, name_layers, name_outputs
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport_converter.frameworks.tensorflow.model import Model, make_model, read_inputs

LENGTHS = (4, 32, 224)
"""Of free dimensions, while a model is called to see what it takes."""
_ANNOUNCED = re.compile(
    r"Exception encountered when calling (?:layer ['\"](\S+)['\"] \(type \w+\)|(\S+))\.\s*(?:\x1b\[1m)?(.*?)(?:\x1b\[0m)?\s*"
    r"(?:Call a|A)rguments received",
    re.DOTALL,
)
"""What Keras 2 or 3 writes around the error of a layer."""


def wrap(keras_model: Any, given: Sequence[Input]) -> Model:
    """Return a model of Keras as functions: in inference, its inputs and outputs named as in its file.

    One that does not know its inputs, as those that are classes of their own, takes those that are given, and is built
    by being called with them. Raises ModelportError as `read_inputs`, InputsNeeded where none are given, and
    FactoryFailed where it does not take them.
    """
    inputs: Sequence[Input]
    place: Callable[[Sequence[tf.Tensor]], Arranged]
    if getattr(keras_model, "inputs", None):
        specs = {name_input(each): _describe(each) for each in keras_model.inputs}
        inputs, place, names = read_inputs(specs, given), partial(arrange, keras_model), name_layers(keras_model)
    else:
        inputs, names, place = given, [], _find_arrangement(keras_model, given)

    def call(tensors: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        positional, named = place(tensors)
        return name_outputs(keras_model(*positional, **named, training=False), names)

    return make_model(inputs, call, keras_model.variables, keras_model)


def _find_arrangement(keras_model: Any, given: Sequence[Input]) -> Callable[[Sequence[tf.Tensor]], Arranged]:
    """Return how the model takes its inputs: as arguments of their names, or as one: a tensor, a list or a dict."""
    if not given:
        message = f"{keras_model.name:.100}: expected spec.source.inputs, because no file tells what it takes"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    names = [each.name for each in given]
    taken = list(inspect.signature(keras_model.call).parameters)
    ways: list[Callable[[Sequence[tf.Tensor]], Arranged]] = [
        lambda tensors: ([tensors[0] if len(tensors) == 1 else list(tensors)], {}),
        lambda tensors: ([dict(zip(names, tensors, strict=True))], {}),
    ]
    if set(names) <= set(taken):
        # Keras takes the first one by position alone
        ways = [partial(_by_name, names, taken[0])]
    first: Exception | None = None
    for way in ways:
        for length in LENGTHS:
            try:
                positional, named = way([_zeros(each, length) for each in given])
                keras_model(*positional, **named, training=False)
            except Exception as error:  # noqa: BLE001  # layers raise what they like
                first = first or error
            else:
                return way
    if first is not None and lacks_memory(first):
        raise first
    message = f"{type(keras_model).__name__:.60} does not take the inputs of spec.source.inputs: {describe_layer_error(first or Exception())}"
    raise ModelportError(Reason.FACTORY_FAILED, message) from first


def _by_name(names: Sequence[str], first: str, tensors: Sequence[tf.Tensor]) -> Arranged:
    given = dict(zip(names, tensors, strict=True))
    return [given.pop(first)] if first in given else [], given


def _zeros(each: Input, length: int) -> tf.Tensor:
    return tf.zeros([length if isinstance(axis, str) else axis for axis in each.shape], each.dtype)


def _describe(tensor: Any) -> tf.TypeSpec:
    if getattr(tensor, "sparse", False):
        return tf.SparseTensorSpec(tensor.shape, tensor.dtype)
    if getattr(tensor, "ragged", False):
        return tf.RaggedTensorSpec(tensor.shape, tensor.dtype)
    return getattr(tensor, "type_spec", tf.TensorSpec(tensor.shape, tensor.dtype))


def describe_layer_error(error: BaseException) -> str:
    """Return what a layer raised, and which: Keras writes around it what the layer was given."""
    found = _ANNOUNCED.match(str(error))
    if not found:
        return describe_error(error)
    return f"{found[1] or found[2]}: {type(error).__name__}: {' '.join(found[3].split()):.160}"
