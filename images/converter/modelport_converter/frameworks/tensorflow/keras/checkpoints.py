"""Weights in TensorFlow's checkpoints: found by the objects that hold them, whatever their layers are called."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from modelport_converter.frameworks.tensorflow.keras.weights import TRAINING, Weight

INDEX = ".index"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
COUNTER = "save_counter"
MODEL = "model/"
"""How names begin where the model was saved as an attribute of a checkpoint, and not as its root."""


def load_checkpoint(index: Path, keras_model: Any) -> None:
    """Load the weights of a built model; raises AssertionError where one has no value."""
    is_attribute = any(name.startswith(MODEL) for name, _ in tf.train.list_variables(_prefix(index)))
    checkpoint = tf.train.Checkpoint(model=keras_model) if is_attribute else tf.train.Checkpoint(keras_model)
    checkpoint.read(_prefix(index)).expect_partial().assert_existing_objects_matched()


def read_checkpoint(index: Path) -> Iterator[Weight]:
    """Yield the stored weights, one at a time, without what belongs to training alone."""
    reader = tf.train.load_checkpoint(_prefix(index))
    for name in reader.get_variable_to_shape_map():
        path = name.removesuffix(VALUE)
        if path not in {name, COUNTER} and not any(each in path for each in TRAINING):
            yield Weight("", path, reader.get_tensor(name))


def _prefix(index: Path) -> str:
    return str(index.with_suffix(""))
