"""From how far a resource has come to what is to be created, applied and deleted."""

from typing import Any

import msgspec

from modelport.api.reasons import Reason
from modelport.api.resource import ModelConversion
from modelport.api.status import Failure
from modelport.encoding import key_of
from modelport_operator.facts import Deployment, Observed
from modelport_operator.plan.bodies import children
from modelport_operator.plan.bodies.comparison import contains
from modelport_operator.plan.job_states import LOOK_AGAIN, JobState
from modelport_operator.plan.progress import Case, Progress, Stage, Work
from modelport_operator.plan.reverifying import reverify
from modelport_operator.plan.rollout import Rollout, answers, is_applied, trouble_of_rollout, wanted_rollout
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
    """What `spec.replicas` of the Deployment is to be."""
    look_again: float | None = None
    waits_for: tuple[str, ...] = ()
    """Objects that have the names of those to be created, and are about to go."""
    trouble: Trouble | None = None
    """What keeps pods from answering that the Deployment has beside those that do."""


def make_plan(resource: ModelConversion, observed: Observed, platform: Platform) -> Plan:
    """Return what is to be done about `resource`."""
    case = Case(resource, observed, platform)
    progress = _progress(case)
    if observed.foreign and resource.spec.serving:
        # what is known stays known; nothing new is begun that nothing could serve
        progress = msgspec.structs.replace(progress, stage=Stage.SERVE, failure=_conflict(observed))
        return Plan(progress=progress, look_again=CONFLICT_LOOK_AGAIN)
    rollout, trouble = wanted_rollout(case, progress), None
    if rollout and observed.deployment and not observed.deployment.rolled_out:
        trouble = trouble_of_rollout(rollout, observed.deployment)
        if trouble and not answers(rollout, observed.deployment):
            failure = failure_of(trouble, stage=Stage.SERVE, key=rollout.key)
            progress = msgspec.structs.replace(progress, stage=Stage.SERVE, failure=failure)
    if resource.spec.suspend:
        look_again = _look_again(progress, rollout, observed)
        return Plan(progress=progress, rollout=rollout, trouble=trouble, look_again=look_again)
    create = (*_wanted_jobs(case, progress), *_wanted_serving(case, rollout))
    return Plan(
        progress=progress,
        rollout=rollout,
        delete=(
            *_superseded_jobs(progress, observed),
            *_spent_jobs(case, progress),
            *_unwanted_serving(resource, observed),
        ),
        create=tuple(each for each in create if each.name not in observed.leaving),
        apply=tuple(_changes(case, progress, rollout)),
        replicas=resource.spec.serving.replicas if resource.spec.serving else None,
        look_again=_look_again(progress, rollout, observed),
        waits_for=tuple(each.name for each in create if each.name in observed.leaving),
        trouble=trouble,
    )


def _progress(case: Case) -> Progress:
    return reverify(case, advance(case))


def _conflict(observed: Observed) -> Failure:
    taken = " and ".join(observed.foreign)
    message = f"expected {taken} to be free or owned by this ModelConversion; found one that is not"
    return failure_of(Trouble(Reason.NAME_CONFLICT, message), stage=Stage.SERVE, key=key_of(list(observed.foreign)))


def _superseded_jobs(progress: Progress, observed: Observed) -> list[Child]:
    if progress.is_about_spec:
        return []  # an edit that is taken back must find the work where it was
    idle = progress.work.name if progress.work and progress.job_state and progress.job_state.is_idle else None
    unwanted = (
        job for job in observed.jobs if (job.name not in progress.current or job.name == idle) and not job.deleting
    )
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


def _unwanted_serving(resource: ModelConversion, observed: Observed) -> list[Child]:
    if resource.spec.serving:
        return []
    name = resource.metadata.name
    live = (("Deployment", observed.deployment), ("Service", observed.service))
    return [Child(kind=kind, name=name, uid=found.uid) for kind, found in live if found]


def _wanted_jobs(case: Case, progress: Progress) -> list[Create]:
    own = [(progress.work, progress.job_state)] if progress.work and progress.job_state else []
    beside = [progress.renewal] if progress.renewal else []
    return [_job(case, work, state) for work, state in (*own, *beside) if state.start]


def _job(case: Case, work: Work, state: JobState) -> Create:
    old = state.replaces
    body = children.job(work, case.resource, case.platform, attempt=state.attempt)
    return Create(body=body, replaces=Child(kind="Job", name=old.name, uid=old.uid) if old else None)


def _wanted_serving(case: Case, rollout: Rollout | None) -> list[Create]:
    live, created = case.observed.deployment, []
    if rollout and live is None:
        created.append(Create(body=children.deployment(rollout, case.resource, case.platform)))
    # the artifact before this one must be reached, too
    if (rollout or live) and case.resource.spec.serving and case.observed.service is None:
        created.append(Create(body=children.service(case.resource)))
    return created


def _changes(case: Case, progress: Progress, rollout: Rollout | None) -> list[Apply]:
    changes = []
    live = case.observed.deployment
    if rollout and live and (not is_applied(rollout, live) or _lacks_pull_secret(case, progress, live)):
        body = children.deployment(rollout, case.resource, case.platform)
        changes.append(Apply(body=body, uid=live.uid, owns_by_update=live.owns_by_update))
    found = case.observed.service
    if found and case.resource.spec.serving:
        body = children.service(case.resource)
        if not contains(found.body, body):
            changes.append(Apply(body=body, uid=found.uid, owns_by_update=found.owns_by_update))
    return changes


def _lacks_pull_secret(case: Case, progress: Progress, live: Deployment) -> bool:
    """Whether pods that cannot pull their image were made before the operator was told of a Secret to pull it with."""
    failure = progress.failure
    stuck = failure is not None and (failure.stage, failure.reason) == (Stage.SERVE, Reason.IMAGE_PULL_FAILED)
    return stuck and not set(case.platform.pull_secrets) <= set(live.pull_secrets)


def _look_again(progress: Progress, rollout: Rollout | None, observed: Observed) -> float | None:
    if progress.job_state:
        return progress.job_state.look_again
    rolling = rollout and not (observed.deployment and observed.deployment.rolled_out)
    if rolling:
        return LOOK_AGAIN
    if progress.renewal:
        return progress.renewal.job_state.look_again
    return REVERIFY_LOOK_AGAIN if progress.waits_to_reverify else None
