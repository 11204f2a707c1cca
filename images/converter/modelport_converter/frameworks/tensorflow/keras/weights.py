"""Weights as Keras stores them in HDF5, one after the other, each with the layer and the name that it is stored under.

The older layout has a group for each layer, in the order of attribute `layer_names`, and the order of its weights in
attribute `weight_names`; attributes of more than 64 KiB are split into `layer_names0`, `layer_names1`, …. The layout of
Keras 3, which Keras 2 writes into .keras, too, has them in groups `vars` below the path of attributes that leads to a
layer, whose name Keras 3 writes there as attribute `name`. What belongs to training alone is left out.
"""

import re
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import h5py

from modelport.verification.arrays import Array

TRAINING = re.compile(r"_?(optimizer|metrics|compile_metrics|compiled_metrics|loss_tracker)")
"""Parts of a model, as its paths begin, that no layer computes with."""
CHANCE = re.compile(r"_?(seed|random)_generator")
"""Parts of a layer that draw numbers while it is trained."""
WHOLE = "model_weights"
"""Group of the weights in a file of a whole model."""


class Weight(NamedTuple):
    """One stored array."""

    layer: str
    """Group that it is in, which is a layer of the model's own; empty where the file has none."""
    name: str
    value: Array
    made: str = ""
    """Name that the variable had, in which that of its layer is; empty where the file has none."""


def is_by_layer(file: h5py.File) -> bool:
    """Whether a file has the older layout."""
    return _names(file.get(WHOLE, file), "layer_names") is not None


def read_weights(file: h5py.File) -> Iterator[Weight]:
    """Yield the weights of a file, one at a time. Raises KeyError for one that is named and not there."""
    if is_by_layer(file):
        yield from _read_layers(file.get(WHOLE, file))
        return
    for path in _paths(file):
        yield Weight("", path, file[path][()], _named(file, path))


def _named(file: h5py.File, path: str) -> str:
    """Return the names of the layers that a path leads through, with one more part, as variables' names have it."""
    parts = path.split("/vars/", maxsplit=1)[0].split("/")
    above = (file.get("/".join([*parts[: depth + 1], "vars"])) for depth in range(len(parts)))
    return "/".join([*(_text(each.attrs["name"]) for each in above if each and "name" in each.attrs), ""])


def _read_layers(root: h5py.Group) -> Iterator[Weight]:
    for layer in _names(root, "layer_names") or []:
        for name in _names(root[layer], "weight_names") or []:
            yield Weight(layer, name, root[layer][name][()], name)


def _names(group: h5py.Group, attribute: str) -> list[str] | None:
    if attribute in group.attrs:
        return [_text(each) for each in group.attrs[attribute]]
    pieces = []
    for number in count():
        if f"{attribute}{number}" not in group.attrs:
            break
        pieces += [_text(each) for each in group.attrs[f"{attribute}{number}"]]
    return pieces or None


def _paths(file: h5py.File) -> list[str]:
    found: list[str] = []

    def note(path: str, item: object) -> None:
        parts = path.split("/")
        is_trained_with = TRAINING.fullmatch(parts[0]) or any(map(CHANCE.fullmatch, parts))
        if isinstance(item, h5py.Dataset) and "vars" in parts[:-1] and not is_trained_with:
            found.append(path)

    file.visititems(note)
    return found


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
