"""Artifacts out of a store, trusting the digest that is asked for and nothing that the store says."""

from pathlib import Path

import msgspec

from modelport.api.reasons import Reason
from modelport.encoding import digest_of
from modelport.errors import ModelportError
from modelport.storage.files import relative_parts
from modelport.storage.manifests import MANIFEST, ArtifactManifest, artifact_folder
from modelport.storage.store import Store


def read_manifest(store: Store, *, key: str, digest: str) -> tuple[ArtifactManifest, bytes]:
    """Return an artifact's manifest and its bytes. Raises ModelportError (DigestMismatch)."""
    folder = artifact_folder(key, digest)
    content = store.read(f"{folder}/{MANIFEST}")
    if digest_of(content) != digest:
        message = f"{store.uri}/{folder}/{MANIFEST}: expected {digest}, found {digest_of(content)}; it was changed"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    return msgspec.json.decode(content, type=ArtifactManifest), content


def download_artifact(store: Store, *, key: str, digest: str, target: Path) -> None:
    """Bring all files into the new folder `target`, each checked, the manifest last."""
    manifest, content = read_manifest(store, key=key, digest=digest)
    target.mkdir()
    for file in manifest.files:
        store.fetch(artifact_folder(key, digest), file, target.joinpath(*relative_parts(file.path)))
    (target / MANIFEST).write_bytes(content)
