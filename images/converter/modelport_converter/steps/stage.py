"""Step stage: bring from the store what the Job works on, every file checked against its manifest."""

from pathlib import Path

import msgspec

from modelport.contract import (
    MANIFEST,
    ArtifactManifest,
    ConvertRequest,
    ModelportError,
    SourceManifest,
    StepResult,
    VerifyRequest,
    artifact_folder,
    digest_of,
    source_folder,
)
from modelport.files import relative_parts
from modelport.reasons import Reason
from modelport.steps import Context, say
from modelport.store import Store, open_store, read_credentials

EVIDENCE = "evidence/reference.npz"


def stage(context: Context) -> StepResult:
    """Bring source and code, or the artifact and its evidence."""
    store = open_store(read_credentials(context.credentials("store")))
    request = context.request
    if isinstance(request, ConvertRequest):
        _stage_source(store, request.source_digest, context.out / "source")
        if request.code:
            _stage_source(store, request.code.digest, context.out / "code")
    elif isinstance(request, VerifyRequest):
        _stage_artifact(store, request, context.out)
    say(context.name, "the files are here")
    return StepResult(step=context.name)


def _stage_source(store: Store, digest: str, target: Path) -> None:
    folder = source_folder(digest)
    manifest = msgspec.json.decode(store.read(f"{folder}/{MANIFEST}"), type=SourceManifest)
    if manifest.digest != digest:
        message = f"{store.uri}/{folder}/{MANIFEST}: expected {digest}, found {manifest.digest}"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    target.mkdir()
    for file in manifest.files:
        store.fetch(f"{folder}/files", file, target.joinpath(*relative_parts(file.path)))


def _stage_artifact(store: Store, request: VerifyRequest, out: Path) -> None:
    folder = artifact_folder(request.artifact_key, request.artifact_digest)
    content = store.read(f"{folder}/{MANIFEST}")
    if digest_of(content) != request.artifact_digest:
        message = f"{store.uri}/{folder}/{MANIFEST}: expected {request.artifact_digest}, found {digest_of(content)}"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    (out / "artifact").mkdir()
    (out / "artifact" / MANIFEST).write_bytes(content)
    for file in msgspec.json.decode(content, type=ArtifactManifest).files:
        store.fetch(folder, file, out / "artifact" / Path(*relative_parts(file.path)))
    store.download(f"{folder}/{EVIDENCE}", out / EVIDENCE)
