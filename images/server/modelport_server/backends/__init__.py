"""What runs models: one file per runtime, one line here."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

Tensors = dict[str, npt.NDArray[Any]]
Infer = Callable[[Tensors], Tensors]
LoadOptions = Mapping[str, str]
"""How a runtime loads a model; none: in its own default way."""

MODULES = {"onnxruntime": "onnxruntime"}
"""Runtimes, as `modelport.runtimes` names them, and their modules here."""


class Backend(Protocol):
    """A loaded model."""

    platform: str
    """Name of the runtime in the protocol's metadata."""

    def infer(self, inputs: Tensors) -> Tensors:
        """Return the outputs, by name and in the model's order, for inputs that fit the signature.

        They are the caller's own: no later call changes them.
        """


def load(runtime: str, folder: Path, files: list[str], threads: int, options: LoadOptions) -> Backend:
    """Load the model in `folder`; `options` are one of `ways(runtime)`.

    Raises ModelportError (RuntimeUnsupported) if the runtime cannot.
    """
    loaded: Backend = _module(runtime).load(folder, files, threads, options)
    return loaded


def ways(runtime: str) -> Sequence[LoadOptions]:
    """Return the options to try one after the other: the default, then less and less optimised."""
    found: Sequence[LoadOptions] = _module(runtime).WAYS
    return found


def _module(runtime: str) -> Any:
    name = MODULES.get(runtime)
    if name is None:
        message = (
            f"runtime: expected one of {', '.join(MODULES)}, found {runtime:.64}; use the server image that has it"
        )
        raise ModelportError(Reason.SERVER_CRASHED, message)
    return import_module(f"{__name__}.{name}")
