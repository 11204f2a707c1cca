"""Step fetch: bring the artifact that the Deployment names, trusting its digest and nothing in the store."""

import shutil

import msgspec

from modelport.contract import (
    MANIFEST,
    ArtifactManifest,
    ModelportError,
    ServeRequest,
    StepResult,
    artifact_folder,
    digest_of,
)
from modelport.files import relative_parts
from modelport.reasons import Reason
from modelport.steps import Context, say
from modelport.store import open_store, read_credentials


def fetch(context: Context) -> StepResult:
    """Bring manifest and files into out/artifact, all checked."""
    request = context.request
    assert isinstance(request, ServeRequest)
    store = open_store(read_credentials(context.credentials("store")))
    folder = artifact_folder(request.artifact_key, request.artifact_digest)
    content = store.read(f"{folder}/{MANIFEST}")
    if digest_of(content) != request.artifact_digest:
        message = f"{store.uri}/{folder}/{MANIFEST}: expected {request.artifact_digest}, found {digest_of(content)}"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    target = context.out / "artifact"
    shutil.rmtree(target, ignore_errors=True)  # of an attempt before: an init container runs again after a failure
    target.mkdir()
    for file in msgspec.json.decode(content, type=ArtifactManifest).files:
        store.fetch(folder, file, target.joinpath(*relative_parts(file.path)))
    (target / MANIFEST).write_bytes(content)
    say(context.name, f"artifact {request.artifact_digest} is here")
    return StepResult(step=context.name)
