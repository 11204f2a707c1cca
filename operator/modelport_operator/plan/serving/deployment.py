"""The Deployment, and when it is as it should be.

How many replicas there are is in no body that is applied: somebody else may have that field.
"""

from modelport.encoding import key_of
from modelport_operator import names
from modelport_operator.facts import LiveObject
from modelport_operator.plan.progress import Stage
from modelport_operator.plan.serving.pods import request_of, server_pod
from modelport_operator.plan.serving.served import Body, Served

_ROLLING = {"maxUnavailable": 0, "maxSurge": 1}
"""The old pods answer until the new ones do."""


def deployment(served: Served) -> Body | None:
    """Return the Deployment, without replicas; None while nothing new is to be served."""
    rollout = served.rollout
    if rollout is None:
        return None
    notes = {names.SERVING_KEY_ANNOTATION: rollout.key, names.DIGEST_ANNOTATION: rollout.digest}
    strategy = served.serving.strategy
    spec = {
        "revisionHistoryLimit": 2,
        # so long do nodes take to learn of a new pod: until then its Service would refuse, or ask the old ones
        "minReadySeconds": 1,
        "selector": {"matchLabels": served.selector},
        "strategy": {"type": strategy} | ({"rollingUpdate": _ROLLING} if strategy == "RollingUpdate" else {}),
        "template": {
            "metadata": {"labels": names.labels(served.name, Stage.SERVE), "annotations": notes},
            "spec": server_pod(served, rollout),
        },
    }
    body = served.body("apps/v1", "Deployment", spec)
    body["metadata"]["annotations"] = notes | {names.APPLIED_ANNOTATION: key_of(body)}
    return body


def with_first_replicas(served: Served, body: Body) -> Body:
    """Return the Deployment as it is created: none of its pods begins that is not asked for."""
    return body | {"spec": body["spec"] | {"replicas": served.serving.least_replicas}}


def is_applied(served: Served, body: Body, _live: LiveObject) -> bool:
    """Whether the Deployment serves what is asked for, as far as that may change pods that answer.

    A foreign change of what answers is found, too. While no pod answers, it is to be all that it would be if it were
    made now: what kept the pods from answering, such as a Secret to pull the image with, may be mended by that.
    """
    live, rollout = served.deployment, served.rollout
    assert live is not None
    assert rollout is not None
    found = (live.serving_key, live.artifact_digest, live.image, live.request, live.strategy)
    wanted = (rollout.key, rollout.digest, rollout.image, request_of(rollout), served.serving.strategy)
    return found == wanted and (
        live.available > 0 or live.applied == body["metadata"]["annotations"][names.APPLIED_ANNOTATION]
    )
