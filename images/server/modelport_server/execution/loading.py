"""Load models with the backend of their runtime, and run them by one rule, whatever the backend can do and needs."""

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import cast

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.errors import ModelportError
from modelport.verification.calls import Infer
from modelport_server import backends
from modelport_server.backends.base import Backend, How, Traits
from modelport_server.execution.adapting import adapted, one_at_a_time

_BASE = "base"


def names() -> list[str]:
    """Return the runtimes that there is a backend for: the modules of the folder `backends`."""
    return [module.name for module in pkgutil.iter_modules(backends.__path__) if module.name != _BASE]


def find(runtime: str) -> Backend:
    """Return the backend of a runtime. Raises ModelportError (ServerCrashed) if it is not in this image."""
    known = names()
    if runtime not in known:
        message = f"runtime: expected one of {', '.join(known)}, found {runtime:.64}; use the server image that has it"
        raise ModelportError(Reason.SERVER_CRASHED, message)
    try:
        return cast(Backend, import_module(f"{backends.__name__}.{runtime}"))
    except ImportError as error:
        # a module that is not there is one of an image of its own; else there is one that does not load
        hint = "; use the server image that has it" if isinstance(error, ModuleNotFoundError) else ""
        message = f"runtime: expected the packages of {runtime} in this image, found: {error}{hint}"
        raise ModelportError(Reason.SERVER_CRASHED, message) from error


def load(runtime: str, folder: Path, files: Sequence[str], how: How, *, runs: int = 1) -> Infer:
    """Load the model of these files in `folder`, for up to `runs` callers at once.

    What is returned leaves its inputs as they are, and its outputs are the caller's own. Raises ModelportError
    (RuntimeUnsupported) if the runtime cannot load the model, or not on this device.
    """
    backend = find(runtime)
    traits = backend.TRAITS
    if how.device not in traits.devices:
        told = f"expected a device of {', '.join(traits.devices)} for {runtime}, found {how.device:.64}"
        raise ModelportError(Reason.RUNTIME_UNSUPPORTED, told)
    if traits.has_one_instance:
        return adapted(backend.load(folder, files, how), traits)
    return one_at_a_time([adapted(backend.load(folder, files, how), traits) for _ in range(runs)])


def check_types(runtime: str, traits: Traits, signature: Signature) -> None:
    """Raise ModelportError (RuntimeUnsupported) if a tensor has an element type that the backend lacks."""
    for kind, tensors, known in (
        ("input", signature.inputs, traits.takes),
        ("output", signature.outputs, traits.gives),
    ):
        for tensor in tensors:
            if tensor.dtype not in known:
                told = f"expected an element type of {', '.join(sorted(known))}, found {tensor.dtype}"
                message = f"{kind} {tensor.name}: {told}: {runtime} has no other"
                raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message[:500])
