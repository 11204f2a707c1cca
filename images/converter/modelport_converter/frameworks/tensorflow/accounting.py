"""Account for every stored weight: each is in the model, and each of the model's is in the file.

Keras loads by order, by name or by path, and passes over what it finds no place for; what it loaded is compared here
with what is stored, element by element.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.tensorflow.stored.weights import read_weights

Place = tuple[str, str]
"""A layer, and what stands for an array: the digest of its shape and elements."""
MAX_NAMES = 5


def check_weights(path: Path, file: h5py.File, keras_model: Any) -> None:
    """Raise ModelportError (WeightsMismatch) with the names of weights that are stored or held alone."""
    stored: dict[Place, list[str]] = defaultdict(list)
    for weight in read_weights(file):
        stored[weight.layer, _digest(weight.value)].append(f"{weight.name} {list(weight.value.shape)}")
    is_by_layer = any(layer for layer, _ in stored)
    held = _places(keras_model.weights, keras_model, is_by_layer)
    kept = _places(keras_model.variables, keras_model, is_by_layer)
    told = [
        f"{len(names)} {what}: {', '.join(names[:MAX_NAMES])}"
        for what, names in (("not loaded", _without(held, stored)), ("left over", _without(stored, kept)))
        if names
    ]
    if told:
        message = f"{path.name:.60}: expected every stored weight in the model, and no other; {'; '.join(told):.400}"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)


def _places(variables: Iterable[Any], keras_model: Any, is_by_layer: bool) -> dict[Place, list[str]]:
    found: dict[Place, list[str]] = defaultdict(list)
    for layer, variable in _by_layer(keras_model) if is_by_layer else (("", each) for each in variables):
        value = np.asarray(variable.numpy())
        found[layer, _digest(value)].append(f"{getattr(variable, 'path', variable.name)} {list(value.shape)}")
    return found


def _by_layer(keras_model: Any) -> Iterator[tuple[str, Any]]:
    for layer in keras_model.layers:
        yield from ((layer.name, variable) for variable in layer.weights)


def _without(these: dict[Place, list[str]], others: dict[Place, list[str]]) -> list[str]:
    return [name for place, names in these.items() for name in names[len(others.get(place, ())) :]]


def _digest(value: Array) -> str:
    return hashlib.sha256(f"{value.shape}".encode() + np.ascontiguousarray(value).tobytes()).hexdigest()
