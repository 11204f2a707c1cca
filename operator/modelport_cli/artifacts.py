"""Artifacts as folders: fetched from a store with every byte checked, and checked again before they are served.

A file appears by rename once its digest is right, and the manifest last: a folder with a manifest is a whole artifact,
and one without goes on where it was left.
"""

import os
from pathlib import Path

import msgspec

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.artifacts import read_manifest
from modelport.storage.files import describe, list_tree, read_bytes, relative_parts
from modelport.storage.manifests import MANIFEST, ArtifactManifest, File, artifact_folder
from modelport.storage.store import MAX_SMALL_BYTES, Store
from modelport_cli.console import progress
from modelport_cli.errors import UsageError
from modelport_cli.views.stages import size

_PART = ".part"


def save_artifact(store: Store, *, key: str, digest: str, folder: Path) -> ArtifactManifest:
    """Fetch the artifact with this digest into a folder, which may hold a part of it from an earlier try."""
    stored = artifact_folder(key, digest)
    manifest, content = read_manifest(store, key=key, digest=digest)
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_strangers(folder, manifest, content)
    for file in manifest.files:
        if not _is_there(folder, file):
            _fetch(store, stored, file, folder)
    _write(folder / MANIFEST, content)
    return manifest


def check_artifact(folder: Path) -> ArtifactManifest:
    """Return the manifest of an artifact after checking its files. Raises UsageError or ModelportError."""
    try:
        manifest = msgspec.json.decode(read_bytes(folder, MANIFEST, MAX_SMALL_BYTES), type=ArtifactManifest)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError) as error:
        hint = "Name a folder that `modelport run` or `modelport pull` wrote."
        raise UsageError(f"{folder}: expected an artifact, a folder with its {MANIFEST}", hint) from error
    for file in manifest.files:
        if not _is_there(folder, file):
            message = (
                f"{folder / file.path}: expected {file.digest}, found another file or none; pull the artifact again"
            )
            raise ModelportError(Reason.DIGEST_MISMATCH, message)
    return manifest


def _refuse_strangers(folder: Path, manifest: ArtifactManifest, content: bytes) -> None:
    """Refuse a folder with anything but a part of this artifact: nothing of the user's is written over."""
    present = set(list_tree(folder))
    if MANIFEST in present and (folder / MANIFEST).read_bytes() != content:
        raise UsageError(f"{folder}: expected an empty folder, found another artifact", "Name another folder.")
    ours = {MANIFEST, *(file.path for file in manifest.files)}
    strangers = sorted(path for path in present if path.removesuffix(_PART) not in ours)
    if strangers:
        raise UsageError(f"{folder}: expected an empty folder, found {strangers[0]}", "Name another folder.")


def _is_there(folder: Path, file: File) -> bool:
    try:
        found = describe(folder, file.path)
    except FileNotFoundError:
        return False
    return (found.size_bytes, found.digest) == (file.size_bytes, file.digest)


def _fetch(store: Store, stored: str, file: File, folder: Path) -> None:
    target = folder.joinpath(*relative_parts(file.path))
    part = target.with_name(target.name + _PART)
    part.unlink(missing_ok=True)
    with progress(f"{file.path} ({size(file.size_bytes)})"):
        store.fetch(stored, file, part)
    part.replace(target)


def _write(target: Path, content: bytes) -> None:
    part = target.with_name(target.name + _PART)
    with part.open("wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    part.replace(target)
