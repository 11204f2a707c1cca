"""What a backend is: the module in this folder that runs models of one runtime, under the runtime's name.

It says in TRAITS what it can do and what it needs. The defaults are what any runtime can do: it gets inputs of its own,
aligned, runs once at a time, and what it answers is copied before it runs again. Whatever it can do better saves that.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, get_args

from modelport.api.base import Dtype
from modelport.verification.calls import Infer

LoadOptions = Mapping[str, str]
"""How a runtime loads a model."""
DEFAULT: LoadOptions = {}
"""In its own way."""
DTYPES: frozenset[str] = frozenset(get_args(Dtype))
"""All element types of signatures."""
CPU = "cpu"


class Traits(NamedTuple):
    """What a backend can do and what it needs."""

    platform: str
    """Name of the runtime in the protocol's metadata."""
    takes: frozenset[str]
    """Element types of inputs, as signatures name them."""
    gives: frozenset[str]
    """Element types of outputs."""
    takes_bytes: bool = False
    """Whether elements of strings may be any bytes; else they are text alone (`modelport_server.strings`)."""
    is_shared: bool = False
    """Whether several threads may run one instance at once; else there is an instance for each run at once, which may be
    used by one thread after the other."""
    keeps_outputs: bool = False
    """Whether outputs stay as they are, whatever is run later, and are no views of inputs; else they are copied."""
    writes_inputs: bool = True
    """Whether a run may write into its inputs; then they are copied."""
    alignment: int = 64
    """Of inputs, in bytes; they are in row-major order then, and copied if they are not. 0: arrays of any layout."""
    most_threads: int | None = None
    """Threads that one run can use; None: any number."""
    devices: tuple[str, ...] = (CPU,)
    """Where it can run models."""

    @property
    def has_one_instance(self) -> bool:
        """Whether one instance is enough: outputs that do not last can be copied only before anybody runs it again."""
        return self.is_shared and self.keeps_outputs


class How(NamedTuple):
    """How a model is to be loaded."""

    options: LoadOptions = DEFAULT
    """One of the backend's WAYS."""
    threads: int = 1
    """Threads that one run may use, the caller's own included."""
    device: str = CPU
    """One of the backend's devices."""


class Backend(Protocol):
    """The module."""

    TRAITS: Traits
    WAYS: Sequence[LoadOptions]
    """Options to try one after the other: the default, then less and less optimised."""

    def load(self, folder: Path, files: Sequence[str], how: How) -> Infer:
        """Load the model of these files in `folder`; return one instance of it, which is freed with the function.

        The function gives the outputs by name, in the model's order, for inputs that fit the signature. Raises
        ModelportError (RuntimeUnsupported) if the runtime cannot load the model.
        """
