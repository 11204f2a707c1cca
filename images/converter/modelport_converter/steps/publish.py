"""Step publish: put the verified artifact into the store, under its digest.

Manifest, golden samples and evidence are judge's; the model's files are try's, if they are what the manifest says.
"""

from modelport.api.reasons import Reason
from modelport.encoding import digest_of
from modelport.errors import ModelportError
from modelport.jobs.containers import TRY, tuned_hops
from modelport.jobs.requests import ConvertRequest
from modelport.jobs.results import ArtifactFacts, StepResult
from modelport.steps.handover import ARTIFACT, EVIDENCE, MAX_JSON_BYTES, RECORD, read_manifest
from modelport.steps.runner import OUT, Context, say
from modelport.storage.files import open_beneath, read_bytes
from modelport.storage.manifests import MANIFEST, ArtifactManifest, artifact_folder, is_of_model
from modelport.storage.store import Store, open_store, read_credentials
from modelport_converter.steps.tuning import keep_tuning


def meanwhile(context: Context) -> None:
    """Keep what hops have measured so far, so that it outlives this pod; what cannot be sent now is sent later."""
    assert isinstance(context.request, ConvertRequest)
    if not tuned_hops(context.request):
        return
    try:
        keep_tuning(open_store(read_credentials(context.credentials("store"))), context)
    except ModelportError as error:
        say(context.name, f"what was measured is not kept: {error.message}")


def publish(context: Context) -> StepResult:
    """Upload files and evidence, then the record, then the manifest; the first writer of a manifest wins."""
    request, judged = context.request, context.out_of("judge")
    assert isinstance(request, ConvertRequest)
    manifest, content = read_manifest(judged / ARTIFACT)
    digest = digest_of(content)
    if request.artifact_digest not in {None, digest}:
        message = f"artifact: expected {request.artifact_digest}, found that {digest} was judged; nothing is published"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    store = open_store(read_credentials(context.credentials("store")))
    folder = artifact_folder(request.artifact_key, digest)
    verification = f"{folder}/verifications/{request.verification_key}"
    if request.artifact_digest:
        _upload_evidence(store, context, f"{verification}.npz")
    elif not store.exists(f"{folder}/{MANIFEST}"):
        _upload_artifact(store, context, manifest, folder)
    store.upload(f"{verification}.json", read_bytes(judged, RECORD, MAX_JSON_BYTES))
    if not request.artifact_digest and store.claim(f"{folder}/{MANIFEST}", content) != content:
        message = f"{store.uri}/{folder}/{MANIFEST}: expected {digest}, found another manifest; delete that folder"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    say(context.name, f"published {digest}")
    size = sum(file.size_bytes for file in manifest.files)
    facts = ArtifactFacts(digest=digest, size_bytes=size, uri=f"{store.uri}/{folder}/")
    return StepResult(step=context.name, artifact=facts)


def _upload_artifact(store: Store, context: Context, manifest: ArtifactManifest, folder: str) -> None:
    for file in manifest.files:
        root = context.work / (TRY if is_of_model(file) else "judge")
        with open_beneath(root, f"{OUT}/{ARTIFACT}/{file.path}") as content:
            store.upload_checked(f"{folder}/{file.path}", file, content)
    _upload_evidence(store, context, f"{folder}/{EVIDENCE}")


def _upload_evidence(store: Store, context: Context, target: str) -> None:
    with open_beneath(context.out_of("judge"), EVIDENCE) as content:
        store.upload(target, content)
