"""What an edit would do: what the operator's plan foresees with it, beside what it foresees without it."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from modelport.api.base import GROUP
from modelport.api.resource import ModelConversion
from modelport_cli.errors import CommandError
from modelport_cli.previews.foreseeing import Foreseen, ForeseenJob, foresee
from modelport_cli.views.stages import is_ready
from modelport_operator.facts import Observed
from modelport_operator.plan.progress import Stage
from modelport_operator.plan.rollout import Rollout
from modelport_operator.platforms import Platform
from modelport_operator.reading import stage_of


class Act(StrEnum):
    """Something that an edit makes the operator do, in the order in which it is told."""

    SUSPEND = "Suspend"
    ABANDON = "Abandon"
    IMPORT = "Import"
    CONVERT = "Convert"
    VERIFY = "Verify"
    REUSE = "Reuse"
    JUDGE = "Judge"
    REFUSE = "Refuse"
    SERVE = "Serve"
    ROLL_OUT = "RollOut"
    SCALE = "Scale"
    APPLY = "Apply"
    UNSERVE = "Unserve"


class Change(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One thing that would be done."""

    act: Act
    detail: str
    path: list[str] = []
    """Formats on the way, of Convert."""
    if_bytes_differ: bool = False
    """Whether it is done only if an Import finds other bytes than the last one."""


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an edit comes to."""

    namespace: str
    name: str
    fields: list[str]
    """Paths of the fields of the spec that differ."""
    changes: list[Change]


_STARTED = {Stage.IMPORT: Act.IMPORT, Stage.CONVERT: Act.CONVERT, Stage.VERIFY: Act.VERIFY}


class Edit(NamedTuple):
    """A resource without and with an edit, and what is observed."""

    live: ModelConversion | None
    edited: ModelConversion
    observed: Observed
    platform: Platform

    @property
    def is_served(self) -> bool:
        """Whether something is served now."""
        return self.live is not None and (self.observed.deployment is not None or self.live.status.serving is not None)


def compare(edit: Edit) -> Difference:
    """Return what becomes of the live resource by the edit; all of it where there is none yet.

    Raises CommandError where the platform cannot be the one of the operator.
    """
    live, edited = edit.live, edit.edited
    before = foresee(live, edit.observed, edit.platform) if live else None
    if live and before:
        _check_platform(live, before)
    # what is imported anew may be what it was
    known = live.status.source.digests if live and live.status.source else {}
    same, other = (foresee(edited, edit.observed, edit.platform, bytes_of=found) for found in (known, {}))
    changes = list(_changes(edit, before, same))
    told = {(each.act, each.detail) for each in changes}
    changes += [
        msgspec.structs.replace(each, if_bytes_differ=True)
        for each in _changes(edit, before, other)
        if (each.act, each.detail) not in told
    ]
    order = list(Act)
    return Difference(
        namespace=edited.metadata.namespace,
        name=edited.metadata.name,
        fields=list(_fields(live, edited)) if live else [],
        changes=sorted(changes, key=lambda change: order.index(change.act)),
    )


def _check_platform(live: ModelConversion, before: Foreseen) -> None:
    if is_ready(live) and before.jobs:
        stage = before.jobs[0].work.stage
        message = f"expected the settings of the operator, found others: by these, {stage} would run without any edit"
        raise CommandError(message, "Give the values of the chart that it was installed with: --values FILE.")


def _changes(edit: Edit, before: Foreseen | None, after: Foreseen) -> Iterator[Change]:
    if edit.edited.spec.suspend:
        if edit.live is None or not edit.live.spec.suspend:
            yield Change(act=Act.SUSPEND, detail="nothing new starts; what serves goes on")
        return
    yield from _jobs(edit, before, after)
    yield from _evidence(edit, before, after)
    yield from _refusal(before, after)
    yield from _unscaled(before, after)
    yield from _serving(edit, before, after)


def _jobs(edit: Edit, before: Foreseen | None, after: Foreseen) -> Iterator[Change]:
    """Yield the Jobs that are wanted with the edit alone, and those that run and are wanted no more."""
    wanted = {job.work.key for job in after.jobs}
    had = {job.work.key: job for job in before.jobs} if before else {}
    if not after.plan.progress.is_about_spec:  # else an edit that is taken back finds the work where it was
        for key, job in had.items():
            if key not in wanted and edit.observed.job(job.work.name):
                yield Change(act=Act.ABANDON, detail=f"the {job.work.stage} Job that is there is ended")
    for job in after.jobs:
        if job.work.key not in had:
            yield Change(act=_STARTED[job.work.stage], detail=_told_of(job), path=list(job.path))
    if after.unknown:
        target = edit.edited.spec.target.format
        yield Change(act=Act.CONVERT, detail=f"to {target}, from the format that Import finds", path=[target])


def _told_of(job: ForeseenJob) -> str:
    if job.work.stage == Stage.CONVERT:
        return " → ".join(job.path)
    if job.work.stage == Stage.VERIFY:
        return "the stored artifact is asked once more"
    return "the source is fetched, looked at and kept"


def _evidence(edit: Edit, before: Foreseen | None, after: Foreseen) -> Iterator[Change]:
    """Yield what is taken or judged without a Job."""
    new, stages = after.plan.progress, {job.work.stage for job in after.jobs}
    old, own = before.plan.progress if before else None, edit.live.status.artifact if edit.live else None
    if new.artifact and new.artifact.reused and (own is None or own.key != new.artifact.key):
        yield Change(act=Act.REUSE, detail=f"the artifact of another resource: {new.artifact.digest}")
    if stages & {Stage.CONVERT, Stage.VERIFY} or not (old and old.verification and new.verification):
        return
    if new.verified and new.verification.judged != old.verification.judged:
        how = "they satisfy the tolerances" if new.verification.judged else "they are only reported"
        yield Change(act=Act.JUDGE, detail=f"the stored errors are judged anew: {how}")


def _refusal(before: Foreseen | None, after: Foreseen) -> Iterator[Change]:
    """Yield why nothing goes on, where that is so by the edit."""
    new, old = after.plan.progress.failure, before.plan.progress.failure if before else None
    if new is None or new.retryable or (old and (old.reason, old.message) == (new.reason, new.message)):
        return
    yield Change(act=Act.REFUSE, detail=f"{new.reason}: {new.message} {new.hint}")


def _unscaled(before: Foreseen | None, after: Foreseen) -> Iterator[Change]:
    """Yield what keeps load from saying how many pods there are, where that is so by the edit."""
    new, old = after.plan.autoscaled, before.plan.autoscaled if before else None
    if new and new.holds is False and new != old:
        yield Change(act=Act.REFUSE, detail=f"{new.reason}: {new.message}")


def _serving(edit: Edit, before: Foreseen | None, after: Foreseen) -> Iterator[Change]:
    name = edit.edited.metadata.name
    if edit.edited.spec.serving is None:
        if edit.is_served:
            yield Change(act=Act.UNSERVE, detail=f"Deployment {name} and what belongs to it are deleted")
        return
    wanted, new = after.plan.rollout, _served(after)
    if not (wanted or after.unknown):
        return
    had = before.plan.rollout if before and edit.live and not edit.live.spec.suspend else None
    if not edit.is_served and had is None:
        yield Change(act=Act.SERVE, detail=", ".join(new) or f"Deployment {name}")
        return
    if edit.is_served and (wanted is None or _differs(edit, had, wanted)):
        yield Change(act=Act.ROLL_OUT, detail="new pods come; the old ones answer until they do")
    old = _served(before)
    for each, body in new.items() if old else ():
        if _beside_pods(body) != _beside_pods(old.get(each)):
            yield Change(act=Act.APPLY, detail=f"{each} is {'changed' if each in old else 'made'}")
    for each in old.keys() - new.keys() if new else ():
        yield Change(act=Act.APPLY, detail=f"{each} is deleted")
    yield from _scale(edit, before, after)


def _beside_pods(body: dict[str, Any] | None) -> object:
    """Return what an edit may change without a rollout or a scaling: of a Deployment, how pods take turns."""
    return body["spec"]["strategy"] if body and body["kind"] == "Deployment" else body


def _scale(edit: Edit, before: Foreseen | None, after: Foreseen) -> Iterator[Change]:
    live, new = edit.observed.deployment, after.plan.replicas
    old = before.plan.replicas if before else None
    if old is None and before and live:  # an autoscaler's choice until now
        old = live.wanted
    if old is not None and new is not None and old != new:
        yield Change(act=Act.SCALE, detail=f"{old} → {new} pods")


def _differs(edit: Edit, had: Rollout | None, wanted: Rollout) -> bool:
    """Whether other pods are wanted than without the edit, or, where nothing was going to be, than are there."""
    if had:
        return msgspec.structs.replace(had, storage=wanted.storage) != wanted  # which no pod is changed for
    if edit.observed.deployment:
        return edit.observed.deployment.serving_key != wanted.key
    served = edit.live.status.serving if edit.live else None
    return served is None or (served.artifact_digest, served.image) != (wanted.digest, wanted.image)


def _served(foreseen: Foreseen | None) -> dict[str, dict[str, Any]]:
    """Return the objects that serve, by kind and name."""
    bodies = [create.body for create in foreseen.plan.create] if foreseen else []
    return {f"{body['kind']} {body['metadata']['name']}": body for body in bodies if stage_of(body) == "serve"}


def _fields(live: ModelConversion, edited: ModelConversion) -> Iterator[str]:
    """Yield the paths of the fields and annotations that differ, of those that mean something to the operator."""
    yield from _paths(msgspec.to_builtins(live.spec), msgspec.to_builtins(edited.spec), "spec")
    before, after = live.metadata.annotations, edited.metadata.annotations
    for name in {**before, **after}:
        if name.startswith(f"{GROUP}/") and before.get(name) != after.get(name):
            yield f"metadata.annotations.{name}"


def _paths(before: object, after: object, path: str) -> Iterator[str]:
    if before == after:
        return
    old, new = ({} if each is None else each for each in (before, after))  # defaults are left out
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)) or not {**old, **new}:
        yield path
        return
    for name in {**old, **new}:
        yield from _paths(old.get(name), new.get(name), f"{path}.{name}")
