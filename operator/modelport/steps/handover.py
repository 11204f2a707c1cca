"""What steps leave for each other beside arrays: names of the files, what writes them, and readers that trust nothing in them.

Ask, hops and try have opened a model, so that whatever they leave may be hostile: regular files only, not larger than
what is said here, JSON of the types below.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.encoding import Value, decode
from modelport.errors import ModelportError
from modelport.storage.files import MAX_FILES, read_bytes, relative_parts
from modelport.storage.manifests import MANIFEST, MODEL, ArtifactManifest, Candidate

ARTIFACT = "artifact"
"""Folder of an artifact: of the model's files from try, of manifest and golden samples from judge, of a staged one whole."""
EVIDENCE = "evidence/reference.npz"
SIGNATURE = "signature.json"
CAVEATS = "caveats.json"
DOUBTS = "doubts.json"
"""What is told only where a verification fails: what may be the cause."""
CANDIDATE = "tried.json"
RECORD = "record.json"
MAX_JSON_BYTES = 8 << 20
MAX_CAVEATS_BYTES = 65_536


def read_signature(folder: Path) -> Signature:
    """Return the signature that ask left. Raises ModelportError (ConversionFailed)."""
    return _read(folder, SIGNATURE, MAX_JSON_BYTES, Signature)


def read_caveats(folder: Path) -> list[str]:
    """Return what a hop wants users to know; a hop without a file has nothing to say."""
    return _read_told(folder, CAVEATS)


def write_caveats(folder: Path, caveats: Sequence[str]) -> None:
    """Leave what a hop wants users to know; no file where that is nothing."""
    if caveats:
        (folder / CAVEATS).write_bytes(msgspec.json.encode(caveats))


@contextmanager
def naming_doubts(steps: Iterable[Path]) -> Iterator[None]:
    """Have an error of the model's end with what steps, in these folders, doubt of it: wrong answers, or none at all."""
    try:
        yield
    except ModelportError as error:
        if error.reason not in {Reason.VERIFICATION_FAILED, Reason.RUNTIME_UNSUPPORTED}:
            raise
        doubts = [doubt for folder in steps for doubt in _read_told(folder, DOUBTS)]
        if not doubts:
            raise
        message = f"{error.message:.290}; {' '.join('; '.join(doubts).split()):.200}"
        raise ModelportError(error.reason, message) from error


def read_candidate(folder: Path) -> Candidate:
    """Return what try loaded. Raises ModelportError for paths that a model's file cannot have."""
    candidate = _read(folder, CANDIDATE, MAX_JSON_BYTES, Candidate)
    paths = [relative_parts(file.path) for file in candidate.files]
    wrong = [parts for parts in paths if parts[0] != MODEL or len(parts) == 1 or paths.count(parts) > 1]
    if wrong or not 0 < len(paths) <= MAX_FILES:
        names = ", ".join("/".join(parts) for parts in wrong) or f"{len(paths)} files"
        message = f"the model's files: expected 1 to {MAX_FILES} different ones in {MODEL}/, found {names:.200}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    return candidate


def read_manifest(folder: Path) -> tuple[ArtifactManifest, bytes]:
    """Return the manifest in a folder, and its bytes."""
    content = read_bytes(folder, MANIFEST, MAX_JSON_BYTES)
    return msgspec.json.decode(content, type=ArtifactManifest), content


def _read_told(folder: Path, name: str) -> list[str]:
    return _read(folder, name, MAX_CAVEATS_BYTES, list[str]) if os.path.lexists(folder / name) else []


def _read(folder: Path, name: str, limit: int, kind: type[Value]) -> Value:
    try:
        return decode(read_bytes(folder, name, limit), kind)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        message = f"{name}: expected what the step before leaves, found: {error!s:.200}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
