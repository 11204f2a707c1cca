"""What has become of a Job, and whether to start one: results, a failure for good, a retry later, or still at it.

The pod is believed before the Job's condition, which comes about a second later.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from modelport.api.reasons import ADVICE, Reason
from modelport.api.spec import Conversion
from modelport.api.status import Failure
from modelport.jobs.results import StepResult
from modelport_operator.backoff import JOBS, MENDED
from modelport_operator.facts import Job, Pod, Termination
from modelport_operator.plan import troubles
from modelport_operator.plan.troubles import Trouble

IMAGE_PATIENCE = 30.0
"""How long the kubelet is left to try to pull an image by itself."""
LOOK_AGAIN = 15.0
"""Image pull and quota troubles send no event of a watched object."""
LOOK_AGAIN_SOON = 2.0
YOUNG = 20.0
_NEEDED = {
    "Import": (("keep", "source"),),
    "Convert": (("judge", "verification"), ("publish", "artifact")),
    "Verify": (("judge", "verification"), ("publish", "artifact")),
}
"""The facts that a stage's Job must leave, by container."""
TO_BE_MENDED = frozenset({Reason.SOURCE_NOT_FOUND, Reason.SOURCE_ACCESS_DENIED})
"""What a user mends outside of the resource, some time: an upload that comes late, a Secret."""
RETRIES_USED = "BackoffLimitExceeded"
"""Why a Job failed whose pods ended so often that it tries no more."""
VERIFYING = frozenset({"try", "judge"})
"""Containers of a Job that converts which verify."""


class Queued(NamedTuple):
    """What a Job waits for before it runs."""

    told: str
    in_line: bool = False
    """Whether that is room, and its turn to have it,"""
    behind: str = ""
    """or another resource, whose artifact it takes."""


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of a Job."""

    results: dict[str, StepResult] | None = None
    failure: Failure | None = None
    start: bool = False
    """Whether to create the Job now,"""
    ends: Job | None = None
    """after this one is gone (which goes in any case, as nothing can come of it),"""
    attempt: int = 1
    """as this attempt."""
    queued: Queued | None = None
    """What the Job waits for before it runs."""
    step: str = ""
    """The step that runs,"""
    progress: str = ""
    """and how far it says that it is."""
    look_again: float | None = None


class Memory(NamedTuple):
    """What the status remembers about this very work, and the time."""

    stage: str
    key: str
    failure: Failure | None
    now: float
    retries: int
    """How often a step that crashes is tried again."""
    queue: str = ""
    """Kueue's queue that the Job is to be in."""

    def failure_of(self, trouble: Trouble, *, attempts: int, retryable: bool | None = None) -> Failure:
        """Return the failure that `trouble` makes; a log tail that is gone by now is remembered."""
        stage = "Verify" if trouble.step in VERIFYING else self.stage
        failure = troubles.failure_of(trouble, stage=stage, key=self.key, attempts=attempts, retryable=retryable)
        if not failure.log_tail and self.failure and self.failure.reason == failure.reason:
            return msgspec.structs.replace(failure, log_tail=self.failure.log_tail)
        return failure


def remember(failures: Sequence[Failure], *, stage: str, key: str, now: float, conversion: Conversion) -> Memory:
    """Return the memory of the work with this key."""
    failure = next((each for each in failures if each.key == key), None)
    return Memory(stage, key, failure, now, conversion.retries, conversion.queue_name or "")


def state_of(job: Job | None, memory: Memory) -> JobState:
    """Return what has become of `job`, or that it is to be started."""
    if job is None:
        return _without_job(memory)
    results = next((found for pod in job.pods if pod.succeeded and (found := results_of(pod, memory.stage))), None)
    if results:
        return JobState(results=results, attempt=job.attempt)
    if job.suspended and not (job.failed or job.complete):
        return _suspended(job, memory)
    ended = _ended(job)
    if ended and _is_final(job, ended, memory):
        failure = memory.failure_of(ended, attempts=job.attempt)
        return JobState(failure=failure, attempt=job.attempt, ends=job if _dead_step(job) else None)
    if job.failed or job.complete or _dead_step(job):
        return _finished(job, ended, memory)
    return _active(job, ended, memory)


def results_of(pod: Pod, stage: str) -> dict[str, StepResult] | None:
    """Return the results of the steps of a pod, or None if a fact that the stage is for is missing.

    A result counts for the container that left it, whatever step it says it is: a step that runs foreign code must not
    speak for the one that judges it.
    """
    results = {each.name: result for each in pod.containers if (result := troubles.step_result(each))}
    for step, fact in _NEEDED[stage]:
        if step not in results or getattr(results[step], fact) is None:
            return None
    return results


def _without_job(memory: Memory) -> JobState:
    before = memory.failure
    if before and not before.retryable:
        return JobState(failure=before)
    return JobState(start=True, failure=before, attempt=before.attempts + 1 if before else 1)


def _suspended(job: Job, memory: Memory) -> JobState:
    """Leave a Job to who suspended it, which no time limits; only one in another queue than asked for is made anew."""
    failure = memory.failure if job.attempt > 1 else None
    if job.queue != memory.queue:
        return JobState(start=True, ends=job, failure=failure, attempt=job.attempt)
    return JobState(queued=until_resumed(job.name, job.queue), failure=failure, attempt=job.attempt)


def until_resumed(name: str, queue: str) -> Queued:
    """Return that a Job waits for who suspended it."""
    until = f"Kueue admits it from queue {queue}" if queue else "somebody sets its spec.suspend to false"
    return Queued(f"Job {name} is suspended until {until}")


def _ended(job: Job) -> Trouble | None:
    """Return why the newest pod failed; one that was stopped with its Job, or by hand, did not."""
    pod = job.pods[0] if job.pods else None
    if pod is None or (not job.failed and _was_stopped(pod)):
        return None
    return troubles.trouble_of_unread(pod) if pod.succeeded else troubles.trouble_of_ended(pod)


def _was_stopped(pod: Pod) -> bool:
    result = troubles.step_result(pod.culprit) if pod.culprit else None
    return pod.deleting and not pod.disrupted and not (result and result.failure)


def _is_final(job: Job, ended: Trouble, memory: Memory) -> bool:
    """Whether nothing comes of trying again; a crash may have been chance, as often as the spec says."""
    if ended.reason != Reason.CONVERTER_CRASHED:
        return not ADVICE[ended.reason].retryable
    over = job.complete or bool(job.failed) or _dead_step(job) is not None
    return job.failed == RETRIES_USED or (over and job.attempt > memory.retries)


def _dead_step(job: Job) -> Termination | None:
    """Return how a step ended that left no result while its pod still runs: nothing can come of that pod any more.

    Mostly the steps after it end as soon as they see it. But to them a step that was killed before it took its lock is
    one that has not begun, and they would wait for it until the deadline.
    """
    pod = job.pods[0] if job.pods else None
    if pod is None or pod.phase != "Running" or pod.deleting or pod.culprit is None:
        return None
    return None if troubles.step_result(pod.culprit) else pod.culprit.ending


def _finished(job: Job, ended: Trouble | None, memory: Memory) -> JobState:
    """Make a Job that ended without results anew, after a time that grows."""
    wait = 0.0
    if ended or job.attempt > 1:
        dead = _dead_step(job)
        end = job.finished or (dead.finished if dead else None) or job.created
        wait = end + _pause(job, ended, memory) - memory.now
    failure = memory.failure_of(ended, attempts=job.attempt, retryable=True) if ended else memory.failure
    if wait > 0:
        return JobState(failure=failure, attempt=job.attempt, look_again=wait)
    return JobState(start=True, ends=job, failure=failure, attempt=job.attempt + 1)


def _has_waited_for_image(job: Job, pod: Pod, trouble: Trouble, memory: Memory) -> bool:
    """Whether the kubelet has tried for long: since the pod has a node, and not while it waited for one."""
    return memory.now - (pod.scheduled or pod.created) >= max(IMAGE_PATIENCE, _pause(job, trouble, memory))


def _pause(job: Job, trouble: Trouble | None, memory: Memory) -> float:
    backoff = MENDED if trouble and trouble.reason in TO_BE_MENDED else JOBS
    return backoff.pause(job.attempt, key=memory.key)


def _active(job: Job, ended: Trouble | None, memory: Memory) -> JobState:
    pod = next((pod for pod in job.pods if pod.phase in {"Pending", "Running"}), None)
    trouble = (troubles.trouble_of_waiting(pod) if pod else troubles.trouble_of_refused(job)) or ended
    failure = memory.failure_of(trouble, attempts=job.attempt, retryable=True) if trouble else None
    lacks_image = trouble is not None and trouble.reason == Reason.IMAGE_PULL_FAILED
    if pod and trouble and lacks_image and _has_waited_for_image(job, pod, trouble, memory):
        # its template cannot change, and the catalogue may name another image by now
        return JobState(start=True, ends=job, failure=failure, attempt=job.attempt + 1)
    if failure is None and job.attempt > 1:
        failure = memory.failure
    starting = pod is None or pod.phase == "Pending"
    young = memory.now - (pod.created if pod else job.created) < YOUNG
    return JobState(
        failure=failure,
        attempt=job.attempt,
        step=pod.running_step if pod and pod.phase == "Running" else "",
        progress=pod.progress if pod else "",
        look_again=LOOK_AGAIN_SOON if starting and young else LOOK_AGAIN,
    )
