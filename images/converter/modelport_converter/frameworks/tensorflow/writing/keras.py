"""Write models of Keras, by the Keras that wrote them, in another of its forms.

Whole files have what the model was trained with, too (optimizer, losses, metrics), where it can be read without code of its
own. A model that nobody trained has none, and no form of it has.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.steps.handover import write_caveats
from modelport_converter.frameworks.tensorflow.keras.models import load_trained
from modelport_converter.frameworks.tensorflow.opening.load import Opened, open_hop
from modelport_converter.tasks import MODEL, HopTask

ARCHITECTURE = "model.json"
HDF5 = {2: "model.h5", 3: "model.weights.h5"}
"""What weights are stored in by each Keras: 2 has names in its older layout alone, 3 has but the newer one."""


def write_whole(task: HopTask, name: str) -> None:
    """Write one file, architecture and weights. Raises ModelportError (ConversionFailed)."""
    opened, path = open_hop(task), task.out / MODEL / name
    path.parent.mkdir()
    if task.hop.source == task.hop.target:
        shutil.copyfile(opened.path, path)
        return
    keras_model = _model_of(opened)
    trained, reason = load_trained(opened.path, trusted=task.request.trusted)
    if reason:
        told = f"what the model was trained with is left out, because it cannot be read: {reason}"
        write_caveats(task.out, [told])
    with _told(name):
        (trained or keras_model).save(path)


def write_apart(task: HopTask, *, in_checkpoint: bool) -> None:
    """Write an architecture and weights. Raises ModelportError (ConversionFailed)."""
    opened, folder = open_hop(task), task.out / MODEL
    folder.mkdir()
    keras_model = _model_of(opened)
    with _told(ARCHITECTURE):
        (folder / ARCHITECTURE).write_text(keras_model.to_json())
    if in_checkpoint:
        with _told("a checkpoint"):
            tf.train.Checkpoint(keras_model).write(str(folder / "model"))
        return
    name = HDF5[2 if type(keras_model).__module__.startswith("tf_keras") else 3]
    with _told(name):
        keras_model.save_weights(folder / name)


def _model_of(opened: Opened) -> Any:
    keras_model = opened.model.holder
    if not getattr(keras_model, "inputs", None):
        message = "expected a model whose architecture Keras stores; found a class of its own, which its code builds"
        raise ModelportError(Reason.CONVERSION_FAILED, f"{message}; convert it to tensorflow-saved-model")
    return keras_model


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of layers, which raise what they like
        if lacks_memory(error):
            raise
        message = f"Keras does not write {name}: {describe_error(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
