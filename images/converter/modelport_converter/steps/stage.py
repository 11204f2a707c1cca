"""Step stage: bring from the store what the Job works on, every file checked against its manifest."""

from pathlib import Path

import msgspec

from modelport.artifacts import download_artifact
from modelport.contract import MANIFEST, ConvertRequest, ModelportError, SourceManifest, StepResult, source_folder
from modelport.files import relative_parts
from modelport.handover import ARTIFACT
from modelport.reasons import Reason
from modelport.steps import Context, say
from modelport.store import Store, open_store, read_credentials


def stage(context: Context) -> StepResult:
    """Bring what was imported into a folder by role, and the artifact where a stored one is verified."""
    request = context.request
    assert isinstance(request, ConvertRequest)
    store = open_store(read_credentials(context.credentials("store")))
    code = request.code.digest if request.code else None
    for role, digest in (("source", request.source_digest), ("code", code), ("data", request.data_digest)):
        if digest:
            _stage(store, digest, context.out / role)
    if request.artifact_digest:
        target = context.out / ARTIFACT
        download_artifact(store, key=request.artifact_key, digest=request.artifact_digest, target=target)
    say(context.name, "the files are here")
    return StepResult(step=context.name)


def _stage(store: Store, digest: str, target: Path) -> None:
    folder = source_folder(digest)
    manifest = msgspec.json.decode(store.read(f"{folder}/{MANIFEST}"), type=SourceManifest)
    if manifest.digest != digest:
        message = f"{store.uri}/{folder}/{MANIFEST}: expected {digest}, found {manifest.digest}"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    target.mkdir()
    for file in manifest.files:
        store.fetch(f"{folder}/files", file, target.joinpath(*relative_parts(file.path)))
