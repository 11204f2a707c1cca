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
