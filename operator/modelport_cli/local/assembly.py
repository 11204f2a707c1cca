"""The status of a local run: the same object that the operator would write, from the facts of the same steps."""

from dataclasses import dataclass, field

from modelport.api import ArtifactStatus, Condition, Failure, SourceStatus, Status, VerificationStatus
from modelport.contract import ModelportError
from modelport.reasons import ADVICE
from modelport_cli.local.processes import StepError

STAGES = {"Import": "Imported", "Convert": "Converted", "Verify": "Verified"}
"""Stages of a local run and the condition that each makes true, in order."""


@dataclass
class Progress:
    """What a run has come to; the run adds what it learns."""

    source: SourceStatus | None = None
    path: list[str] = field(default_factory=list)
    artifact: ArtifactStatus | None = None
    verification: VerificationStatus | None = None
    failure: Failure | None = None


def make_status(progress: Progress, *, generation: int, now: str) -> Status:
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
            for kind, holds, reason, message in _facts(progress)
        ],
        source=progress.source,
        path=progress.path,
        artifact=progress.artifact,
        verification=progress.verification,
        failure=progress.failure,
    )


def _facts(progress: Progress) -> list[tuple[str, bool, str, str]]:
    failure = progress.failure
    if failure is None:
        facts = [("Ready", True, "Converted", "The artifact is verified; serving it takes `modelport serve`.")]
    else:
        facts = [("Ready", False, failure.reason, failure.message), ("Stalled", True, failure.reason, failure.message)]
    for stage, kind in STAGES.items():
        if failure and failure.stage == stage:
            facts.append((kind, False, failure.reason, failure.message))
            break
        facts.append((kind, True, kind, _describe(progress, stage)))
    return facts


def _describe(progress: Progress, stage: str) -> str:
    if stage == "Import" and progress.source:
        return f"{progress.source.format}, {progress.source.size_bytes} bytes, {progress.source.digest}"
    if stage == "Convert":
        return " → ".join(progress.path)
    if stage == "Verify" and progress.verification:
        return f"{progress.verification.samples} samples, largest error {progress.verification.max_absolute_error}"
    return ""


def make_failure(error: ModelportError, *, stage: str, key: str) -> Failure:
    """Return what the status says about a failure."""
    advice = ADVICE[error.reason]
    return Failure(
        key=key,
        stage=stage,
        reason=error.reason,
        message=error.message,
        hint=advice.hint,
        retryable=advice.retryable,
        log_tail=error.log_tail if isinstance(error, StepError) else "",
    )
