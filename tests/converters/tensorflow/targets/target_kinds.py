"""Which small models become what: each in the forms that a target could misread; see `run_targets`."""

import tensorflow_kinds as kinds
import tensorflow_traps as traps

SAVED, LITE = "tensorflow-saved-model", "tflite"
ARCHIVE, HDF5, APART, CHECKPOINT = "keras", "keras-h5", "keras-json-weights", "keras-json-weights+checkpoint"
OPTIONS = {CHECKPOINT: {"weights": "checkpoint"}, "tflite+float16": {"precision": "float16"}}
KNOWN = {case.name: case for case in (*kinds.CASES, *traps.CASES)}


def _to(name, *targets, shapes=None):
    return KNOWN[name], {target: OPTIONS.get(target, {}) for target in targets}, shapes or {}


CASES = (
    _to("cnn-keras-3", SAVED, LITE, "tflite+float16", ARCHIVE, HDF5, APART, CHECKPOINT),
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
)
