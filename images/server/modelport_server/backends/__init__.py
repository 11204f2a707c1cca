"""What runs models: one file per runtime, one line here."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from modelport.contract import ModelportError
from modelport.reasons import Reason

Tensors = dict[str, npt.NDArray[Any]]
Infer = Callable[[Tensors], Tensors]

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
    loaded: Backend = _module(runtime).load(folder, files, threads)
    return loaded


def load_logits(runtime: str, folder: Path, files: list[str]) -> Infer:
    """Return what answers with the tensors before a final softmax or sigmoid, by output name; for verification."""
    infer: Infer = _module(runtime).load_logits(folder, files)
    return infer


def _module(runtime: str) -> Any:
    name = MODULES.get(runtime)
    if name is None:
        message = (
            f"runtime: expected one of {', '.join(MODULES)}, found {runtime:.64}; use the server image that has it"
        )
        raise ModelportError(Reason.SERVER_CRASHED, message)
    return import_module(f"{__name__}.{name}")
