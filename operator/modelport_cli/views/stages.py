"""From a status to stages (Import, Convert, Verify, Serve) with states: what `get`, its live view and `run` show.

Pure functions of the resource; the same view for a cluster's status and for a local run's.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from modelport.api.resource import ModelConversion
from modelport.api.status import Condition, Status
from modelport.jobs.outcomes import NOT_ENFORCED


class State(StrEnum):
    """Where a stage is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Stage(NamedTuple):
    """One line of the view."""

    name: str
    state: State
    detail: str = ""


_STAGES = (("Import", "Imported"), ("Convert", "Converted"), ("Verify", "Verified"), ("Serve", "Available"))
_ACTIVE = {"Importing": "Import", "Converting": "Convert", "Verifying": "Verify", "Deploying": "Serve"}


def condition(status: Status, kind: str) -> Condition | None:
    """Return the condition of this type, if there is one."""
    return next((each for each in status.conditions if each.type == kind), None)


def is_true(status: Status, kind: str) -> bool:
    """Whether the condition holds."""
    found = condition(status, kind)
    return found is not None and found.status == "True"


def is_measured(status: Status) -> bool:
    """Whether errors were measured, which only the policy Report leaves unjudged."""
    found = condition(status, "Verified")
    return found is not None and (found.status == "True" or found.reason == NOT_ENFORCED)


def is_current(resource: ModelConversion) -> bool:
    """Whether the status speaks about the present spec."""
    return resource.status.observed_generation == resource.metadata.generation


def is_ready(resource: ModelConversion) -> bool:
    """Whether the present spec is served, or converted where serving is not asked."""
    return is_current(resource) and is_true(resource.status, "Ready")


def is_stalled(resource: ModelConversion) -> bool:
    """Whether nothing goes on until somebody changes something."""
    return is_current(resource) and is_true(resource.status, "Stalled")


def list_stages(resource: ModelConversion) -> list[Stage]:
    """Return the stages of the present spec, in order."""
    names = _STAGES if resource.spec.serving else _STAGES[:-1]
    if not is_current(resource):
        return [Stage(name, State.WAITING) for name, _ in names]
    return [Stage(name, *_judge(resource, name, kind)) for name, kind in names]


def _judge(resource: ModelConversion, name: str, kind: str) -> tuple[State, str]:
    status = resource.status
    failure = status.failure
    if failure and failure.stage == name and not is_true(status, "Ready"):
        attempts = f" (attempt {failure.attempts}, tried again)" if failure.retryable else ""
        return State.FAILED, f"{failure.reason}{attempts}"
    if is_true(status, kind) or (kind == "Verified" and is_measured(status)):
        return State.DONE, _detail(status, name)
    reconciling = condition(status, "Reconciling")
    if reconciling and reconciling.status == "True" and _ACTIVE.get(reconciling.reason) == name:
        return State.RUNNING, reconciling.message
    return State.WAITING, ""


def _detail(status: Status, name: str) -> str:
    """Return the one fact that people want of a finished stage."""
    if name == "Import" and status.source:
        return f"{status.source.format}, {size(status.source.size_bytes)}, {short(status.source.digests['source'])}"
    if name == "Convert" and status.artifact:
        reused = ", reused" if status.artifact.reused else ""
        return f"{' → '.join(status.path)}, {size(status.artifact.size_bytes)}, {short(status.artifact.digest)}{reused}"
    if name == "Verify" and status.verification:
        only = "" if is_true(status, "Verified") else ", only reported"
        return f"{status.verification.samples} samples, error at most {status.verification.max_absolute_error}{only}"
    if name == "Serve" and status.serving:
        return f"{status.serving.url} ({status.serving.ready_replicas} of {status.serving.replicas} ready)"
    return ""


def size(count: int) -> str:
    """Return a number of bytes for people.

    >>> size(1_500_000)
    '1.5 MB'
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:  # noqa: PLR2004  # SI prefixes
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def age(since: datetime, now: datetime) -> str:
    """Return a duration as kubectl writes it: the largest unit that fits twice, or one smaller."""
    seconds = max(0, int((now - since).total_seconds()))
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def short(digest: str) -> str:
    """Return a digest as people compare it."""
    return digest[: len("sha256:") + 12]
