"""Account for every stored weight: each is in the model, and each of the model's is in the file.

Keras loads by order, by name or by path, and passes over what it finds no place for; what it loaded is compared here
with what is stored, element by element, and by layer where the file names layers.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.tensorflow.keras.weights import Grouping, Weight

Place = tuple[str, str]
"""A layer, and what stands for an array: the digest of its shape and elements."""
MAX_NAMES = 5


def check_weights(file_name: str, grouping: Grouping, stored: Iterable[Weight], keras_model: Any) -> None:
    """Raise ModelportError (WeightsMismatch) with the names of weights that are stored or held alone."""
    kept: dict[Place, list[str]] = defaultdict(list)
    for weight in stored:
        kept[weight.layer, _digest(weight.value)].append(f"{weight.name} {list(weight.value.shape)}")
    held: dict[Place, list[str]] = defaultdict(list)
    for layer, variable in _GROUPED[grouping](keras_model):
        value = np.asarray(variable.numpy())
        named = f"{getattr(variable, 'path', variable.name)} {list(value.shape)}"
        held[layer, _digest(value)].append(named)
    told = [
        f"{len(names)} {what}: {', '.join(names[:MAX_NAMES])}"
        for what, names in (("not loaded", _without(held, kept)), ("left over", _without(kept, held)))
        if names
    ]
    if told:
        message = f"{file_name:.60}: expected every stored weight in the model, and no other; {'; '.join(told):.400}"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)


def _by_layer(keras_model: Any) -> Iterator[tuple[str, Any]]:
    for layer in keras_model.layers:
        yield from ((layer.name, variable) for variable in layer.weights)


def _by_maker(keras_model: Any) -> Iterator[tuple[str, Any]]:
    """Return each weight once, with the innermost layer that has it."""
    seen: set[int] = set()
    for layer in reversed([keras_model, *keras_model._flatten_layers(include_self=False)]):  # noqa: SLF001
        for variable in layer.weights:
            if id(variable) not in seen:
                seen.add(id(variable))
                yield layer.name, variable


def _ungrouped(keras_model: Any) -> Iterator[tuple[str, Any]]:
    return (("", variable) for variable in keras_model.weights)


_GROUPED: dict[Grouping, Callable[[Any], Iterator[tuple[str, Any]]]] = {
    "layer": _by_layer,
    "maker": _by_maker,
    "": _ungrouped,
}


def _without(these: dict[Place, list[str]], others: dict[Place, list[str]]) -> list[str]:
    return [name for place, names in these.items() for name in names[len(others.get(place, ())) :]]


def _digest(value: Array) -> str:
    return hashlib.sha256(f"{value.shape}".encode() + np.ascontiguousarray(value).tobytes()).hexdigest()
