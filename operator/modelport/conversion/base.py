"""What a framework, a format, a converter and a runtime are: the words in which each one's file describes itself."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from modelport.conversion.detection import Evidence, Tree


class Options(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Base of a converter's options; fields become keys of `target.options`.

    Requests and keys hold what differs from the defaults, so that an option that came with an upgrade changes no key.
    """

    def tuning_key(self) -> str:
        """Return the name of what a converter with these options measures, for later ones to go on with; empty: nothing."""
        return ""


class Format(NamedTuple):
    """How a model is stored."""

    name: str
    description: str
    detect: Callable[[Tree], Evidence | None] | None = None
    """Looks for such a model among files; None: it is only made, and no source."""
    suffixes: tuple[str, ...] = ()
    """How names of such files mostly end."""
    holds_graph: bool = False
    """Whether the file itself says what is done with every weight in it.

    Else code, or a framework, builds the model and loads the weights into it, and a weight can be missing, left over or
    never loaded without an error. Such a format's source must be built twice (`Source.rebuild`), and loading must
    refuse with the names of the weights that are not accounted for.
    """
    executes_code: bool = False
    """Whether opening it runs code that comes with it; then `trust: Trusted` is needed."""
    may_execute: str = ""
    """What in some of its files would run when they are opened: then these need `trust: Trusted`, too; inspect finds it."""
    needs: tuple[str, ...] = ()
    """Fields of `spec.source` without which it makes no model: `code` with a factory, `inputs`."""


class Converter(NamedTuple):
    """One program that turns one format into another.

    It is the function `convert` of `modelport_converter.frameworks.<framework>`, in the image of the framework that
    declares it: of `to_<target>` where the source is a format of that framework, else of `from_<source>`.
    """

    source: str
    target: str
    options: type[Options]
    cost: int
    """Lower is better; the path with the least sum is tried first."""
    by: str = ""
    """Which one of several programs between the same formats."""

    @property
    def name(self) -> str:
        """Its name in requests and keys."""
        return f"{self.source}-to-{self.target}{f'-by-{self.by}' if self.by else ''}"


class Framework(NamedTuple):
    """A family of formats, and what converts them, in one image."""

    name: str
    description: str
    formats: tuple[Format, ...]
    converters: tuple[Converter, ...]
    packages: tuple[str, ...] = ()
    """Debian packages that its image needs beside Python; Python's own are in its lock."""

    @property
    def image(self) -> str:
        """Name of its image."""
        return f"converter-{self.name}"


class Runtime(NamedTuple):
    """A program that answers requests with models of some formats."""

    name: str
    description: str
    formats: tuple[str, ...]
    packages: tuple[str, ...] = ()
    """Debian packages that its image needs beside Python; Python's own are in its lock."""

    @property
    def image(self) -> str:
        """Name of its image."""
        return f"server-{self.name}"
