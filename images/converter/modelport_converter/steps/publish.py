"""Step publish: put the verified artifact into the store, under its digest. It takes nothing but verify's files."""

import msgspec

from modelport.contract import (
    MANIFEST,
    ArtifactFacts,
    ArtifactManifest,
    ConvertRequest,
    ModelportError,
    StepResult,
    VerifyRequest,
    artifact_folder,
    digest_of,
)
from modelport.files import open_beneath, read_bytes
from modelport.reasons import Reason
from modelport.steps import Context, say
from modelport.store import Store, open_store, read_credentials
from modelport_converter.steps.stage import EVIDENCE

MAX_MANIFEST_BYTES = 8 << 20
RECORD = "record.json"


def publish(context: Context) -> StepResult:
    """Upload files and evidence, then the record, then the manifest; the first writer of a manifest wins."""
    request = context.request
    assert isinstance(request, ConvertRequest | VerifyRequest)
    verified = context.out_of("verify")
    content = read_bytes(verified / "artifact", MANIFEST, MAX_MANIFEST_BYTES)
    manifest = msgspec.json.decode(content, type=ArtifactManifest)
    digest = digest_of(content)
    if isinstance(request, VerifyRequest) and digest != request.artifact_digest:
        message = (
            f"artifact: expected {request.artifact_digest}, found that {digest} was verified; nothing is published"
        )
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    store = open_store(read_credentials(context.credentials("store")))
    folder = artifact_folder(request.artifact_key, digest)
    if not store.exists(f"{folder}/{MANIFEST}"):
        for file in manifest.files:
            _upload(store, context, f"artifact/{file.path}", f"{folder}/{file.path}")
        _upload(store, context, EVIDENCE, f"{folder}/{EVIDENCE}")
    record = read_bytes(verified, RECORD, MAX_MANIFEST_BYTES)
    store.upload(f"{folder}/verifications/{request.verification_key}.json", record)
    if store.claim(f"{folder}/{MANIFEST}", content) != content:
        message = f"{store.uri}/{folder}/{MANIFEST}: expected {digest}, found another manifest; delete that folder"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    say(context.name, f"published {digest}")
    size = sum(file.size_bytes for file in manifest.files)
    facts = ArtifactFacts(digest=digest, size_bytes=size, uri=f"{store.uri}/{folder}/")
    return StepResult(step=context.name, artifact=facts)


def _upload(store: Store, context: Context, path: str, target: str) -> None:
    with open_beneath(context.out_of("verify"), path) as content:
        store.upload(target, content)
