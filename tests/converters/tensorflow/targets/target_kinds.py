"""Which small models become what: each in the forms that a target could misread; see `run_targets`."""

from typing import Any

import numpy as np
import tensorflow_kinds as kinds
import tensorflow_traps as traps
from tensorflow_kinds import Case, Keras, keras2, keras3

SAVED, LITE = "tensorflow-saved-model", "tflite"
ARCHIVE, HDF5, APART, CHECKPOINT = "keras", "keras-h5", "keras-json-weights", "keras-json-weights+checkpoint"
OPTIONS = {CHECKPOINT: {"weights": "checkpoint"}, "tflite+float16": {"precision": "float16"}}
KNOWN = {case.name: case for case in (*kinds.CASES, *traps.CASES)}


def trained(keras: Keras) -> Any:
    """A model with the state of an optimizer."""
    model = kinds.dense(keras)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((8, 4), np.float32), np.zeros((8, 3), np.float32), epochs=2, verbose=0)
    return model


def recurrent(keras: Keras, cell: str, length: int | None, **settings: Any) -> Any:
    """Steps in both directions; one step alone, and each way to reset a GRU, are where converters err."""
    layers = keras.layers
    series = layers.Input((length, 3), name="series")
    both = layers.Bidirectional(getattr(layers, cell)(4, return_sequences=True, **settings))(series)
    return keras.Model(series, layers.Dense(2)(both))


RECURRENT = [
    (f"{cell}{way}-{length}-{library.__version__[0]}".lower(), library, cell, length, settings)
    for cell, way, settings in (
        ("LSTM", "", {}),
        ("GRU", "-after", {"reset_after": True}),
        ("GRU", "-before", {"reset_after": False}),
    )
    for length in (1, 6)
    for library in (keras3, keras2)
]


def _recurrent(name, library, cell, length, settings):
    case = Case(name, lambda keras: recurrent(keras, cell, length, **settings), library=library)
    return case, {LITE: {}}, {"series": [5, length, 3]}


def _to(name, *targets, shapes=None):
    return KNOWN[name], {target: OPTIONS.get(target, {}) for target in targets}, shapes or {}


CASES = (
    _to("cnn-keras-3", "tflite+float16"),
    _to("cnn-keras-3", SAVED, LITE, ARCHIVE, HDF5, APART, CHECKPOINT),
    _to("cnn-keras-h5-2", SAVED, LITE, ARCHIVE, HDF5, APART, CHECKPOINT),
    _to("several-keras-3", SAVED, LITE, ARCHIVE, HDF5, APART),
    _to("several-keras-2", SAVED, LITE, ARCHIVE, HDF5, APART),
    _to("transformer-keras-2", SAVED, LITE, HDF5),
    _to("transformer-keras-h5-3", SAVED, LITE, ARCHIVE),
    _to("weights-model.weights.h5-3", SAVED, ARCHIVE, APART, CHECKPOINT),
    _to("weights-checkpoint-3", SAVED, APART),
    _to("weights-saved-2", SAVED, HDF5),
    _to("gru-keras-h5-2", SAVED, LITE, ARCHIVE),
    _to("gru-keras-3", LITE, shapes={"series": [5, 6, 3]}),
    _to("gru-keras-h5-2", LITE, shapes={"series": [5, 6, 3]}),
    _to("lstm-keras-3", LITE, shapes={"tokens": [5, 6]}),
    _to("lstm-keras-2", LITE, shapes={"tokens": [5, 6]}),
    _to("plain", SAVED, LITE),
    _to("other", SAVED, LITE),
    _to("looped", SAVED, LITE),
    _to("frozen", SAVED, LITE),
    _to("checkpoint", SAVED, LITE),
    _to("lite", LITE),
    _to("lite-names", LITE),
    _to("twice3", SAVED, LITE, ARCHIVE),
    _to("by_name", SAVED, LITE),
    _to("grouped-saved", SAVED, LITE),
    _to("double", SAVED),
    _to("unsupported", LITE),
    _to("own-class", SAVED, ARCHIVE),
    _to("custom-saved", SAVED),
    _to("unread", SAVED, LITE),
    *(
        (Case(f"trained-{library.__version__[0]}", trained, library=library), {HDF5: {}, APART: {}}, {})
        for library in (keras2, keras3)
    ),
    *(_recurrent(*each) for each in RECURRENT),
)
