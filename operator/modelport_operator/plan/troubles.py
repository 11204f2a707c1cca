"""From a pod to the reason why it failed or does not start: chains of small checks, the first finding counts.

What a step says about itself wins; the rest is told from the pod, its Events, and the Job's.
"""

import re
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from modelport.api.reasons import ADVICE, Reason
from modelport.api.status import Failure
from modelport.encoding import decode
from modelport.jobs.containers import crash_of, may_tell
from modelport.jobs.environment import STORE_SECRET
from modelport.jobs.results import StepResult
from modelport_operator.facts import Container, Job, Pod

MAX_MESSAGE = 1000
MAX_LOG = 2000
MAX_STEP = 16
_IMAGE_TROUBLES = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
_START_TROUBLES = frozenset({"CreateContainerError", "RunContainerError", "StartError"})
_SIGNALS = 128
_UNPRINTABLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\uffff]")
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*":?( ErrImagePull:)?')
_MISSING_SECRET = re.compile(r'secret "([^"]+)" not found')


class Trouble(NamedTuple):
    """What is wrong with a pod."""

    reason: Reason
    message: str
    log_tail: str = ""
    step: str = ""
    """The step that failed, where one did: the last one of its container, if it does not say which."""


def clean(text: str, limit: int, *, tail: bool = False) -> str:
    """Return foreign text without control characters, its beginning or its end if it is longer than `limit`."""
    text = _UNPRINTABLE.sub("", text).strip()
    return text[-limit:] if tail else text[:limit]


def failure_of(trouble: Trouble, *, stage: str, key: str, attempts: int = 1, retryable: bool | None = None) -> Failure:
    """Return the failure that a trouble makes; whether it is tried again follows from its reason if not said."""
    advice = ADVICE[trouble.reason]
    return Failure(
        key=key,
        stage=stage,
        step=clean(trouble.step, MAX_STEP),
        reason=trouble.reason,
        message=clean(trouble.message, MAX_MESSAGE),
        hint=advice.hint,
        retryable=advice.retryable if retryable is None else retryable,
        attempts=attempts,
        log_tail=clean(trouble.log_tail, MAX_LOG, tail=True),
    )


def step_result(container: Container) -> StepResult | None:
    """Return what a container that ended says in its termination message, or None if that is no result."""
    ending = container.ending
    if ending is None or not ending.message:
        return None
    try:
        return decode(ending.message, StepResult)
    except msgspec.DecodeError:
        return None


def unread_result(container: Container) -> str:
    """Return why a termination message that looks like a result is none, or nothing."""
    ending = container.ending
    if ending is None or not ending.message.startswith("{"):
        return ""  # the kubelet's own words
    try:
        decode(ending.message, StepResult)
    except msgspec.DecodeError as error:
        return str(error)
    return ""


# --- pods that ended ------------------------------------------------------------------------------------------------


def _step_tells(pod: Pod) -> Trouble | None:
    result = step_result(pod.culprit) if pod.culprit else None
    if pod.culprit is None or result is None or result.failure is None:
        return None
    message = result.failure.message
    # steps that share a container say which of them it was
    step = result.step if may_tell(pod.culprit.name, result.step) else pod.culprit.name
    told = message if message.startswith(f"step {step}") else f"step {clean(step, MAX_STEP)}: {message}"
    return Trouble(result.failure.reason, told, step=step)


def _deadline_passed(pod: Pod) -> Trouble | None:
    if pod.reason != "DeadlineExceeded":
        return None
    step = pod.culprit.name if pod.culprit else ""
    where = f" in step {step}" if step else ""
    message = f"the pod was stopped{where}: {pod.message or 'its time was up'}"
    return Trouble(Reason.DEADLINE_EXCEEDED, message, step=step)


def _storage_overrun(pod: Pod) -> Trouble | None:
    words = pod.message.lower()
    if pod.reason != "Evicted" or not ("exceed" in words and ("ephemeral" in words or "emptydir" in words)):
        return None
    return Trouble(Reason.STORAGE_EXCEEDED, pod.message)


def _was_evicted(pod: Pod) -> Trouble | None:
    if pod.reason != "Evicted" and not pod.disrupted:
        return None
    return Trouble(Reason.EVICTED, pod.message or pod.disrupted)


def _ran_out_of_memory(pod: Pod) -> Trouble | None:
    killed = (each for each in pod.containers if each.ending and each.ending.reason == "OOMKilled")
    container = next(killed, None)
    if container is None:
        return None
    message = f"step {container.name} was killed because it exceeded its memory limit"
    return Trouble(Reason.OUT_OF_MEMORY, message, step=container.name)


def _crashed(pod: Pod) -> Trouble | None:
    culprit = pod.culprit
    if culprit is None or culprit.ending is None:
        return None
    code = culprit.ending.exit_code
    number = code - _SIGNALS
    is_known = number in set(signal.Signals)
    ending = f"was ended by {signal.Signals(number).name}" if is_known else f"ended with exit status {code}"
    left = f"left a result that cannot be read: {unread}" if (unread := unread_result(culprit)) else "left no result"
    return Trouble(crash_of(culprit.name), f"step {culprit.name} {ending} and {left}", step=culprit.name)


def _ended_without_result(pod: Pod) -> Trouble | None:
    if pod.phase == "Failed":
        return Trouble(Reason.STEP_CRASHED, pod.message or "the pod failed, and no step says why")
    return None


_ENDINGS: tuple[Callable[[Pod], Trouble | None], ...] = (
    _step_tells,
    _deadline_passed,
    _storage_overrun,
    _was_evicted,
    _ran_out_of_memory,
    _crashed,
    _ended_without_result,
)


def trouble_of_unread(pod: Pod) -> Trouble:
    """Return what is wrong with a pod that did all, and whose results tell nothing."""
    unread = ((each.name, why) for each in pod.containers if (why := unread_result(each)))
    step, why = next(unread, ("", ""))
    left = f"step {step} left a result that cannot be read: {why}" if step else "they left no result"
    return Trouble(Reason.CONVERTER_CRASHED, f"all steps ended with exit status 0, but {left}", step=step)


def trouble_of_ended(pod: Pod) -> Trouble | None:
    """Return why a pod failed, or None if it did not."""
    trouble = next(_findings(_ENDINGS, pod), None)
    return trouble._replace(log_tail=pod.log_tail) if trouble else None


# --- pods that do not start -----------------------------------------------------------------------------------------


def _is_unschedulable(pod: Pod) -> Trouble | None:
    return Trouble(Reason.UNSCHEDULABLE, pod.unschedulable) if pod.unschedulable else None


def _lacks_image(pod: Pod) -> Trouble | None:
    for each in pod.containers:
        if each.waiting in _IMAGE_TROUBLES:
            # the kubelet goes to and fro between two wordings of one trouble
            detail = _BACK_OFF.sub("", each.waiting_message).strip() or each.waiting
            return Trouble(Reason.IMAGE_PULL_FAILED, f"image of {each.name}: {detail}")
    return None


def _is_misconfigured(pod: Pod) -> Trouble | None:
    for each in pod.containers:
        if each.waiting == "CreateContainerConfigError":
            return Trouble(Reason.POD_REFUSED, f"step {each.name}: {each.waiting_message}")
        if each.waiting in _START_TROUBLES:
            return Trouble(Reason.STEP_CRASHED, f"step {each.name}: {each.waiting}: {each.waiting_message}")
    return None


def _lacks_secret(pod: Pod) -> Trouble | None:
    for warning in pod.warnings:
        found = _MISSING_SECRET.search(warning)
        if found and found[1] == STORE_SECRET:
            return Trouble(Reason.STORE_NOT_CONFIGURED, f"expected Secret {STORE_SECRET} in this namespace, found none")
        if found:
            message = f"expected Secret {found[1]}, which a secretRef names, in this namespace, found none"
            return Trouble(Reason.SOURCE_ACCESS_DENIED, message)
    return None


_HINDRANCES: tuple[Callable[[Pod], Trouble | None], ...] = (
    _is_unschedulable,
    _lacks_image,
    _is_misconfigured,
    _lacks_secret,
)


def trouble_of_waiting(pod: Pod) -> Trouble | None:
    """Return what keeps a pod from starting, or None if nothing does."""
    return next(_findings(_HINDRANCES, pod), None)


def trouble_of_refused(job: Job) -> Trouble | None:
    """Return why a Job cannot make its pod, or None if it can."""
    if job.pods or not job.refusals:
        return None
    return refusal(job.refusals[0])


def refusal(message: str) -> Trouble:
    """Return the trouble that the API server's refusal of an object means."""
    reason = Reason.QUOTA_EXCEEDED if "quota" in message.lower() else Reason.POD_REFUSED
    return Trouble(reason, message)


def _findings(checks: Iterable[Callable[[Pod], Trouble | None]], pod: Pod) -> Iterator[Trouble]:
    return (finding for check in checks if (finding := check(pod)))
