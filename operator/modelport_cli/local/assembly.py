"""The status of a local run: the same object that the operator would write, from the facts of the same steps."""

from dataclasses import dataclass, field

from modelport.api.reasons import ADVICE
from modelport.api.status import (
    ArtifactStatus,
    Condition,
    Failure,
    RefusedPath,
    SourceStatus,
    Status,
    VerificationStatus,
)
from modelport.errors import ModelportError
from modelport.jobs.outcomes import told_of
from modelport_cli.local.processes import StepError

READY = "Stored"
"""Reason of Ready where nothing is served, as the operator says it."""


@dataclass
class RunFacts:
    """What a run has come to; the run adds what it learns."""

    source: SourceStatus | None = None
    path: list[str] = field(default_factory=list)
    refused: list[RefusedPath] = field(default_factory=list)
    artifact: ArtifactStatus | None = None
    verification: VerificationStatus | None = None
    failure: Failure | None = None


def make_status(facts: RunFacts, *, generation: int, now: str) -> Status:
    """Return the status of a run."""
    return Status(
        observed_generation=generation,
        conditions=[
            Condition(
                type=kind,
                status="True" if holds else "False",
                reason=reason,
                message=message,
                observed_generation=generation,
                last_transition_time=now,
            )
            for kind, holds, reason, message in _conditions(facts)
        ],
        source=facts.source,
        path=facts.path,
        refused=facts.refused,
        artifact=facts.artifact,
        verification=facts.verification,
        failure=facts.failure,
    )


def _conditions(facts: RunFacts) -> list[tuple[str, bool, str, str]]:
    """Return the conditions as the operator derives them: from what is there, whatever failed."""
    failure, source, artifact, evidence = facts.failure, facts.source, facts.artifact, facts.verification
    cause = failure.reason if failure else READY
    imported = f"{source.format}, {source.size_bytes} bytes, {source.digests['source']}" if source else None
    converted = f"{artifact.format}, {artifact.size_bytes} bytes, {artifact.digest}" if artifact else None
    if failure:
        found = [("Ready", False, cause, failure.message), ("Stalled", True, cause, failure.message)]
    else:
        state = "verified; `modelport serve` serves it" if evidence and evidence.judged else "stored, and not verified"
        found = [("Ready", True, READY, f"the artifact is {state}")]
    for kind, message, lacking in (
        ("Imported", imported, "the source is not imported yet"),
        ("Converted", converted, "the model is not converted yet"),
    ):
        found.append((kind, True, kind, message) if message else (kind, False, cause, lacking))
    if evidence and artifact:
        return [*found, ("Verified", bool(evidence.judged), *told_of(evidence))]
    return [*found, ("Verified", False, cause, "the artifact of this spec is not verified")]


def make_failure(error: ModelportError, *, stage: str, key: str) -> Failure:
    """Return what the status says about a failure."""
    advice = ADVICE[error.reason]
    return Failure(
        key=key,
        stage=stage,
        step=error.step if isinstance(error, StepError) else "",
        reason=error.reason,
        message=error.message,
        hint=advice.hint,
        retryable=advice.retryable,
        log_tail=error.log_tail if isinstance(error, StepError) else "",
    )
