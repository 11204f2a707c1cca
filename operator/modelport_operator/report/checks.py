"""From a situation to the summary of the whole resource: a chain of checks, one question each, the first that holds.

The order is the table of conditions in docs/conditions.md: what the user must act on comes before what is under way.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from modelport.api.reasons import Reason
from modelport_operator.plan.job_states import VERIFYING
from modelport_operator.plan.progress import Stage
from modelport_operator.report.situation import Situation

RETRYING = "ProgressingWithRetry"
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


def name_is_taken(case: Situation) -> Summary | None:
    """Tell that a foreign object has a child's name."""
    failure = case.failure
    if failure is None or failure.reason != Reason.NAME_CONFLICT:
        return None
    return Summary(failure.reason, failure.message, abnormal="Stalled")


def has_failed_for_good(case: Situation) -> Summary | None:
    """Tell that trying again does not help."""
    failure = case.failure
    if failure is None or failure.retryable:
        return None
    return Summary(failure.reason, failure.message + case.old_serves, abnormal="Stalled")


def is_retrying(case: Situation) -> Summary | None:
    """Tell what is wrong and may pass."""
    failure = case.failure
    if failure is None:
        return None
    return Summary(RETRYING, f"{failure.reason}: {failure.message}{case.old_serves}", abnormal="Reconciling")


def job_is_under_way(case: Situation) -> Summary | None:
    """Tell which Job is waited for."""
    work, state = case.progress.work, case.progress.job_state
    if work is None:
        return None
    verifying = state is not None and state.step in {*VERIFYING, "publish"}
    reason = _UNDER_WAY[Stage.VERIFY if verifying else work.stage]
    step = f": step {state.step}" if state and state.step else ""
    step += f": {state.progress}" if state and state.progress else ""
    return Summary(reason, f"{reason} {_PURPOSE[work.stage]}{step}{case.old_serves}", abnormal="Reconciling")


def is_scaled_to_zero(case: Situation) -> Summary | None:
    """Tell that nothing answers because nothing shall."""
    serving = case.resource.spec.serving
    if serving is None or serving.replicas > 0 or not case.is_as_asked:
        return None
    return Summary("ScaledToZero", "the verified artifact is stored; spec.serving.replicas is 0", ready=True)


def is_serving(case: Situation) -> Summary | None:
    """Tell that the verified artifact of this spec answers."""
    if case.resource.spec.serving is None or case.deployment is None or not case.is_as_asked:
        return None
    return Summary("Serving", f"{case.deployment.available} pods serve the verified artifact", ready=True)


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
    live, serving = case.deployment, case.resource.spec.serving
    if serving is None:
        return Summary("Deploying", "serving is being taken down", abnormal="Reconciling")
    updated = live.updated if live and case.plan.rollout and live.serving_key == case.plan.rollout.key else 0
    progress = f"{updated} of {serving.replicas} pods are new, {live.available if live else 0} answer"
    return Summary("Deploying", f"Deploying: {progress}", abnormal="Reconciling")


CHAIN: tuple[Check, ...] = (
    is_suspended,
    name_is_taken,
    has_failed_for_good,
    is_retrying,
    job_is_under_way,
    is_scaled_to_zero,
    is_serving,
    is_stored,
    deployment_is_rolling,
)


def summarise(case: Situation) -> Summary:
    """Return what the first check that holds says; the last one always does."""
    return next(summary for check in CHAIN if (summary := check(case)))
