"""Models of Keras as Modelport's converters write them, built by the Keras that wrote them, without code of their own.

`model.keras` is an archive and `model.h5` an HDF5 file, whole; `model.json` is an architecture beside weights in HDF5, or in
a checkpoint. What is built is traced, and asked in a session.
"""

import json
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from modelport.api.reasons import Reason
from modelport.asking.litert.naming import name_output
from modelport.asking.tensorflow.calling import arrange, name_input, name_layers, name_outputs
from modelport.errors import ModelportError
from modelport.verification.calls import Infer
from modelport_server.backends.base import How
from modelport_server.backends.tensorflow.sessions import make_infer, start

ARCHIVE, WHOLE, ARCHITECTURE, CHECKPOINT = ".keras", ".h5", ".json", ".index"
KERAS_3 = "3"


def load_keras(paths: Sequence[Path], how: How) -> Infer:
    """Return what answers. Raises ModelportError, and what Keras raises."""
    with suppress(RuntimeError):  # once a model is built, its threads are there
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.threading.set_intra_op_parallelism_threads(how.threads)
    keras_model = _build({path.suffix: path for path in paths})
    names: list[str] = []

    def answer(*tensors: tf.Tensor) -> list[tf.Tensor]:
        positional, named = arrange(keras_model, tensors)
        answers = name_outputs(keras_model(*positional, **named, training=False), name_layers(keras_model))
        names[:] = answers
        return [tf.identity(each) for each in answers.values()]

    given = [name_input(each) for each in keras_model.inputs]
    specs = [tf.TensorSpec(each.shape, each.dtype) for each in keras_model.inputs]
    function = tf.function(answer, input_signature=specs, autograph=False).get_concrete_function()
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    inputs = dict(zip(given, (each.name for each in frozen.inputs), strict=True))
    outputs = [name_output(name, inputs) for name in names]
    session = start(how, frozen.graph.as_graph_def())
    return make_infer(session, inputs, dict(zip(outputs, (each.name for each in frozen.outputs), strict=True)))


def _build(paths: dict[str, Path]) -> Any:
    """Return the model of the files, by the endings of their names."""
    if ARCHIVE in paths:
        with zipfile.ZipFile(paths[ARCHIVE]) as archive:
            told = json.loads(archive.read("metadata.json"))
        return _library(str(told.get("keras_version"))).models.load_model(paths[ARCHIVE], compile=False, safe_mode=True)
    if ARCHITECTURE in paths:
        return _build_apart(paths)
    if WHOLE not in paths:
        names = ", ".join(path.name for path in paths.values())
        message = f"expected a SavedModel, or a model of Keras, found {names:.200}"
        raise ModelportError(Reason.VERIFICATION_FAILED, message)
    with h5py.File(paths[WHOLE], "r") as file:
        version = file.attrs.get("keras_version", "")
    return _library(_text(version)).models.load_model(paths[WHOLE], compile=False)


def _build_apart(paths: dict[str, Path]) -> Any:
    text = paths[ARCHITECTURE].read_text()
    told = json.loads(text)
    library = _library(str(told.get("keras_version") or (KERAS_3 if "module" in told else "")))
    keras_model = library.models.model_from_json(text)
    if WHOLE in paths:
        keras_model.load_weights(paths[WHOLE])
    else:
        prefix = str(paths[CHECKPOINT].with_suffix(""))
        tf.train.Checkpoint(keras_model).read(prefix).expect_partial().assert_existing_objects_matched()
    return keras_model


def _library(version: str) -> Any:
    """Return the Keras that reads what a version of it wrote."""
    if version.partition(".")[0] == KERAS_3:
        import keras
    else:
        import tf_keras as keras
    return keras


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
