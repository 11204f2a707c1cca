"""An artifact on disk: its manifest, and where its files are."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.contract import MANIFEST, ArtifactManifest, ModelportError, digest_of
from modelport.reasons import Reason

GOLDEN = "golden"


class Artifact(NamedTuple):
    """A folder with a manifest."""

    folder: Path
    manifest: ArtifactManifest
    digest: str

    @property
    def model_files(self) -> list[str]:
        """Paths of the model's files."""
        return [file.path for file in self.manifest.files if file.role == "model"]


def open_artifact(folder: Path) -> Artifact:
    """Read the manifest. Raises ModelportError (SourceNotFound, SourceCorrupt)."""
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
        manifest = msgspec.json.decode(content, type=ArtifactManifest)
    except FileNotFoundError as error:
        message = f"{path}: expected the manifest of an artifact, found none; `modelport pull` or `run` makes a folder"
        raise ModelportError(Reason.SOURCE_NOT_FOUND, message) from error
    except msgspec.DecodeError as error:
        raise ModelportError(Reason.SOURCE_CORRUPT, f"{path}: expected an artifact's manifest: {error}") from error
    return Artifact(folder, manifest, digest_of(content))
