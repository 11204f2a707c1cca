"""Toy runtime: numpy, in float64."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport_server.backends.base import DEFAULT, How, LoadOptions, Traits

TRAITS = Traits(platform="toy", takes=frozenset({"float32"}), gives=frozenset({"float32"}))
WAYS: tuple[LoadOptions, ...] = (DEFAULT,)


def load(folder: Path, files: Sequence[str], how: How) -> Infer:
    """Load the model."""
    with np.load(folder / files[0]) as file:
        arrays = dict(file)
    names = str(arrays["input"]), str(arrays["output"])
    layers = [(arrays[f"w_{number}"], arrays[f"o_{number}"]) for number in range(len(arrays) // 2 - 1)]

    def infer(inputs: Tensors) -> Tensors:
        values = inputs[names[0]].astype(np.float64)
        for number, (weights, offsets) in enumerate(layers):
            values = (np.tanh(values) if number else values) @ weights + offsets
        return {names[1]: values.astype(np.float32)}

    return infer
