"""Account for every stored weight: each is in the model, and each of the model's is in the file.

Keras loads by order, by name or by path, and passes over what it finds no place for; what it loaded is compared here
with what is stored, element by element, by the group of a layer where the file has groups, and by the names that the variables had.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.tensorflow.keras.weights import Weight

Place = tuple[str, ...]
"""A group, and what stands for an array: the digest of its shape and elements."""
MAX_NAMES = 5


def check_weights(file_name: str, stored: Iterable[Weight], keras_model: Any) -> None:
    """Raise ModelportError (WeightsMismatch) with the names of weights that are stored or held alone."""
    kept, held = _Account(), _Account()
    makers = _find_makers(keras_model)
    owners = set(makers.values())
    for weight in stored:
        owner = next((part for part in reversed(weight.made.split("/")[:-1]) if part in owners), "")
        kept.add(weight.layer, owner, weight.name, weight.value)
    is_grouped = any(group for group, _ in kept.places)
    counted = {id(variable) for metric in getattr(keras_model, "metrics", ()) for variable in metric.variables}
    own = [variable for variable in keras_model.weights if id(variable) not in counted]
    for group, variable in _by_layer(keras_model) if is_grouped else (("", variable) for variable in own):
        name = getattr(variable, "path", variable.name)
        held.add(group, makers.get(id(variable), ""), name, np.asarray(variable.numpy()))
    spare = {_digest(np.asarray(variable.numpy())) for variable in keras_model.variables}
    missing, left = _without(held.places, kept.places), _without(kept.places, held.places, spare)
    if not missing and not left and kept.shapes == held.shapes:  # names that are not the model's own tell nothing
        missing, left = _without(held.owned, kept.owned), _without(kept.owned, held.owned)
    told = [
        f"{len(names)} {what}: {', '.join(names[:MAX_NAMES])}"
        for what, names in (("not loaded", missing), ("left over", left))
        if names
    ]
    if told:
        message = f"{file_name:.60}: expected every stored weight in the model, and no other; {'; '.join(told):.400}"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)


class _Account:
    """Arrays by where they are, each with its name."""

    def __init__(self) -> None:
        self.places: dict[Place, list[str]] = defaultdict(list)
        self.owned: dict[Place, list[str]] = defaultdict(list)
        """By the layer that made it as well."""
        self.shapes: Counter[Place] = Counter()
        """How many arrays of a shape a layer has."""

    def add(self, group: str, owner: str, name: str, value: Array) -> None:
        digest, named = _digest(value), f"{name} {list(value.shape)}"
        self.places[group, digest].append(named)
        self.owned[group, owner, digest].append(named)
        self.shapes[group, owner, f"{value.shape}"] += 1


def _find_makers(keras_model: Any) -> dict[int, str]:
    """Return the innermost layer of the architecture that has a variable, by the variable's id."""
    found: dict[int, str] = {}
    for layer in getattr(keras_model, "layers", ()):
        found |= {id(variable): layer.name for variable in layer.weights} | _find_makers(layer)
    return found


def _by_layer(keras_model: Any) -> Iterator[tuple[str, Any]]:
    for layer in keras_model.layers:
        yield from ((layer.name, variable) for variable in layer.weights)


def _without(these: dict[Place, list[str]], others: dict[Place, list[str]], spare: Collection[str] = ()) -> list[str]:
    """Return the names of what is not among the others; what only training has, the model may hold beside its weights."""
    return [
        name
        for place, names in these.items()
        if place in others or place[-1] not in spare
        for name in names[len(others.get(place, ())) :]
    ]


def _digest(value: Array) -> str:
    return hashlib.sha256(f"{value.shape}".encode() + np.ascontiguousarray(value).tobytes()).hexdigest()
