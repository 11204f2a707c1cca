"""What the status says about what answers requests."""

from modelport.api.status import ServingStatus
from modelport_operator.names import selector
from modelport_operator.plan.progress import Stage
from modelport_operator.report.situation import Situation


def serving_status(case: Situation, *, domain: str) -> ServingStatus | None:
    """Return what answers: the new artifact once nothing older does, the one before it until then."""
    live, meta = case.deployment, case.resource.metadata
    before = case.resource.status.serving
    if live is None or case.resource.spec.serving is None:
        return None
    digest, image, has_answered = live.artifact_digest, live.image, case.has_answered
    if not (case.serves or case.is_at_zero):
        if before is None:
            return None
        digest, image, has_answered = before.artifact_digest, before.image, before.has_answered
    labels = selector(meta.name, Stage.SERVE)
    return ServingStatus(
        artifact_digest=digest,
        image=image,
        url=f"http://{meta.name}.{meta.namespace}.svc.{domain}",
        replicas=live.replicas,
        ready_replicas=live.ready,
        selector=",".join(f"{name}={value}" for name, value in labels.items()),
        has_answered=has_answered,
    )
