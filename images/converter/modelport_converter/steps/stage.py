"""Step stage: bring from the store what the Job works on, every file checked against its manifest."""

from pathlib import Path

import msgspec

from modelport.artifacts import download_artifact
from modelport.contract import (
    MANIFEST,
    ConvertRequest,
    ModelportError,
    SourceManifest,
    StepResult,
    VerifyRequest,
    artifact_folder,
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
    key, digest = request.artifact_key, request.artifact_digest
    download_artifact(store, key=key, digest=digest, target=out / "artifact")
    store.download(f"{artifact_folder(key, digest)}/{EVIDENCE}", out / EVIDENCE)
