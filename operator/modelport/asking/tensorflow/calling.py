"""Models of Keras as functions: source (step ask) and candidate (step try) have the same inputs and outputs, in order."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import tensorflow as tf

Arranged = tuple[list[Any], dict[str, Any]]
"""Arguments of a model, by position and by name."""


def name_input(tensor: Any) -> str:
    """Return the name of a model's input."""
    return str(tensor.name).partition(":")[0]


def name_layers(keras_model: Any) -> list[str]:
    """Return the layers that the outputs come from; a Sequential of Keras 3 does not tell."""
    return list(getattr(keras_model, "output_names", None) or [keras_model.layers[-1].name])


def arrange(keras_model: Any, tensors: Sequence[tf.Tensor]) -> Arranged:
    """Return the tensors as the model takes them: one, or a list; those of Keras 3 that take a dict take no list."""
    structure = getattr(keras_model, "_inputs_struct", keras_model.inputs)
    if len(tensors) == 1 and not isinstance(structure, dict):
        return [tensors[0]], {}
    given = {id(each): tensor for each, tensor in zip(keras_model.inputs, tensors, strict=True)}
    return [tf.nest.map_structure(lambda each: given[id(each)], structure)], {}


def name_outputs(answer: object, names: Sequence[str]) -> dict[str, Any]:
    """Name the outputs by the keys of the answer, or by the layers that they come from; a second one gets a number."""
    if isinstance(answer, Mapping):
        return dict(answer)
    found: dict[str, Any] = {}
    for position, tensor in enumerate(answer if isinstance(answer, (list, tuple)) else [answer]):
        name = names[position] if position < len(names) else f"output_{position}"
        others = (f"{name}_{number}" for number in count(1))
        found[next(each for each in others if each not in {*found, *names}) if name in found else name] = tensor
    return found
