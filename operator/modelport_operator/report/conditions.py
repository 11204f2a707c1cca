"""Conditions: those of kstatus from the summary, those of the domain from how far the resource has come."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from modelport.api.status import Condition
from modelport.jobs.outcomes import told_of
from modelport_operator.report.checks import QUEUED, Summary, told_of_pods
from modelport_operator.report.situation import Situation

MAX_MESSAGE = 2000


FACTS: tuple[tuple[str, str, str], ...] = (
    ("Imported", "the source that the spec names is in the store", "Imported"),
    ("Converted", "the model that the spec asks for is in the store", "Converted, Reused"),
    ("Verified", "its answers were measured and judged by the tolerances of the spec", "Verified"),
    ("Available", "something answers requests", "Available"),
    ("ReplicasAvailable", "what is to be served answers by as many pods as asked for", "ReplicasAvailable"),
    ("Autoscaled", "the autoscaler reports that it has its metrics and scales", "Autoscaled"),
    (QUEUED, "a Job waits, since the time of this condition, which decides about its place in the line", QUEUED),
)
"""The conditions beside those of kstatus: name, when it is True, and the reasons of that."""


_STATUSES: dict[bool | None, Literal["True", "False", "Unknown"]] = {True: "True", False: "False", None: "Unknown"}


class Aspect(NamedTuple):
    """A condition without its time."""

    type: str
    holds: bool | None
    """None: nobody knows."""
    reason: str
    message: str


def aspects(case: Situation, summary: Summary) -> Iterator[Aspect]:
    """Yield the aspects in the order in which they are listed."""
    yield from aspects_of_whole(summary)
    yield from _domain(case, summary)


def aspects_of_whole(summary: Summary) -> Iterator[Aspect]:
    """Yield the conditions of kstatus."""
    yield Aspect("Ready", summary.ready, summary.reason, summary.message)
    if summary.abnormal:
        yield Aspect(summary.abnormal, True, summary.reason, summary.message)


def _domain(case: Situation, summary: Summary) -> Iterator[Aspect]:
    progress = case.progress
    cause = case.failure.reason if case.failure else summary.reason
    source, artifact, evidence = progress.source, progress.artifact, progress.verification
    if source:
        yield Aspect(
            "Imported", True, "Imported", f"{source.format}, {source.size_bytes} bytes, {source.digests['source']}"
        )
    else:
        yield Aspect("Imported", False, cause, "the source is not imported yet")
    if artifact:
        how = "Reused" if artifact.reused else "Converted"
        yield Aspect("Converted", True, how, f"{artifact.format}, {artifact.size_bytes} bytes, {artifact.digest}")
    else:
        yield Aspect("Converted", False, cause, "the model is not converted yet")
    if progress.verified and evidence:
        yield Aspect("Verified", bool(evidence.judged), *told_of(evidence))
    else:
        yield Aspect("Verified", False, cause, "the artifact of this spec is not verified")
    if case.resource.spec.serving:
        yield _available(case, summary)
        yield _replicas_available(case)
    if case.plan.autoscaled:
        yield Aspect("Autoscaled", *case.plan.autoscaled)
    if case.queued:
        yield Aspect(QUEUED, True, QUEUED, case.queued)


def _available(case: Situation, summary: Summary) -> Aspect:
    if case.answers and case.deployment:
        digest = case.deployment.artifact_digest
        message = f"the artifact of this spec answers: {digest}" if case.serves else "an artifact answers"
        return Aspect("Available", True, "Available", message)
    reason = case.failure.reason if case.failure else summary.reason
    return Aspect("Available", False, reason, "no pod answers")


def _replicas_available(case: Situation) -> Aspect:
    """Return whether there are as many pods as asked for: what is served may answer by fewer."""
    live, rollout, trouble = case.deployment, case.plan.rollout, case.plan.trouble
    is_newest = live is not None and rollout is not None and live.serving_key == rollout.key
    if live and is_newest and live.rolled_out and live.wanted == case.wanted:
        return Aspect("ReplicasAvailable", True, "ReplicasAvailable", told_of_pods(case))
    cause = trouble.reason if trouble else case.failure.reason if case.failure else "Deploying"
    return Aspect("ReplicasAvailable", False, cause, told_of_pods(case))


def conditions(found: Iterator[Aspect], old: Sequence[Condition], *, generation: int, now: str) -> list[Condition]:
    """Return the conditions; the time of one changes only with its status."""
    before = {condition.type: condition for condition in old}
    return [_condition(aspect, before.get(aspect.type), generation=generation, now=now) for aspect in found]


def _condition(aspect: Aspect, before: Condition | None, *, generation: int, now: str) -> Condition:
    status = _STATUSES[aspect.holds]
    same = before is not None and before.status == status
    return Condition(
        type=aspect.type,
        status=status,
        reason=aspect.reason,
        message=aspect.message[:MAX_MESSAGE],
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before and same else now,
    )
