"""From a situation to the summary of the whole resource: a chain of checks, one question each, the first that holds.

The order is that of TABLE, which docs/reference/conditions.md shows: what the user must act on comes before what is
under way.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from modelport.api.status import Failure
from modelport_operator.plan.job_states import VERIFYING
from modelport_operator.plan.progress import Stage
from modelport_operator.report.situation import Situation

RETRYING = "ProgressingWithRetry"
QUEUED = "Queued"
SUSPENDED = "Suspended"
_UNDER_WAY = {
    Stage.IMPORT: "Importing",
    Stage.CONVERT: "Converting",
    Stage.VERIFY: "Verifying",
    Stage.SERVE: "Deploying",
}
_PURPOSE = {Stage.IMPORT: "the source", Stage.CONVERT: "the model", Stage.VERIFY: "the stored artifact"}


class Summary(NamedTuple):
    """What is told about the whole resource."""

    reason: str
    message: str
    ready: bool = False
    abnormal: Literal["", "Reconciling", "Stalled"] = ""
    """The condition beside Ready, of kstatus."""


Check = Callable[[Situation], Summary | None]


def is_suspended(case: Situation) -> Summary | None:
    """Tell that nothing new starts."""
    if not case.resource.spec.suspend:
        return None
    if case.is_as_asked:
        return Summary(SUSPENDED, "suspended; what the spec asks for is done", ready=True)
    lacking = f"{case.failure.reason}: {case.failure.message}" if case.failure else "what the spec asks for is not done"
    return Summary(SUSPENDED, f"suspended; {lacking}{case.old_serves}")


def has_failed_for_good(case: Situation) -> Summary | None:
    """Tell that trying again does not help."""
    failure = case.failure
    return None if failure is None or failure.retryable else summary_of(failure, case.old_serves)


def is_queued(case: Situation) -> Summary | None:
    """Tell what a Job waits for, and why it is not the first one."""
    if not case.queued or case.refused:
        return None
    before = f"; the last attempt: {case.failure.reason}: {case.failure.message}" if case.failure else ""
    return Summary(QUEUED, f"Queued: {case.queued}{before}{case.waits}{case.old_serves}", abnormal="Reconciling")


def is_retrying(case: Situation) -> Summary | None:
    """Tell what is wrong and may pass."""
    return None if case.failure is None else summary_of(case.failure, case.old_serves)


def summary_of(failure: Failure, more: str = "") -> Summary:
    """Return what is told of a failure."""
    if failure.retryable:
        return Summary(RETRYING, f"{failure.reason}: {failure.message}{more}", abnormal="Reconciling")
    return Summary(failure.reason, failure.message + more, abnormal="Stalled")


def job_is_under_way(case: Situation) -> Summary | None:
    """Tell which Job is waited for."""
    work, state = case.progress.work, case.progress.job_state
    if work is None:
        return None
    verifying = state is not None and state.step in {*VERIFYING, "publish"}
    reason = _UNDER_WAY[Stage.VERIFY if verifying else work.stage]
    step = f": step {state.step}" if state and state.step else ""
    step += f": {state.progress}" if state and state.progress else ""
    return Summary(
        reason, f"{reason} {_PURPOSE[work.stage]}{step}{case.waits}{case.old_serves}", abnormal="Reconciling"
    )


def is_scaled_to_zero(case: Situation) -> Summary | None:
    """Tell that nothing answers because nothing shall."""
    if not (case.is_at_zero and case.is_as_asked):
        return None
    tried = "stored" if case.has_answered else "promoted, not tried yet"
    return Summary("ScaledToZero", f"no pod is asked for; the verified artifact is {tried}", ready=True)


def is_serving(case: Situation) -> Summary | None:
    """Tell that the verified artifact of this spec answers."""
    if case.deployment is None or not (case.serves and case.is_as_asked):
        return None
    return Summary("Serving", f"the verified artifact answers: {told_of_pods(case)}", ready=True)


def is_stored(case: Situation) -> Summary | None:
    """Tell that there is all that the spec asks for: an artifact."""
    if case.resource.spec.serving or not case.is_as_asked:
        return None
    evidence = case.progress.verification
    if evidence and not evidence.judged:
        return Summary("Stored", "the artifact is stored; its errors are only reported", ready=True)
    return Summary("Stored", "the verified artifact is stored", ready=True)


def deployment_is_rolling(case: Situation) -> Summary | None:
    """Tell how far the rollout is."""
    if case.resource.spec.serving is None:
        return Summary("Deploying", "serving is being taken down", abnormal="Reconciling")
    scaled = case.plan.autoscaled
    scales = f"; {scaled.message}" if scaled and scaled.holds is None and not case.wanted else ""
    return Summary("Deploying", f"Deploying: {told_of_pods(case)}{scales}{case.waits}", abnormal="Reconciling")


def told_of_pods(case: Situation) -> str:
    """Return how many pods there are, and what keeps others from answering."""
    live, rollout = case.deployment, case.plan.rollout
    if live is None:
        return f"0 of {case.wanted} pods are there"
    old = "" if live.is_current and rollout and live.serving_key == rollout.key else f", {live.updated} are new"
    trouble = f"; another one: {case.plan.trouble.reason}: {case.plan.trouble.message}" if case.plan.trouble else ""
    return f"{live.available} of {case.wanted} pods answer{old}{trouble}"


class Row(NamedTuple):
    """What a check may tell."""

    check: Check
    when: str
    reasons: tuple[str, ...]
    """Those of Ready, and of the condition beside it; none: the reason of the failure."""
    ready: bool
    abnormal: Literal["", "Reconciling", "Stalled"] = ""


TABLE: tuple[Row, ...] = (
    Row(is_suspended, "`spec.suspend`, and what the spec asks for is done", (SUSPENDED,), True),
    Row(is_suspended, "`spec.suspend`, and something is lacking", (SUSPENDED,), False),
    Row(has_failed_for_good, "something failed, and trying again does not help", (), False, "Stalled"),
    Row(
        is_queued, "a Job waits for its turn, for Kueue, or for another resource's Job", (QUEUED,), False, "Reconciling"
    ),
    Row(is_retrying, "something failed, and it is tried again", (RETRYING,), False, "Reconciling"),
    Row(job_is_under_way, "a Job is waited for", tuple(_UNDER_WAY.values())[:3], False, "Reconciling"),
    Row(
        is_scaled_to_zero,
        "no pod is asked for, and the verified artifact is stored, or promoted and not tried yet",
        ("ScaledToZero",),
        True,
    ),
    Row(is_serving, "the verified artifact answers, by one pod at least, and nothing older does", ("Serving",), True),
    Row(is_stored, "no serving is asked for, and the artifact is stored", ("Stored",), True),
    Row(deployment_is_rolling, "pods come or go", ("Deploying",), False, "Reconciling"),
)
"""All that the conditions of the whole resource may be, in the order in which it is asked."""

CHAIN: tuple[Check, ...] = tuple(dict.fromkeys(row.check for row in TABLE))


def summarise(case: Situation) -> Summary:
    """Return what the first check that holds says; the last one always does."""
    return next(summary for check in CHAIN if (summary := check(case)))
