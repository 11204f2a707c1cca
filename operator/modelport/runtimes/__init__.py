"""The runtimes that serve converted models; a runtime is one file here and one line in RUNTIMES."""

from modelport.runtimes import onnxruntime
from modelport.runtimes.base import Runtime

RUNTIMES: tuple[Runtime, ...] = (onnxruntime.RUNTIME,)


def runtime_for(format_name: str) -> Runtime:
    """Return the runtime that serves a format. Raises KeyError if none does."""
    for runtime in RUNTIMES:
        if format_name in runtime.formats:
            return runtime
    raise KeyError(format_name)
