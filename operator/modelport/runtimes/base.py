"""What a runtime is: what serves a format."""

from typing import NamedTuple


class Runtime(NamedTuple):
    """A program that answers requests with models of some formats."""

    name: str
    description: str
    formats: tuple[str, ...]
    image: str
    """Image it runs in: `server-<runtime>`."""
