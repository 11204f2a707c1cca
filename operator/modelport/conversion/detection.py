"""Which format the files of a source have: by what is in them, and by their names only where that is not enough.

Files are looked at, never loaded: bounded reads, and the names in zip archives without unpacking them. A DL4J model, a
checkpoint of PyTorch, a Keras model are zip archives, and models as a whole; only what no format claims is unpacked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from modelport.api.reasons import Reason
from modelport.errors import ModelportError


class Tree(Protocol):
    """Files of a source; whoever made them may be hostile. Those of a folder: `modelport.storage.trees`."""

    @property
    def paths(self) -> tuple[str, ...]:
        """All files, with `/` between folders."""

    def size(self, path: str) -> int:
        """Return the number of bytes in a file."""

    def read(self, path: str, offset: int = 0) -> bytes:
        """Return some bytes of a file from an offset, at least 4,096 where it has as many."""

    def members(self, path: str) -> frozenset[str]:
        """Return the names in a zip archive; none for what is no archive, or not a whole one."""


class Evidence(NamedTuple):
    """What speaks for a format."""

    parts: Mapping[str, str]
    """Paths of the files by the part that they play: `model`, `weights`, `architecture`, …"""
    is_sure: bool = True
    """Whether content says so, and not only a name."""
    rivals: tuple[str, ...] = ()
    """Files that would play a part as well as the one that is named: nobody can tell which model is meant."""


class Detecting(Protocol):
    """What is asked of a format."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def detect(self) -> Callable[[Tree], Evidence | None] | None: ...  # noqa: D102


def play(part: str, files: Sequence[str], *, is_sure: bool) -> Evidence | None:
    """Return the evidence that one of these files plays a part: the first, and the others are its rivals."""
    return Evidence({part: files[0]}, is_sure, tuple(files[1:])) if files else None


AnyFormat = TypeVar("AnyFormat", bound=Detecting)


def detect(tree: Tree, formats: Iterable[AnyFormat]) -> tuple[AnyFormat, Evidence] | None:
    """Return the one format that the files have, or None if there is none.

    What has a part in a larger model is no model of its own: weights beside their configuration are not weights alone.

    Raises ModelportError (AmbiguousFormat) if there are several, of which one is as sure as the other.
    """
    found = [(each, evidence) for each in formats if each.detect and (evidence := each.detect(tree))]
    found = [each for each in found if each[1].is_sure] or found
    taken = [set(evidence.parts.values()) for _, evidence in found]
    found = [each for each, parts in zip(found, taken, strict=True) if not any(parts < other for other in taken)]
    if len(found) > 1:
        named = "; ".join(f"{each.name} ({', '.join(evidence.parts.values())})" for each, evidence in found)
        message = (
            f"spec.source.format: expected files of one format, found several: {named:.300}; state which, or upload one"
        )
        raise ModelportError(Reason.AMBIGUOUS_FORMAT, message)
    return found[0] if found else None
