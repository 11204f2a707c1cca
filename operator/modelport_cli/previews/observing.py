"""From objects, as an API server or a file has them, to what plans are made from: by the operator's own reading."""

from collections.abc import Collection, Iterable
from typing import Any

from modelport.api.base import KIND
from modelport_operator import reading
from modelport_operator.facts import Observed
from modelport_operator.plan.serving.objects import OBJECTS

Body = dict[str, Any]


def observe(objects: Iterable[Body], *, name: str, uid: str, now: float, lacking: Collection[str] = ()) -> Observed:
    """Return what is observed of a resource among the objects of its namespace; `now` is in seconds since the epoch.

    `lacking` are the kinds that the cluster has not.

    Of what serves beside the Deployment only whose it is counts: a plan is foreseen as if it were not there.
    """
    found = list(objects)
    pods = [(reading.job_of(body), reading.pod(body)) for body in _of(found, "Pod")]
    jobs = [body for body in _of(found, "Job") if reading.is_controlled_by(body, uid)]
    named = [body for each in OBJECTS for body in _of(found, each.kind) if body["metadata"]["name"] == name]
    own = [body for body in named if reading.is_controlled_by(body, uid)]
    deployment = next(iter(_of(own, "Deployment")), None)
    return Observed(
        now=now,
        jobs=tuple(
            reading.job(body, [pod for owner, pod in pods if owner == body["metadata"]["uid"]]) for body in jobs
        ),
        deployment=reading.deployment(deployment) if deployment else None,
        lacking=frozenset(lacking),
        foreign=tuple(f"{body['kind']} {name}" for body in named if body not in own),
        peers=tuple(reading.peer(body) for body in _of(found, KIND) if body["metadata"]["name"] != name),
    )


def _of(objects: list[Body], kind: str) -> list[Body]:
    return [body for body in objects if body.get("kind") == kind]
