"""What ask and a hop are given, and what a hop leaves: the seam between a step and the framework it runs."""

from pathlib import Path
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.jobs.requests import ConvertRequest, Hop
from modelport.steps.handover import MODEL
from modelport.storage.manifests import MANIFEST

__all__ = ["MODEL", "HopTask", "SourceTask", "last_line", "the_one_file"]


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
    asked: Path
    """Folder of step ask: reference.npz and signature.json."""
    out: Path
    """Folder for `model/`, and caveats.json where a user must know something."""


def the_one_file(folder: Path, suffixes: tuple[str, ...]) -> Path:
    """Return the only file below `folder` with one of the suffixes, or the only file at all.

    Raises ModelportError (SourceCorrupt) if there is none, or a choice.
    """
    manifest = folder / MANIFEST
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path != manifest)
    named = [path for path in files if path.suffix in suffixes] or files
    if len(named) == 1:
        return named[0]
    found = ", ".join(str(path.relative_to(folder)) for path in named[:8]) or "no file"
    message = f"source: expected one file named {' or '.join(f'*{suffix}' for suffix in suffixes)}, found {found:.300}"
    raise ModelportError(Reason.SOURCE_CORRUPT, message)


def last_line(error: BaseException) -> str:
    """Return what an exception says, cut to what a message holds: its type and the last line of its text."""
    # a line in brackets only refers to more, elsewhere
    lines = [line for line in str(error).splitlines() if line.strip() and not line.lstrip().startswith("(")]
    return f"{type(error).__name__}: {lines[-1].strip() if lines else 'no message'}"[:300]
