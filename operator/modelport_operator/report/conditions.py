"""Conditions: those of kstatus from the summary, those of the domain from how far the resource has come."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from modelport.api.status import Condition
from modelport.jobs.outcomes import told_of
from modelport_operator.report.checks import Summary
from modelport_operator.report.situation import Situation

MAX_MESSAGE = 2000


class Aspect(NamedTuple):
    """A condition without its time."""

    type: str
    holds: bool
    reason: str
    message: str


def aspects(case: Situation, summary: Summary) -> Iterator[Aspect]:
    """Yield the aspects in the order in which they are listed."""
    yield Aspect("Ready", summary.ready, summary.reason, summary.message)
    if summary.abnormal:
        yield Aspect(summary.abnormal, True, summary.reason, summary.message)
    yield from _domain(case, summary)


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


def _available(case: Situation, summary: Summary) -> Aspect:
    if case.answers and case.deployment:
        digest = case.deployment.artifact_digest
        message = f"the artifact of this spec answers: {digest}" if case.rolled_out else "an artifact answers"
        return Aspect("Available", True, "Available", message)
    reason = case.failure.reason if case.failure else summary.reason
    return Aspect("Available", False, reason, "no pod answers")


def conditions(found: Iterator[Aspect], old: Sequence[Condition], *, generation: int, now: str) -> list[Condition]:
    """Return the conditions; the time of one changes only with its status."""
    before = {condition.type: condition for condition in old}
    return [_condition(aspect, before.get(aspect.type), generation=generation, now=now) for aspect in found]


def _condition(aspect: Aspect, before: Condition | None, *, generation: int, now: str) -> Condition:
    status = "True" if aspect.holds else "False"
    same = before is not None and before.status == status
    return Condition(
        type=aspect.type,
        status="True" if aspect.holds else "False",
        reason=aspect.reason,
        message=aspect.message[:MAX_MESSAGE],
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before and same else now,
    )
