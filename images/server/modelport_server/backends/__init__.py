"""What runs models: one file per runtime, one line here."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

Tensors = dict[str, npt.NDArray[Any]]

MODULES = {"onnxruntime": "onnxruntime"}
"""Runtimes, as `modelport.runtimes` names them, and their modules here."""


class Backend(Protocol):
    """A loaded model."""

    platform: str
    """Name of the runtime in the protocol's metadata."""

    def infer(self, inputs: Tensors) -> Tensors:
        """Return the outputs, by name and in the model's order, for inputs that fit the signature."""


def load(runtime: str, folder: Path, files: list[str], threads: int) -> Backend:
    """Load the model in `folder`. Raises ModelportError."""
    loaded: Backend = import_module(f"{__name__}.{MODULES[runtime]}").load(folder, files, threads)
    return loaded


def load_logits(runtime: str, folder: Path, files: list[str]) -> Callable[[Tensors], Tensors]:
    """Return what answers with the tensors before a final softmax or sigmoid, by output name; for verification."""
    infer: Callable[[Tensors], Tensors] = import_module(f"{__name__}.{MODULES[runtime]}").load_logits(folder, files)
    return infer
