"""What is to be served: the verified artifact in the very image that verified it.

Its key changes with artifact, image and `spec.serving` (replicas apart), and with nothing else: another operator, or
another catalogue of images, changes no pod.
"""

import msgspec

from modelport.api import ModelConversion
from modelport.contract import canonical, key_of
from modelport.reasons import Reason
from modelport.requests import serve_request
from modelport_operator.facts import Deployment, Pod
from modelport_operator.plan import troubles
from modelport_operator.plan.progress import Progress
from modelport_operator.plan.troubles import Trouble


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """What the Deployment is to serve."""

    key: str
    digest: str
    artifact_key: str
    image: str
    storage: str


def wanted_rollout(resource: ModelConversion, progress: Progress) -> Rollout | None:
    """Return what is to be served, or None while nothing new is to be."""
    artifact, evidence, serving = progress.artifact, progress.verification, resource.spec.serving
    if not (progress.verified and artifact and evidence and serving) or progress.halted:
        return None
    storage = str(resource.spec.conversion.storage.size) if resource.spec.conversion.storage else "10Gi"
    return Rollout(
        key=key_of([artifact.digest, evidence.image, serving.resources]),
        digest=artifact.digest,
        artifact_key=artifact.key,
        image=evidence.image,
        storage=storage,
    )


def is_applied(rollout: Rollout, live: Deployment) -> bool:
    """Return whether the Deployment is what `rollout` asks for; a foreign change of what answers is found, too."""
    request = canonical(serve_request(artifact=rollout.artifact_key, digest=rollout.digest)).decode()
    found = (live.serving_key, live.artifact_digest, live.image, live.request)
    return found == (rollout.key, rollout.digest, rollout.image, request)


def trouble_of_rollout(rollout: Rollout, live: Deployment) -> Trouble | None:
    """Return what keeps the newest pods from answering."""
    for pod in live.pods:
        if pod.serving_key != rollout.key or pod.ready or pod.deleting:
            continue
        trouble = troubles.trouble_of_waiting(pod) or _ended(pod)
        if trouble:
            return trouble
    return None


def _ended(pod: Pod) -> Trouble | None:
    trouble = troubles.trouble_of_ended(pod)
    if trouble and trouble.reason == Reason.STEP_CRASHED:
        return trouble._replace(reason=Reason.SERVER_CRASHED, message=trouble.message.removeprefix("step "))
    return trouble
