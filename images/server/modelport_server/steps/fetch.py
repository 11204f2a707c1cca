"""Step fetch: bring the artifact that the Deployment names, trusting its digest and nothing in the store."""

import shutil

from modelport.jobs.requests import ServeRequest
from modelport.jobs.results import StepResult
from modelport.steps.runner import Context, say
from modelport.storage.artifacts import download_artifact
from modelport.storage.store import open_store, read_credentials


def fetch(context: Context) -> StepResult:
    """Bring manifest and files into out/artifact, all checked."""
    request = context.request
    assert isinstance(request, ServeRequest)
    store = open_store(read_credentials(context.credentials("store")))
    target = context.out / "artifact"
    shutil.rmtree(target, ignore_errors=True)  # of an attempt before: an init container runs again after a failure
    download_artifact(store, key=request.artifact_key, digest=request.artifact_digest, target=target)
    say(context.name, f"artifact {request.artifact_digest} is here")
    return StepResult(step=context.name)
