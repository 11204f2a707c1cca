"""Models of Keras, built by the Keras that wrote them: Keras 2 and 3 have layers of the same name that compute otherwise."""

import json
import os
import random
import re
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.frameworks.tensorflow import INDEX
from modelport.jobs.requests import ConvertRequest
from modelport_converter.code.loading import call_factory, find_objects
from modelport_converter.frameworks.tensorflow.keras.accounting import check_weights
from modelport_converter.frameworks.tensorflow.keras.architectures import date_units
from modelport_converter.frameworks.tensorflow.keras.calling import describe_layer_error, wrap
from modelport_converter.frameworks.tensorflow.keras.checkpoints import load_checkpoint, read_checkpoint
from modelport_converter.frameworks.tensorflow.keras.files import (
    Stored,
    is_of_keras_3,
    is_whole,
    open_h5,
    open_weights,
    read_keras,
)
from modelport_converter.frameworks.tensorflow.keras.modules import name_modules
from modelport_converter.frameworks.tensorflow.keras.naming import name_keras
from modelport_converter.frameworks.tensorflow.keras.weights import is_by_layer, read_weights
from modelport_converter.frameworks.tensorflow.model import Model

LOADS_WEIGHTS = ("load_weights", "_load_state", "raise_loading_failure", "load_own_variables", "load_checkpoint")
"""Functions of Keras that put weights into a model it has built."""
UNKNOWN_OBJECT = re.compile(r"(?:Unknown|Could not locate) (?:\w+ )*\w+:? '([^']+)'")
"""What Keras says of a class or function that it does not know."""


def load_keras(request: ConvertRequest, path: Path, stored: Stored, seed: int) -> Model:
    """Return the model of an architecture, with the weights of a file, built under a seed. Raises ModelportError."""
    library = library_of(stored)
    name_keras(is_keras_3=stored.is_keras_3)
    library.utils.set_random_seed(seed)
    if request.trusted:
        _give_names(library, find_objects(request.code) if request.code else {})
    try:
        keras_model = _build(library, path, stored, is_trusted=request.trusted)
    except Exception as error:  # layers raise what they like
        raise _refusal(error, path, stored.version) from error
    if not isinstance(keras_model, library.layers.Layer):  # such as a dict, where the name of its class is lost
        message = (
            f"{path.name}: expected a model of Keras, found the configuration of a {type(keras_model).__name__:.60}"
        )
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
    model = wrap(keras_model, request.inputs)
    _check(path, keras_model)
    return model


def load_built(request: ConvertRequest, path: Path, seed: int) -> Model:
    """Return the model that the code's factory builds, with the weights of a file. Raises ModelportError."""
    if request.code is None or request.code.factory is None:
        message = (
            f"{path.name:.60}: holds weights alone; expected the architecture beside it (JSON, as to_json writes it)"
        )
        raise ModelportError(Reason.INPUTS_NEEDED, f"{message}, or spec.source.code.factory and spec.source.inputs")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the generator that users' code has
    tf.random.set_seed(seed)
    name_keras(is_keras_3=path.suffix == INDEX or is_of_keras_3(path))
    keras_model = call_factory(request.code)
    if not hasattr(keras_model, "load_weights"):
        found = f"expected a keras.Model, found {type(keras_model).__name__:.100}"
        raise ModelportError(Reason.FACTORY_FAILED, f"factory {request.code.factory:.100}: {found}")
    model = wrap(keras_model, request.inputs)  # which builds it: weights of what is not built would wait for it
    try:
        _load(path, keras_model)
    except Exception as error:  # layers raise what they like
        raise _refusal(error, path, "") from error
    _check(path, keras_model, is_named=False)
    return model


def load_trained(path: Path, *, trusted: bool) -> tuple[Any, str]:
    """Return the model of a whole file with what it was trained with; None where the file has nothing, or, with the reason, unreadable."""
    stored = read_keras(path) if path.suffix != INDEX and is_whole(path) else None
    if stored is None:
        return None, ""
    library = library_of(stored)
    try:
        with _named(path, ".keras" if stored.is_archive else ".h5") as named:
            keras_model = library.models.load_model(named, compile=True, safe_mode=not trusted)
    except Exception as error:  # losses and metrics may be code
        if lacks_memory(error):
            raise
        return None, describe_layer_error(error)
    return (keras_model if getattr(keras_model, "optimizer", None) is not None else None), ""


def _check(path: Path, keras_model: Any, *, is_named: bool = True) -> None:
    """Account for the weights; layers that a factory made have names that Keras counts up, and that tell nothing."""
    if path.suffix == INDEX:
        check_weights(path.name, read_checkpoint(path), keras_model)
        return
    with open_weights(path) as file:
        stored = read_weights(file)
        check_weights(path.name, stored if is_named else (each._replace(layer="") for each in stored), keras_model)


def _give_names(library: Any, objects: Mapping[str, Any]) -> None:
    """Let files find the objects of the code; and functions in them, stored without what they import, the usual modules."""
    named = {"tf": tf, "np": np, "keras": library, "K": library.backend}
    library.utils.get_custom_objects().update({**named, **objects})
    if library.__name__ == "keras":  # whose functions see no custom objects, but the globals of the module they load in
        from keras.src.utils import python_utils

        vars(python_utils).update(named)


def _build(library: Any, path: Path, stored: Stored, *, is_trusted: bool) -> Any:
    safe = {"safe_mode": not is_trusted}
    is_dated = not stored.is_archive and not stored.is_keras_3 and date_units(stored.config)
    if stored.is_archive or (stored.is_whole and not stored.is_keras_3 and not is_dated):
        with _named(path, ".keras" if stored.is_archive else ".h5") as named:
            return library.models.load_model(named, compile=False, **safe)
    if stored.is_keras_3:
        keras_model = library.saving.deserialize_keras_object(name_modules(stored.config), **safe)
    else:
        keras_model = library.models.model_from_json(json.dumps(stored.config))
    _load(path, keras_model)
    return keras_model


def _load(path: Path, keras_model: Any) -> None:
    if path.suffix == INDEX:
        load_checkpoint(path, keras_model)
        return
    with open_h5(path) as file:
        ending = ".h5" if is_by_layer(file) else ".weights.h5"
    with _named(path, ending) as named:
        keras_model.load_weights(named)


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


KERAS_1 = ("0.", "1.")
INSTEAD = (
    "written by Keras {}, whose layers are not read any more; load it with Keras 2.0 to 2.2 and save it, or, of the "
    "Theano backend, pickle a theano.function of model.input and model.output, with learning_phase given as 0"
)


def _refusal(error: Exception, path: Path, version: str) -> Exception:
    if lacks_memory(error) or isinstance(error, ModelportError):
        return error
    told = describe_layer_error(error)
    frames = {frame.name for frame in traceback.extract_tb(error.__traceback__)}
    if any(name in frame for name in LOADS_WEIGHTS for frame in frames):
        return ModelportError(Reason.WEIGHTS_MISMATCH, f"{path.name:.60}: the weights do not fit the layers: {told}")
    unknown = UNKNOWN_OBJECT.search(str(error))
    if unknown:
        message = f"{path.name:.60}: {unknown[1]:.100} is not of Keras; give its code, and name it in spec.source.code.objects"
        return ModelportError(Reason.FACTORY_FAILED, message)
    message = f"{path.name:.60}: written by Keras {version:.20}, cannot be built: {told}"
    if version.startswith(KERAS_1):
        message = f"{path.name:.60}: {INSTEAD.format(version[:20])}"
    return ModelportError(Reason.CONVERSION_FAILED, message)
