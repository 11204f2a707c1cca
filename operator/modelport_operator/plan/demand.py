"""What a resource asks of what it shares with others: room for its Job, or the artifact that another one is making.

At most one Job of a resource runs at a time, so its room is the resource's: what follows at once on a Job has its room.
"""

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from modelport.jobs.requests import ConvertRequest
from modelport_operator.facts import Job, Turn
from modelport_operator.plan.job_states import JobState, Queued, until_resumed
from modelport_operator.plan.progress import Case, Progress, Stage, Work


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What a resource asks for."""

    runs: bool = False
    """Whether a Job of its own runs, or is about to,"""
    waits: bool = False
    """or waits for room."""
    makes: str = ""
    """The key of the artifact that will come of it,"""
    queue: str = ""
    """once Kueue has admitted it from this queue."""
    behind: str = ""
    """The resource whose artifact it waits for instead."""


class Jobs(NamedTuple):
    """What a plan does about Jobs."""

    created: Collection[str] = ()
    """By name,"""
    deleted: Collection[str] = ()
    """and by uid."""


def in_turn(case: Case, work: Work, state: JobState) -> JobState:
    """Leave a Job that is to begin until its turn, and what another resource is about to convert to that one.

    What Kueue admits needs no room before: it is created suspended, and Kueue must see it to decide.
    """
    if not state.start or case.resource.spec.suspend:
        return state
    maker = case.observed.makers.get(_artifact_of(work))
    if maker:
        told = f"behind ModelConversion {maker}, which converts the same model; its artifact is taken once it is stored"
        return _left(state, Queued(told, behind=maker))
    turn, queue = case.observed.turn, case.conversion.queue_name
    if queue:
        return msgspec.structs.replace(state, queued=until_resumed(work.name, queue))
    if turn.may_begin:
        return state
    return _left(state, Queued(_told_of(turn), in_line=True), look_again=turn.look_again)


def demand_of(case: Case, progress: Progress, jobs: Jobs) -> Demand:
    """Return what the resource asks for, once its plan is carried out."""
    live = [job for job in case.observed.jobs if job.uid not in jobs.deleted]
    work, state, admitted = progress.work, progress.job_state, not case.conversion.queue_name
    runs = any(job.runs for job in live) or (admitted and bool(jobs.created))
    if work is None or state is None or case.resource.spec.suspend:
        return Demand(runs=runs)
    queued = state.queued or Queued("")
    own = next((job for job in live if job.name == work.name), None)
    is_new = work.name in jobs.created
    makes = is_new or queued.in_line or (own is not None and _comes_to_something(own, state))
    held = case.conversion.queue_name if is_new else own.queue if own and own.suspended else ""
    return Demand(
        runs=runs,
        waits=queued.in_line,
        makes=_artifact_of(work) if makes else "",
        queue=held or "",
        behind=queued.behind,
    )


def _comes_to_something(job: Job, state: JobState) -> bool:
    """Whether others may count on a Job; not on one in trouble, or that somebody holds back by hand, maybe for ever."""
    in_trouble = state.failure is not None and state.failure.attempts >= job.attempt
    return not in_trouble and (job.runs or (job.suspended and bool(job.queue)))


def _artifact_of(work: Work) -> str:
    request = work.request
    return request.artifact_key if work.stage == Stage.CONVERT and isinstance(request, ConvertRequest) else ""


def _left(state: JobState, queued: Queued, look_again: float | None = None) -> JobState:
    return msgspec.structs.replace(state, start=False, ends=None, queued=queued, look_again=look_again)


def _told_of(turn: Turn) -> str:
    where = "this namespace" if turn.of_namespace else "the cluster"
    return f"place {turn.place} of {turn.waiting}; {turn.running} of {turn.limit} Jobs of {where} run"
