"""Weights as Keras stores them in HDF5, one after the other, each with the layer and the name that it is stored under.

The older layout has a group for each layer, in the order of attribute `layer_names`, and the order of its weights in
attribute `weight_names`; attributes of more than 64 KiB are split into `layer_names0`, `layer_names1`, …. The layout of
Keras 3, which Keras 2 writes into .keras, too, has them in groups `vars` below the path of attributes that leads to a
layer. What belongs to training alone is left out.
"""

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import h5py

from modelport.verification.arrays import Array

TRAINING = ("optimizer", "metric", "loss_tracker")
"""What the first part of a path has in it where no layer owns what is below it."""
WHOLE = "model_weights"
"""Group of the weights in a file of a whole model."""


class Weight(NamedTuple):
    """One stored array."""

    layer: str
    """Name of the layer whose group it is in; none where only attributes lead to it."""
    name: str
    value: Array


def read_weights(file: h5py.File) -> Iterator[Weight]:
    """Yield the weights of a file, one at a time. Raises KeyError for one that is named and not there."""
    root = file.get(WHOLE, file)
    layers = _names(root, "layer_names")
    for layer in layers or []:
        for name in _names(root[layer], "weight_names") or []:
            yield Weight(layer, name, root[layer][name][()])
    if layers is None:
        yield from (Weight("", path, file[path][()]) for path in _paths(file))


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
        folders = path.split("/")[:-1]
        if (
            isinstance(item, h5py.Dataset)
            and folders[-1:] == ["vars"]
            and not any(each in folders[0] for each in TRAINING)
        ):
            found.append(path)

    file.visititems(note)
    return found


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
