"""Weights in TensorFlow's checkpoints: found by the objects that hold them, whatever their layers are called.

A checkpoint has the graph of all objects that were saved, and of each variable the name that it had
(trackable_object_graph.proto). A variable is stored under the first path that leads to it, be it an optimizer's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.tensorflow.keras.weights import CHANCE, TRAINING, Weight

OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "VARIABLE_VALUE"
COUNTER = "save_counter"
MODEL = "model"
"""What leads to the model where it was saved as an attribute of a checkpoint, and not as its root."""
KERAS = "keras_api"
"""What Keras 2 puts beside the layers."""


def load_checkpoint(index: Path, keras_model: Any) -> None:
    """Load the weights of a built model; raises AssertionError where one has no value."""
    checkpoint = (
        tf.train.Checkpoint(model=keras_model)
        if MODEL in _children(_read_objects(index, tf.train.load_checkpoint(_prefix(index))), 0)
        else tf.train.Checkpoint(keras_model)
    )
    checkpoint.read(_prefix(index)).expect_partial().assert_existing_objects_matched()


def read_checkpoint(index: Path) -> Iterator[Weight]:
    """Yield the stored weights, one at a time, without what belongs to training alone."""
    reader = tf.train.load_checkpoint(_prefix(index))
    objects = _read_objects(index, reader)
    reached, waiting = set[int](), [_children(objects, 0).get(MODEL, 0)]
    while waiting:
        number = waiting.pop()
        if number in reached:
            continue
        reached.add(number)
        for each in objects.nodes[number].attributes:
            if each.name == VALUE:
                key = each.checkpoint_key
                yield Weight("", key.partition("/.ATTRIBUTES/")[0], reader.get_tensor(key), each.full_name)
        waiting += [
            child
            for name, child in _children(objects, number).items()
            if name not in {COUNTER, KERAS} and not TRAINING.fullmatch(name) and not CHANCE.fullmatch(name)
        ]


def _children(objects: TrackableObjectGraph, number: int) -> dict[str, int]:
    return {each.local_name: each.node_id for each in objects.nodes[number].children}


def _read_objects(index: Path, reader: Any) -> TrackableObjectGraph:
    if not reader.has_tensor(OBJECTS):
        message = (
            f"{index.name:.60}: expected a checkpoint of Keras' objects, found one that has variables by name alone"
        )
        raise ModelportError(Reason.WEIGHTS_MISMATCH, f"{message}; save_weights writes the former")
    return TrackableObjectGraph.FromString(reader.get_tensor(OBJECTS))


def _prefix(index: Path) -> str:
    return str(index.with_suffix(""))
