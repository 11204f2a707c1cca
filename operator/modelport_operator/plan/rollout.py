"""What is to be served: the verified artifact in the very image that verified it.

Its key changes with artifact, image and `spec.serving` (replicas apart), and with nothing else: another operator, or
another catalogue of images, changes no pod. What else an operator puts into pods comes with the next change of the key.
"""

import msgspec

from modelport.api.reasons import Reason
from modelport.encoding import canonical, key_of
from modelport.jobs.planning import serve_request, server_image
from modelport_operator.facts import Deployment, Pod
from modelport_operator.plan import troubles
from modelport_operator.plan.progress import Case, Progress
from modelport_operator.plan.troubles import Trouble


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """What the Deployment is to serve."""

    key: str
    digest: str
    artifact_key: str
    image: str
    storage: str
    grpc: bool
    """Whether the image has gRPC."""


def has_grpc(case: Case, image: str) -> bool:
    """Whether a server image has gRPC and batching: the operator's own has, and one of before that serves with it.

    An image without them does not start with their options.
    """
    live = case.observed.deployment
    own = server_image(case.resource.spec.target.format, case.platform.images)
    return image == own or (live is not None and live.offers_grpc)


def wanted_rollout(case: Case, progress: Progress) -> Rollout | None:
    """Return what is to be served, or None while nothing new is to be."""
    resource = case.resource
    artifact, evidence, serving = progress.artifact, progress.verification, resource.spec.serving
    if not (progress.verified and artifact and evidence and serving) or progress.halted:
        return None
    storage = str(resource.spec.conversion.storage.size) if resource.spec.conversion.storage else "10Gi"
    # a field that is left out must not change the key: it came later than some pods
    batching = [serving.batching] if serving.batching else []
    return Rollout(
        key=key_of([artifact.digest, evidence.image, serving.resources, *batching]),
        digest=artifact.digest,
        artifact_key=artifact.key,
        image=evidence.image,
        storage=storage,
        grpc=has_grpc(case, evidence.image),
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
