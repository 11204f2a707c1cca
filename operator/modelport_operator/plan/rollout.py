"""What is to be served: the verified artifact in the very image that verified it.

Its key changes with artifact, image and what `spec.serving` says of pods, and with nothing else: another operator, or
another catalogue of images, changes no pod that answers. What else an operator puts into pods comes with the next change
of the key, or while no pod answers.
"""

import msgspec

from modelport.api.reasons import Reason
from modelport.api.spec import Serving
from modelport.encoding import key_of
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


def wanted_rollout(case: Case, progress: Progress) -> Rollout | None:
    """Return what is to be served, or None while nothing new is to be."""
    resource = case.resource
    artifact, evidence, serving = progress.artifact, progress.verification, resource.spec.serving
    if not (progress.verified and artifact and evidence and serving) or progress.halted:
        return None
    storage = str(resource.spec.conversion.storage.size) if resource.spec.conversion.storage else "10Gi"
    return Rollout(
        key=key_of([artifact.digest, evidence.image, _of_pods(serving)]),
        digest=artifact.digest,
        artifact_key=artifact.key,
        image=evidence.image,
        storage=storage,
    )


def _of_pods(serving: Serving) -> Serving:
    """Return what is said of each pod; how many there are, and how they take turns, changes none."""
    return msgspec.structs.replace(serving, replicas=None, autoscaling=None, strategy="RollingUpdate")


def answers(rollout: Rollout | None, live: Deployment | None) -> bool:
    """Whether what is to be served answers, by one pod at least, and nothing older does."""
    if rollout is None or live is None or live.serving_key != rollout.key:
        return False
    return live.is_current and live.available > 0


def trouble_of_rollout(rollout: Rollout, live: Deployment) -> Trouble | None:
    """Return what keeps the newest pods from answering; those that failed or were evicted are history: others came."""
    for pod in live.pods:
        if pod.serving_key != rollout.key or pod.ready or pod.deleting or pod.phase in {"Failed", "Succeeded"}:
            continue
        trouble = troubles.trouble_of_waiting(pod) or _ended(pod)
        if trouble:
            return trouble
    if live.pods_refused:
        return troubles.refusal(live.pods_refused)
    return Trouble(Reason.ROLLOUT_OVERDUE, live.overdue) if live.overdue else None


def _ended(pod: Pod) -> Trouble | None:
    trouble = troubles.trouble_of_ended(pod)
    if trouble and trouble.reason in {Reason.STEP_CRASHED, Reason.CONVERTER_CRASHED}:
        return trouble._replace(reason=Reason.SERVER_CRASHED, message=trouble.message.removeprefix("step "))
    return trouble
