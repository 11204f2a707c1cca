"""Which Keras code means by `tf.keras`: the one of its time, as TensorFlow had it then."""

import importlib
import sys

import tensorflow as tf

NAME = "tensorflow.keras"
KERAS_2 = "tf_keras.api._v2.keras"
"""Keras 2 under the names that TensorFlow gave to its parts."""
KERAS_3 = "keras._tf_keras.keras"


def name_keras(*, is_keras_3: bool) -> None:
    """Have code get this Keras as `tf.keras`, and by importing from `tensorflow.keras`.

    A layer of one is none to the other; TensorFlow gives Keras 3 to all, whatever the model was saved by. Names are
    counted from the start, so that a factory that gives none builds models that are called alike.
    """
    found = importlib.import_module(KERAS_3 if is_keras_3 else KERAS_2)
    if tf.keras is not found:
        for name in [each for each in sys.modules if each.startswith(f"{NAME}.")]:
            del sys.modules[name]
        sys.modules[NAME] = tf.keras = found
    _reset_names()


def _reset_names() -> None:
    import keras.src.utils.naming
    import tf_keras

    keras.src.utils.naming.reset_uids()
    tf_keras.backend.reset_uids()
