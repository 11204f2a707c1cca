"""Models of Keras, built by the Keras that wrote them: Keras 2 and 3 have layers of the same name that compute otherwise."""

import json
import os
import re
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.errors import describe_error
from modelport_converter.frameworks.tensorflow.keras.accounting import check_weights
from modelport_converter.frameworks.tensorflow.keras.checkpoints import INDEX, load_checkpoint, read_checkpoint
from modelport_converter.frameworks.tensorflow.keras.files import Stored, open_h5, open_weights
from modelport_converter.frameworks.tensorflow.keras.modules import name_modules
from modelport_converter.frameworks.tensorflow.keras.weights import is_by_layer, read_weights
from modelport_converter.frameworks.tensorflow.model import Model, make_model, read_inputs

LOADS_WEIGHTS = ("load_weights", "_load_state", "raise_loading_failure", "load_own_variables", "load_checkpoint")
"""Functions of Keras that put weights into a model it has built."""

_ANNOUNCED = re.compile(
    r"Exception encountered when calling (\S+)\.\s*(?:\x1b\[1m)?(.*?)(?:\x1b\[0m)?\s*Arguments received", re.DOTALL
)
"""What Keras writes around the error of a layer."""


def load_keras(path: Path, stored: Stored, given: Sequence[Input], *, is_trusted: bool, seed: int) -> Model:
    """Return the model of an architecture, with the weights of a file, built under a seed. Raises ModelportError."""
    library = library_of(stored)
    library.utils.set_random_seed(seed)
    if is_trusted:
        _give_names(library)
    try:
        keras_model = _build(library, path, stored, is_trusted=is_trusted)
    except Exception as error:  # layers raise what they like
        raise _refusal(error, path, stored) from error
    if path.suffix == INDEX:
        check_weights(path.name, "", read_checkpoint(path), keras_model)
    else:
        with open_weights(path) as file:
            check_weights(path.name, *read_weights(file), keras_model)
    return wrap(keras_model, given)


def _give_names(library: Any) -> None:
    """Let functions in files, which Keras stores without what they import, find TensorFlow, numpy and Keras."""
    named = {"tf": tf, "np": np, "keras": library, "K": library.backend}
    library.utils.get_custom_objects().update(named)
    if library.__name__ == "keras":  # whose functions see no custom objects, but the globals of the module they load in
        from keras.src.utils import python_utils

        vars(python_utils).update(named)


def _build(library: Any, path: Path, stored: Stored, *, is_trusted: bool) -> Any:
    safe = {"safe_mode": not is_trusted}
    if stored.is_archive or (stored.is_whole and not stored.is_keras_3):
        with _named(path, ".keras" if stored.is_archive else ".h5") as named:
            return library.models.load_model(named, compile=False, **safe)
    if stored.is_keras_3:
        keras_model = library.saving.deserialize_keras_object(name_modules(stored.config), **safe)
    else:
        keras_model = library.models.model_from_json(json.dumps(stored.config))
    if path.suffix == INDEX:
        load_checkpoint(path, keras_model)
        return keras_model
    with open_h5(path) as file:
        ending = ".h5" if is_by_layer(file) else ".weights.h5"
    with _named(path, ending) as named:
        keras_model.load_weights(named)
    return keras_model


@contextmanager
def _named(path: Path, ending: str) -> Iterator[str]:
    """Give a file a name that ends so: Keras tells its formats by that."""
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / f"model{ending}"
        named.symlink_to(path)
        yield os.fspath(named)


def library_of(stored: Stored) -> Any:
    """Return the Keras that reads a file."""
    if stored.is_keras_3:
        import keras
    else:
        import tf_keras as keras
    return keras


def wrap(keras_model: Any, given: Sequence[Input]) -> Model:
    """Return a model of Keras as functions: in inference, its inputs and outputs named as in its file.

    Raises ModelportError as `read_inputs`, and InputsNeeded for a model that does not know its inputs.
    """
    if not getattr(keras_model, "inputs", None):
        message = f"{keras_model.name:.100}: expected a model that knows its inputs, found one that was never built"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    specs = {_input_name(each): _describe(each) for each in keras_model.inputs}
    inputs = read_inputs(specs, given)
    # a Sequential of Keras 3 does not tell
    names = list(getattr(keras_model, "output_names", None) or [keras_model.layers[-1].name])

    def call(tensors: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        return dict(_name_outputs(keras_model(_arrange(keras_model, tensors), training=False), names))

    return make_model(inputs, call, keras_model.variables)


def _arrange(keras_model: Any, tensors: Sequence[tf.Tensor]) -> Any:
    """Return the tensors as the model takes them: one, or a list; those of Keras 3 that take a dict take no list."""
    if len(tensors) == 1 and not isinstance(getattr(keras_model, "_inputs_struct", None), dict):
        return tensors[0]
    given = {id(each): tensor for each, tensor in zip(keras_model.inputs, tensors, strict=True)}
    return tf.nest.map_structure(
        lambda each: given[id(each)], getattr(keras_model, "_inputs_struct", keras_model.inputs)
    )


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
    return f"{found[1]}: {type(error).__name__}: {' '.join(found[2].split()):.160}"


def _input_name(tensor: Any) -> str:
    return str(tensor.name).partition(":")[0]


def _name_outputs(answer: object, names: list[str]) -> Iterator[tuple[str, tf.Tensor]]:
    """Name the outputs by the keys of the answer, or by the layers that they come from; a second one gets a number."""
    if isinstance(answer, Mapping):
        yield from answer.items()
        return
    found = list(answer) if isinstance(answer, (list, tuple)) else [answer]
    for position, tensor in enumerate(found):
        name = names[position] if position < len(names) else "output"
        before = names[:position].count(name)
        yield f"{name}_{before}" if before else name, tensor


def _refusal(error: Exception, path: Path, stored: Stored) -> Exception:
    if lacks_memory(error):
        return error
    told = describe_layer_error(error)
    frames = {frame.name for frame in traceback.extract_tb(error.__traceback__)}
    if any(name in frame for name in LOADS_WEIGHTS for frame in frames):
        return ModelportError(Reason.WEIGHTS_MISMATCH, f"{path.name:.60}: the weights do not fit the layers: {told}")
    message = f"{path.name:.60}: written by Keras {stored.version:.20}, cannot be built: {told}"
    return ModelportError(Reason.CONVERSION_FAILED, message)
