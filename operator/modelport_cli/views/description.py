"""Everything about one resource as a page: what `describe` shows beside what `get` does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from modelport.api.resource import ModelConversion
from modelport_cli.console import plain_table
from modelport_cli.views.stages import age
from modelport_cli.views.status import resource_view
from modelport_operator import facts, reading
from modelport_operator.names import STAGE_LABEL
from modelport_operator.plan.troubles import trouble_of_ended, trouble_of_waiting

REASONS = "docs/reference/reasons.md"
"""The page that has every reason and what to do."""
MOST_EVENTS = 10
Body = dict[str, Any]
Row = tuple[str, ...]


def children_of(objects: list[Body], *, uid: str) -> list[Body]:
    """Return the children of the resource with this uid among the objects, and the pods of its Jobs and its Deployment."""
    children = [each for each in objects if reading.is_controlled_by(each, uid)]
    jobs = {each["metadata"]["uid"] for each in children if each["kind"] == "Job"}
    serves = any(each["kind"] == "Deployment" for each in children)
    pods = [each for each in objects if each["kind"] == "Pod"]
    return children + [pod for pod in pods if reading.job_of(pod) in jobs or (serves and _stage(pod) == "serve")]


def description(
    resource: ModelConversion, body: Body, children: list[Body], events: list[Body], *, now: datetime
) -> RenderableType:
    """Return the page; `body` is the resource as the API server sent it."""
    parts: list[RenderableType] = [resource_view(resource)]
    if resource.status.failure:
        parts.append(Text(f"  docs: {REASONS}, {resource.status.failure.reason}"))
    for headers, rows in (
        (("FACT", "VALUE"), _facts(resource, body, now)),
        (("CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"), _conditions(resource, now)),
        (("JOB", "STEP", "STATE", "TOOK"), _steps(children, now)),
        (("CHILD", "NAME", "STATE", "AGE"), _children(children, now)),
        (("EVENT", "LAST", "OBJECT", "MESSAGE"), _events(events, now)),
    ):
        found = list(rows)
        if found:
            table = plain_table(*headers)
            for row in found:
                table.add_row(*map(Text, row))
            parts += [Text(), table]
    return Group(*parts)


def _stage(body: Body) -> str:
    return str(body["metadata"].get("labels", {}).get(STAGE_LABEL, ""))


def _facts(resource: ModelConversion, body: Body, now: datetime) -> Iterator[Row]:
    status, meta = resource.status, body["metadata"]
    yield "created", f"{age(_time(meta['creationTimestamp']), now)} ago"
    yield "generation", f"{resource.metadata.generation}, of which {status.observed_generation} is told of"
    yield "source", resource.spec.source.uri
    yield "path", " → ".join(status.path) or f"to {resource.spec.target.format}"
    for role, digest in status.source.digests.items() if status.source else ():
        yield f"digest of {role}", digest
    if status.artifact:
        yield "artifact", f"{status.artifact.digest} in {status.artifact.uri}"
    if status.verification and status.verification.image:
        yield "verified by", status.verification.image
    if status.serving:
        yield "served at", status.serving.url
    if status.last_handled_retry_at:
        yield "retried at", status.last_handled_retry_at


def _conditions(resource: ModelConversion, now: datetime) -> Iterator[Row]:
    for each in resource.status.conditions:
        yield each.type, each.status, each.reason, age(_time(each.last_transition_time), now), each.message


def _steps(children: list[Body], now: datetime) -> Iterator[Row]:
    """Yield the Jobs that are there with their steps, and how long each took."""
    pods = [(reading.job_of(body), body) for body in children if body["kind"] == "Pod"]
    for job in _oldest_first(each for each in children if each["kind"] == "Job"):
        read = reading.job(job, ())
        state = "done" if read.complete else f"failed: {read.failed}" if read.failed else _activity(read, "running")
        ended = datetime.fromtimestamp(read.finished, UTC) if read.finished else None
        yield _stage(job).capitalize(), "", state, _took(_time(job["metadata"]["creationTimestamp"]), ended, now)
        own = list(_oldest_first(body for owner, body in pods if owner == job["metadata"]["uid"]))
        for status in own[-1].get("status", {}).get("containerStatuses") or [] if own else []:
            yield _step(status, now)


def _step(status: Body, now: datetime) -> Row:
    state = status.get("state", {})
    name = status["name"]
    if "terminated" in state:
        ended = state["terminated"]
        how = facts.Termination(exit_code=ended.get("exitCode", 0))
        word = "failed" if how.failed else "done" if how.exit_code == 0 else "skipped"
        took = _took(_time(ended["startedAt"]), _time(ended["finishedAt"]), now) if ended.get("startedAt") else ""
        return "", name, word, took
    if "running" in state:
        return "", name, "running", _took(_time(state["running"]["startedAt"]), None, now)
    return "", name, str(state.get("waiting", {}).get("reason", "waiting")), ""


def _children(children: list[Body], now: datetime) -> Iterator[Row]:
    for body in _oldest_first(children):
        yield (
            body["kind"],
            body["metadata"]["name"],
            _state(body),
            age(_time(body["metadata"]["creationTimestamp"]), now),
        )


def _state(body: Body) -> str:
    """Return how a child is; of a pod, what keeps it from working."""
    if body["kind"] == "Pod":
        pod = reading.pod(body)
        trouble = None if pod.succeeded else trouble_of_waiting(pod) or trouble_of_ended(pod)
        told = f": {trouble.reason}: {trouble.message}" if trouble else ""
        return f"{pod.phase}{', ready' if pod.ready else ''}{told}"
    if body["kind"] == "Job":
        job = reading.job(body, ())
        return "Complete" if job.complete else f"Failed: {job.failed}" if job.failed else _activity(job, "active")
    if body["kind"] == "Deployment":
        live = reading.deployment(body)
        lacking = live.pods_refused or live.overdue
        return f"{live.available} of {live.wanted} available{f': {lacking}' if lacking else ''}"
    return ""


def _activity(job: facts.Job, word: str) -> str:
    return "suspended" if job.suspended else word


def _events(events: list[Body], now: datetime) -> Iterator[Row]:
    for event in sorted(events, key=reading.event_time)[-MOST_EVENTS:]:
        about = event["involvedObject"]
        when = reading.event_time(event)
        yield (
            event.get("reason", ""),
            age(_time(when), now) if when else "",
            f"{about['kind']} {about['name']}",
            " ".join(event.get("message", "").split()),
        )


def _oldest_first(bodies: Any) -> list[Body]:
    return sorted(bodies, key=lambda body: str(body["metadata"]["creationTimestamp"]))


def _time(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)


def _took(since: datetime, until: datetime | None, now: datetime) -> str:
    seconds = ((until or now) - since).total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else age(since, until or now)  # noqa: PLR2004  as `age` counts
