"""From objects, as an API server or a file has them, to what plans are made from: by the operator's own reading."""

from collections.abc import Iterable
from typing import Any

from modelport.api.base import KIND
from modelport_operator import reading
from modelport_operator.facts import Observed

Body = dict[str, Any]


def observe(objects: Iterable[Body], *, name: str, uid: str, now: float) -> Observed:
    """Return what is observed of a resource among the objects of its namespace; times are seconds since the epoch."""
    found = list(objects)
    pods = [(reading.job_of(body), reading.pod(body)) for body in _of(found, "Pod")]
    jobs = [body for body in _of(found, "Job") if reading.is_controlled_by(body, uid)]
    named = {kind: [body for body in _of(found, kind) if body["metadata"]["name"] == name] for kind in _SERVING}
    owned = {
        kind: next((body for body in bodies if reading.is_controlled_by(body, uid)), None)
        for kind, bodies in named.items()
    }
    deployment, service = owned["Deployment"], owned["Service"]
    return Observed(
        now=now,
        jobs=tuple(
            reading.job(body, [pod for owner, pod in pods if owner == body["metadata"]["uid"]]) for body in jobs
        ),
        deployment=reading.deployment(deployment) if deployment else None,
        service=reading.service(service) if service else None,
        foreign=tuple(f"{kind} {name}" for kind, bodies in named.items() if bodies and owned[kind] is None),
        peers=tuple(reading.peer(body) for body in _of(found, KIND) if body["metadata"]["name"] != name),
    )


_SERVING = ("Deployment", "Service")


def _of(objects: list[Body], kind: str) -> list[Body]:
    return [body for body in objects if body.get("kind") == kind]
