"""Sources in a store, trusting the digest that is asked for and nothing that the store says."""

import msgspec

from modelport.api.reasons import Reason
from modelport.encoding import decode
from modelport.errors import ModelportError
from modelport.storage.archives import is_archive
from modelport.storage.files import relative_parts, tree_digest
from modelport.storage.manifests import MANIFEST, SourceManifest, source_folder


def read_manifest(content: bytes, digest: str, store: str) -> SourceManifest:
    """Return what the store at the URI `store` holds as the manifest of a digest, if this digest proves it.

    Raises ModelportError (DigestMismatch).
    """
    manifest = prove_manifest(content, digest)
    if manifest is None:
        message = f"{store}/{source_folder(digest)}/{MANIFEST}: expected the files of this digest, found others"
        raise ModelportError(Reason.DIGEST_MISMATCH, f"{message}; import again")
    return manifest


def prove_manifest(content: bytes, digest: str) -> SourceManifest | None:
    """Return the manifest that a digest is of; none where it is of another, or this version reads none in it."""
    try:
        manifest = decode(content, SourceManifest)
    except msgspec.DecodeError:
        return None
    is_proved = manifest.digest == digest and (_is_one_file(manifest) or tree_digest(manifest.files) == digest)
    return manifest if is_proved else None


def rename(manifest: SourceManifest, name: str | None) -> SourceManifest:
    """Return the manifest with the one file under the name that is asked for: the store has the name it first came by."""
    if not name or not _is_one_file(manifest):
        return manifest
    file = msgspec.structs.replace(manifest.files[0], path=relative_parts(name)[-1])
    return msgspec.structs.replace(manifest, files=[file])


def find_archive(manifest: SourceManifest) -> str | None:
    """Return the path of the archive that a source is; what lies below a prefix is not unpacked."""
    path = manifest.files[0].path if _is_one_file(manifest) else ""
    return path if is_archive(path) else None


def _is_one_file(manifest: SourceManifest) -> bool:
    return [file.digest for file in manifest.files] == [manifest.digest]
