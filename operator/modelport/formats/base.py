"""What a format and a converter are: the words in which each framework's file describes itself."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from modelport.api import Spec


class Options(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of a converter's options; fields become keys of `target.options`."""


class Format(NamedTuple):
    """How a model is stored."""

    name: str
    description: str
    recognise: Callable[[str, bytes], bool]
    """Whether a file with this name and these first 4,096 bytes is such a model."""
    image: str
    """Image that answers for such a model: the one of its own framework."""
    holds_graph: bool = False
    """Whether the file itself says what is done with every weight in it.

    Else code, or a framework, builds the model and loads the weights into it, and a weight can be missing, left over or
    never loaded without an error. Such a format's source must be built twice (`Source.rebuild`), and loading must
    refuse with the names of the weights that are not accounted for.
    """
    executes_code: bool = False
    """Whether opening it runs code that comes with it; then `trust: Trusted` is needed."""


class Converter(NamedTuple):
    """One program that turns one format into another."""

    name: str
    source: str
    target: str
    image: str
    """Image it runs in: `converter-<framework>`."""
    options: type[Options]
    cost: int
    """Lower is better; the path with the least sum is taken."""
    check: Callable[[Spec], None] = lambda _spec: None
    """Raises ModelportError for what the schema cannot tell."""
