"""From how far a resource has come to what is to be created, applied and deleted."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from modelport.api.reasons import Reason
from modelport.api.resource import ModelConversion
from modelport.api.status import Failure
from modelport.encoding import key_of
from modelport_operator.facts import Observed
from modelport_operator.plan.bodies.jobs import job
from modelport_operator.plan.demand import Demand, Jobs, demand_of
from modelport_operator.plan.isolation import policies_of_jobs
from modelport_operator.plan.job_states import LOOK_AGAIN, JobState
from modelport_operator.plan.progress import Case, Progress, Stage, Work
from modelport_operator.plan.reverifying import reverify
from modelport_operator.plan.rollout import Rollout, answers, trouble_of_rollout, wanted_rollout
from modelport_operator.plan.serving.scaled import Autoscaled, autoscaled
from modelport_operator.plan.serving.served import Served
from modelport_operator.plan.serving.wanted import Difference, differences, taken_names, wanted_replicas
from modelport_operator.plan.stages import advance
from modelport_operator.plan.troubles import Trouble, failure_of
from modelport_operator.platforms import Platform

CONFLICT_LOOK_AGAIN = 60.0
REVERIFY_LOOK_AGAIN = 120.0
"""Of those that wait for others; there may be a thousand."""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """A child to delete; the uid keeps a successor with the same name alive."""

    kind: str
    name: str
    uid: str


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """A child to create, after the one in its way is gone."""

    body: dict[str, Any]
    replaces: Child | None = None

    @property
    def name(self) -> str:
        """Kind and name, such as 'Service web'."""
        return f"{self.body['kind']} {self.body['metadata']['name']}"


class Apply(msgspec.Struct, frozen=True, kw_only=True):
    """A child of ours to change."""

    body: dict[str, Any]
    uid: str
    owns_by_update: bool


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, and what it follows from."""

    progress: Progress
    rollout: Rollout | None = None
    """What the Deployment is to serve, where the verified artifact is there."""
    delete: tuple[Child, ...] = ()
    create: tuple[Create, ...] = ()
    apply: tuple[Apply, ...] = ()
    replicas: int | None = None
    """What `spec.replicas` of the Deployment is to be; None: that is not the operator's to say."""
    autoscaled: Autoscaled | None = None
    """What the autoscaler says, where one is asked for."""
    look_again: float | None = None
    waits_for: tuple[str, ...] = ()
    """Objects that have the names of those to be created, and are about to go."""
    trouble: Trouble | None = None
    """What keeps pods from answering that the Deployment has beside those that do."""
    handled_retry: str = ""
    """The value of the retry annotation that this acts on."""
    demand: Demand = Demand()
    """What is asked of what resources share."""


def make_plan(resource: ModelConversion, observed: Observed, platform: Platform) -> Plan:
    """Return what is to be done about `resource`."""
    case = Case(resource, observed, platform)
    progress = _progress(case)
    serving = resource.spec.serving
    if serving and (taken := taken_names(Served(resource, serving, platform, None, None), observed)):
        # what is known stays known; nothing new is begun that nothing could serve
        progress = msgspec.structs.replace(progress, stage=Stage.SERVE, failure=_conflict(taken))
        demand = Demand(runs=any(job.runs for job in observed.jobs))
        return Plan(progress=progress, look_again=CONFLICT_LOOK_AGAIN, demand=demand)
    rollout = wanted_rollout(case, progress)
    served = Served(resource, serving, platform, rollout, observed.deployment) if serving else None
    scaled, trouble = autoscaled(served, observed) if served else None, _trouble(rollout, observed)
    if failure := _failure(served, trouble, scaled):
        progress = msgspec.structs.replace(progress, stage=Stage.SERVE, failure=failure)
    plan = Plan(
        progress=progress,
        rollout=rollout,
        autoscaled=scaled,
        look_again=_look_again(progress, rollout, observed),
        trouble=trouble,
        handled_retry=_handled_retry(case, progress),
    )
    if resource.spec.suspend:
        return msgspec.structs.replace(plan, demand=demand_of(case, progress, Jobs()))
    ended = (*_superseded_jobs(progress, observed), *_spent_jobs(case, progress))
    changed, jobs = tuple(differences(resource.metadata.name, served, observed)), _wanted_jobs(case, progress)
    policies = tuple(policies_of_jobs(case, (each.body for each in jobs)))
    before = tuple(_created(policies))
    begun = () if any(each.name in observed.leaving for each in before) else jobs
    wanted = (*before, *begun, *_created(changed))
    create = tuple(each for each in wanted if each.name not in observed.leaving)
    waits_for = tuple(each.name for each in wanted if each.name in observed.leaving)
    unwanted = (
        Child(kind=each.kind, name=each.name, uid=each.live.uid)
        for each in (*policies, *changed)
        if each.live and each.body is None
    )
    return msgspec.structs.replace(
        plan,
        delete=(*ended, *unwanted),
        create=create,
        apply=tuple(_applied((*policies, *changed))),
        replicas=wanted_replicas(served) if served else None,
        waits_for=waits_for,
        look_again=LOOK_AGAIN if waits_for and plan.look_again is None else plan.look_again,
        demand=demand_of(case, progress, _told_of(create, ended)),
    )


def _created(changed: Iterable[Difference]) -> Iterator[Create]:
    return (Create(body=each.body) for each in changed if each.body and each.live is None)


def _applied(changed: Iterable[Difference]) -> Iterator[Apply]:
    for each in changed:
        if each.body and each.live:
            yield Apply(body=each.body, uid=each.live.uid, owns_by_update=each.live.owns_by_update)


def _trouble(rollout: Rollout | None, observed: Observed) -> Trouble | None:
    live = observed.deployment
    return trouble_of_rollout(rollout, live) if rollout and live and not live.rolled_out else None


def _failure(served: Served | None, trouble: Trouble | None, scaled: Autoscaled | None) -> Failure | None:
    """Return why nothing answers that should, or nothing would, however much is asked."""
    if served is None or served.rollout is None:
        return None
    live, key = served.deployment, served.rollout.key
    if trouble and not answers(served.rollout, live):
        return failure_of(trouble, stage=Stage.SERVE, key=key)
    is_at_zero = served.serving.least_replicas == 0 and (live is None or live.wanted == 0)
    if is_at_zero and scaled and scaled.holds is False:
        return failure_of(Trouble(Reason(scaled.reason), scaled.message), stage=Stage.SERVE, key=key)
    return None


def _told_of(created: Iterable[Create], deleted: Iterable[Child]) -> Jobs:
    replaced = [create.replaces.uid for create in created if create.replaces]
    names = [create.body["metadata"]["name"] for create in created if create.body["kind"] == "Job"]
    return Jobs(created=names, deleted=[*replaced, *(child.uid for child in deleted)])


def _progress(case: Case) -> Progress:
    return reverify(case, advance(case))


def _handled_retry(case: Case, progress: Progress) -> str:
    """Return the value that asks for another attempt, once that begins: until its turn it is asked for still."""
    state = progress.job_state
    return "" if state and state.queued and state.queued.is_held_back else case.asked_retry


def _conflict(taken: list[str]) -> Failure:
    message = f"expected {' and '.join(taken)} to be free or owned by this ModelConversion; found one that is not"
    return failure_of(Trouble(Reason.NAME_CONFLICT, message), stage=Stage.SERVE, key=key_of(taken))


def _superseded_jobs(progress: Progress, observed: Observed) -> list[Child]:
    if progress.is_about_spec:
        return []  # an edit that is taken back must find the work where it was
    unwanted = [job for job in observed.jobs if job.name not in progress.current and not job.deleting]
    state = progress.job_state
    if state and state.ends and not (state.start or state.ends.deleting):
        unwanted.append(state.ends)
    return [Child(kind="Job", name=job.name, uid=job.uid) for job in unwanted]


def _spent_jobs(case: Case, progress: Progress) -> list[Child]:
    """Return the Jobs that ended long ago and tell nothing that the status does not know: all is decided without them."""
    observed, ttl = case.observed, case.platform.job_ttl
    old = [job for job in observed.jobs if job.finished and observed.now - job.finished >= ttl and not job.deleting]
    kept = [job for job in old if job.name in progress.current]
    without = msgspec.structs.replace(observed, jobs=tuple(job for job in observed.jobs if job not in kept))
    if not kept or _progress(case._replace(observed=without)) != progress:
        return []
    return [Child(kind="Job", name=job.name, uid=job.uid) for job in kept]


def _wanted_jobs(case: Case, progress: Progress) -> list[Create]:
    own = [(progress.work, progress.job_state)] if progress.work and progress.job_state else []
    beside = [progress.renewal] if progress.renewal else []
    return [_job(case, work, state) for work, state in (*own, *beside) if state.start]


def _job(case: Case, work: Work, state: JobState) -> Create:
    old = state.ends
    body = job(work, case.resource, case.platform, attempt=state.attempt)
    return Create(body=body, replaces=Child(kind="Job", name=old.name, uid=old.uid) if old else None)


def _look_again(progress: Progress, rollout: Rollout | None, observed: Observed) -> float | None:
    if progress.job_state:
        return progress.job_state.look_again
    rolling = rollout and not (observed.deployment and observed.deployment.rolled_out)
    if rolling:
        return LOOK_AGAIN
    if progress.renewal:
        return progress.renewal.job_state.look_again
    return REVERIFY_LOOK_AGAIN if progress.waits_to_reverify else None
