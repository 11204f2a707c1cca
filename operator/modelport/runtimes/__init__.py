"""The runtimes that serve converted models: each is one module here, and one of `modelport_server.backends`."""

import sys

from modelport.conversion.base import Runtime
from modelport.conversion.discovery import find_declared

RUNTIMES: dict[str, Runtime] = find_declared(sys.modules[__name__], "RUNTIME", Runtime)
TARGETS: tuple[str, ...] = tuple(sorted(name for runtime in RUNTIMES.values() for name in runtime.formats))
"""Formats that a model can become: those that a runtime can prove and serve."""


def runtime_for(format_name: str) -> Runtime:
    """Return the runtime that serves a format. Raises KeyError if none does."""
    for runtime in RUNTIMES.values():
        if format_name in runtime.formats:
            return runtime
    raise KeyError(format_name)
