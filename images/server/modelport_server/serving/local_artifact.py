"""An artifact on disk: its manifest, and where its files are."""

import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.api.reasons import Reason
from modelport.encoding import digest_of
from modelport.errors import ModelportError
from modelport.storage.files import open_beneath
from modelport.storage.manifests import MANIFEST, MODEL, ArtifactManifest, File, model_paths


class LocalArtifact(NamedTuple):
    """A folder with a manifest."""

    folder: Path
    manifest: ArtifactManifest
    digest: str

    @property
    def model_folder(self) -> Path:
        """Folder of the model's files."""
        return self.folder / MODEL

    @property
    def model_files(self) -> list[str]:
        """Paths of the model's files, in their folder."""
        return model_paths(self.manifest.files)


def open_artifact(folder: Path) -> LocalArtifact:
    """Read the manifest, and see that its files are there. Raises ModelportError.

    Digests are not computed here: `fetch` and the command line have checked them, and a start would wait for them.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
        manifest = msgspec.json.decode(content, type=ArtifactManifest)
    except FileNotFoundError as error:
        message = f"{path}: expected the manifest of an artifact, found none; `modelport pull` or `run` makes a folder"
        raise ModelportError(Reason.SOURCE_NOT_FOUND, message) from error
    except msgspec.DecodeError as error:
        raise ModelportError(Reason.SOURCE_CORRUPT, f"{path}: expected an artifact's manifest: {error}") from error
    for file in manifest.files:
        _check_file(folder, file)
    return LocalArtifact(folder, manifest, digest_of(content))


def _check_file(folder: Path, file: File) -> None:
    try:
        with open_beneath(folder, file.path) as opened:
            size = opened.seek(0, os.SEEK_END)
    except FileNotFoundError as error:
        message = f"{folder / file.path}: expected a file that {MANIFEST} lists, found none; fetch the artifact again"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if size != file.size_bytes:
        message = f"{folder / file.path}: expected {file.size_bytes} bytes, found {size}; fetch the artifact again"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
