"""What ask and a hop are given, and what a hop leaves: the seam between a step and the framework it runs."""

from pathlib import Path
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks import FORMATS
from modelport.jobs.requests import ConvertRequest, Hop
from modelport.storage.manifests import MODEL
from modelport.storage.trees import FolderTree

__all__ = ["MODEL", "TUNING", "HopTask", "SourceTask", "find_part", "has_part", "last_line"]


TUNING = "tuning"


class SourceTask(NamedTuple):
    """A source model to open, and to ask."""

    request: ConvertRequest
    model: Path
    """Folder with the files of the source."""
    code: Path
    """Folder with the code that came with it; there is none without `request.code`."""


class HopTask(NamedTuple):
    """One hop of a conversion."""

    request: ConvertRequest
    hop: Hop
    is_first: bool
    """Whether it reads the source."""
    model: Path
    """Folder with the files of the model to convert."""
    code: Path
    """Folder with the code that came with the source; there is none without `request.code`."""
    calibration: Path | None
    """Folder with samples of `spec.target.calibration`."""
    asked: Path
    """Folder of step ask: reference.npz and signature.json."""
    out: Path
    """Folder for `model/`, and caveats.json where a user must know something; `tuning/` is what a later one may go on with."""
    tuning: Path | None = None
    """Folder with what an earlier conversion left in `tuning/`, of this model or of another one: whose bytes nobody knows."""


def find_part(tree: FolderTree, format_name: str, part: str = "model") -> Path:
    """Return the file that plays a part in the model of this format, or the only file at all.

    Raises ModelportError: SourceCorrupt if there is none, AmbiguousFormat if there is a choice.
    """
    detect = FORMATS[format_name].detect
    found = detect(tree) if detect else None
    if found is None and len(tree.paths) == 1:  # whoever reads it says what is wrong with it
        return tree.root / tree.paths[0]
    if found is None:
        message = (
            f"source: expected {FORMATS[format_name].description}, found {', '.join(tree.paths) or 'no file':.300}"
        )
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
    if found.rivals:
        message = (
            f"source: expected one file as {format_name}, found {', '.join((found.parts[part], *found.rivals)):.300}"
        )
        raise ModelportError(Reason.AMBIGUOUS_FORMAT, message)
    return tree.root / found.parts[part]


def has_part(tree: FolderTree, format_name: str, part: str) -> bool:
    """Whether a file plays a part in the model of this format."""
    detect = FORMATS[format_name].detect
    found = detect(tree) if detect else None
    return found is not None and part in found.parts


def last_line(error: BaseException) -> str:
    """Return what an exception says, cut to what a message holds: its type and the last line of its text."""
    # a line in brackets only refers to more, elsewhere
    lines = [line for line in str(error).splitlines() if line.strip() and not line.lstrip().startswith("(")]
    return f"{type(error).__name__}: {lines[-1].strip() if lines else 'no message'}"[:300]
