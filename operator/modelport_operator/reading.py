"""From Kubernetes objects to facts: pure, and the only place that knows where an object has its fields."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from modelport.api.base import GROUP, KIND
from modelport.api.resource import Metadata
from modelport.api.status import Status, read_status
from modelport.jobs.containers import TRY
from modelport.jobs.environment import REQUEST_VARIABLE
from modelport_operator import facts, names

MAX_PROGRESS = 120

Object = dict[str, Any]
_ENDS = frozenset({"Complete", "Failed"})
"""Conditions of a Job that has ended."""


class JobEnd(NamedTuple):
    """How a Job ended, and how long after its start."""

    complete: bool
    seconds: float


def seconds(timestamp: str | None) -> float | None:
    """Return the seconds since the epoch of a timestamp."""
    return dt.datetime.fromisoformat(timestamp).timestamp() if timestamp else None


def is_controlled_by(body: Object, uid: str) -> bool:
    """Return whether the object with this uid controls `body`."""
    owners = body["metadata"].get("ownerReferences", [])
    return any(owner.get("controller") and owner["uid"] == uid for owner in owners)


def is_leaving(body: Object, resource: Metadata) -> bool:
    """Return whether an object that is not the resource's goes by itself.

    It is being deleted, or a resource controls it that had the same name before, and garbage collection comes for it.
    """
    meta = body["metadata"]
    before = (GROUP, KIND, resource.name)
    owners = (
        (each["apiVersion"].partition("/")[0], each["kind"], each["name"])
        for each in meta.get("ownerReferences", [])
        if each.get("controller") and each["uid"] != resource.uid
    )
    return "deletionTimestamp" in meta or before in owners


def job_of(body: Object) -> str:
    """Return the uid of the Job that controls a pod, or nothing."""
    owners = body["metadata"].get("ownerReferences", [])
    return next((owner["uid"] for owner in owners if owner.get("controller") and owner["kind"] == "Job"), "")


def is_creating(body: Object) -> bool:
    """Return whether a pod has a node, but none of its containers was made."""
    if not body["spec"].get("nodeName"):
        return False
    status = body.get("status", {})
    states = [
        each.get("state", {})
        for each in (*_listed(status, "initContainerStatuses"), *_listed(status, "containerStatuses"))
    ]
    reasons = [state.get("waiting", {}).get("reason", "") for state in states]
    return all(reason in {"ContainerCreating", "PodInitializing"} for reason in reasons)


def pod(body: Object) -> facts.Pod:
    """Return a pod."""
    meta, status = body["metadata"], body.get("status", {})
    conditions = {each["type"]: each for each in _listed(status, "conditions")}
    scheduled, disrupted = conditions.get("PodScheduled", {}), conditions.get("DisruptionTarget", {})
    return facts.Pod(
        name=meta["name"],
        uid=meta["uid"],
        created=seconds(meta["creationTimestamp"]) or 0.0,
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        unschedulable=scheduled.get("message", "") if scheduled.get("reason") == "Unschedulable" else "",
        scheduled=seconds(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None,
        disrupted=disrupted.get("message", "") if disrupted.get("status") == "True" else "",
        deleting="deletionTimestamp" in meta,
        ready=conditions.get("Ready", {}).get("status") == "True",
        serving_key=meta.get("annotations", {}).get(names.SERVING_KEY_ANNOTATION, ""),
        containers=_containers(body),
    )


def with_warnings(pod: facts.Pod, warnings: Sequence[str]) -> facts.Pod:
    """Return the pod with the messages of its Events."""
    return msgspec.structs.replace(pod, warnings=tuple(warnings))


PROGRESS = re.compile(r"^\d\d:\d\d:\d\d \S+: (.*\b\d+ of \d+\b.*)$", re.MULTILINE)
"""A line of `modelport.steps.runner.say` that counts."""


def with_progress(pod: facts.Pod, log_tail: str) -> facts.Pod:
    """Return the pod with the last line of its running step that counts."""
    found = PROGRESS.findall(log_tail)
    return msgspec.structs.replace(pod, progress=found[-1][:MAX_PROGRESS] if found else "")


def with_log(pod: facts.Pod, log_tail: str) -> facts.Pod:
    """Return the pod with the end of its log."""
    return msgspec.structs.replace(pod, log_tail=log_tail)


def job(body: Object, pods: Iterable[facts.Pod]) -> facts.Job:
    """Return a Job with its pods."""
    meta, status = body["metadata"], body.get("status", {})
    held = {each["type"]: each for each in _listed(status, "conditions") if each["status"] == "True"}
    failed = held.get("Failed", {})
    notes, template = meta.get("annotations", {}), body["spec"]["template"]["spec"]
    ended = status.get("completionTime") or failed.get("lastTransitionTime")
    return facts.Job(
        name=meta["name"],
        uid=meta["uid"],
        key=notes.get(names.KEY_ANNOTATION, ""),
        stage=meta["labels"].get(names.STAGE_LABEL, ""),
        inputs=notes.get(names.INPUTS_ANNOTATION, ""),
        request=_request(template["containers"]),
        server_image=next((each["image"] for each in template["containers"] if each["name"] == TRY), ""),
        created=seconds(meta["creationTimestamp"]) or 0.0,
        attempt=_attempt(notes.get(names.ATTEMPT_ANNOTATION, "")),
        suspended=body["spec"].get("suspend", False),
        queue=meta["labels"].get(names.QUEUE_LABEL, ""),
        complete="Complete" in held,
        failed=failed.get("reason", ""),
        failed_message=failed.get("message", ""),
        finished=seconds(ended),
        deleting="deletionTimestamp" in meta,
        pods=tuple(pods),
    )


def with_refusals(job: facts.Job, refusals: Sequence[str]) -> facts.Job:
    """Return the Job with the messages that say why it has no pod."""
    return msgspec.structs.replace(job, refusals=tuple(refusals))


def deployment(body: Object, pods: Iterable[facts.Pod] = ()) -> facts.Deployment:
    """Return a Deployment with its pods."""
    meta, spec, status = body["metadata"], body["spec"], body.get("status", {})
    notes = meta.get("annotations", {})
    template = spec["template"]["spec"]
    conditions = {each["type"]: each for each in _listed(status, "conditions")}
    refused, progressing = conditions.get("ReplicaFailure", {}), conditions.get("Progressing", {})
    server: Object = next((each for each in template["containers"] if each["name"] == "server"), {})
    return facts.Deployment(
        uid=meta["uid"],
        serving_key=notes.get(names.SERVING_KEY_ANNOTATION, ""),
        artifact_digest=notes.get(names.DIGEST_ANNOTATION, ""),
        image=server.get("image", ""),
        request=_request(template.get("initContainers", [])),
        wanted=spec.get("replicas", 1),
        strategy=spec.get("strategy", {}).get("type", "RollingUpdate"),
        applied=notes.get(names.APPLIED_ANNOTATION, ""),
        generation=meta.get("generation", 1),
        observed_generation=status.get("observedGeneration", 0),
        replicas=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        owns_by_update=_owns_by_update(meta),
        pods_refused=refused.get("message", "") if refused.get("status") == "True" else "",
        overdue=progressing.get("message", "") if progressing.get("status") == "False" else "",
        pods=tuple(pods),
    )


def job_end(body: Mapping[str, Any]) -> JobEnd | None:
    """Return how a Job ended, or None if it has not, or never began."""
    status = body.get("status", {})
    started = seconds(status.get("startTime"))
    found = (each for each in _listed(status, "conditions") if each["type"] in _ENDS and each["status"] == "True")
    condition = next(found, None)
    if condition is None or started is None:
        return None
    return JobEnd(condition["type"] == "Complete", (seconds(condition["lastTransitionTime"]) or started) - started)


def live_object(kind: str, body: Object) -> facts.LiveObject:
    """Return one of the objects that serving consists of."""
    meta = body["metadata"]
    return facts.LiveObject(kind=kind, uid=meta["uid"], body=body, owns_by_update=_owns_by_update(meta))


def stage_of(body: Mapping[str, Any]) -> str:
    """Return the stage that a child is of, as its label says."""
    return str(body["metadata"].get("labels", {}).get(names.STAGE_LABEL, ""))


def job_policies(bodies: Iterable[Object], resource: Metadata) -> Iterator[facts.LiveObject]:
    """Yield the NetworkPolicies that a resource has for its Jobs; that of its servers has its name."""
    for body in bodies:
        meta = body["metadata"]
        if is_controlled_by(body, resource.uid) and meta["name"] != resource.name and "deletionTimestamp" not in meta:
            yield live_object("NetworkPolicy", body)


def peer(body: Object) -> facts.Peer:
    """Return what another resource has."""
    status = read_status(body.get("status"))
    return facts.Peer(
        name=body["metadata"]["name"], source=status.source, artifact=status.artifact, verification=status.verification
    )


def queued_since(status: Status) -> float | None:
    """Return since when a resource waits for its turn, or None if it does not."""
    found = (each for each in status.conditions if each.type == "Queued" and each.status == "True")
    return seconds(next((each.last_transition_time for each in found), None))


def event_time(event: Object) -> str:
    """Return when an Event happened last, for sorting."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((time for time in times if time), "")


def _listed(status: Object, name: str) -> list[Object]:
    return status.get(name) or []


def _containers(body: Object) -> tuple[facts.Container, ...]:
    """Return the containers in the order of the spec: the order of their statuses is the kubelet's business."""
    status = body.get("status", {})
    found: list[facts.Container] = []
    for kind, states in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        by_name = {each["name"]: each for each in _listed(status, states)}
        found.extend(_container(each["name"], by_name.get(each["name"], {})) for each in body["spec"].get(kind, []))
    return tuple(found)


def _container(name: str, status: Object) -> facts.Container:
    state = status.get("state", {})
    waiting = state.get("waiting", {})
    return facts.Container(
        name=name,
        waiting=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        terminated=_termination(state.get("terminated")),
        last=_termination(status.get("lastState", {}).get("terminated")),
        ready=status.get("ready", False),
    )


def _termination(state: Object | None) -> facts.Termination | None:
    if not state:
        return None
    return facts.Termination(
        exit_code=state.get("exitCode", 0),
        reason=state.get("reason", ""),
        message=state.get("message", ""),
        finished=seconds(state.get("finishedAt")),
    )


def _attempt(told: str) -> int:
    """Return a Job's attempt; whoever may write Jobs may write anything there, which is to stop no other's work."""
    return int(told) if re.fullmatch("[1-9][0-9]{0,8}", told) else 1


def _request(containers: list[Object]) -> str:
    for container in containers:
        for variable in container.get("env", []):
            if variable["name"] == REQUEST_VARIABLE:
                return str(variable.get("value", ""))
    return ""


def _owns_by_update(meta: Object) -> bool:
    """Return whether what we posted is still ours as an update; an apply would not remove such fields."""
    return any(
        each.get("manager") == names.MANAGER and each.get("operation") == "Update" and not each.get("subresource")
        for each in meta.get("managedFields", [])
    )
