"""Carry out a plan: the only writes to children.

Create first: an object in the way that is not ours is never touched. An apply carries the uid, so that it neither makes
an object nor takes one over. Replicas have a manager of their own, because an autoscaler may have them instead; what
created the Deployment gives them up before it applies.
"""

from http import HTTPStatus
from typing import NamedTuple

import msgspec

from modelport.api.reasons import Reason
from modelport.api.resource import ModelConversion
from modelport.api.status import Failure
from modelport.encoding import key_of
from modelport_operator import facts, names, reading
from modelport_operator.kube.api import Api
from modelport_operator.kube.client import Object
from modelport_operator.kube.errors import AlreadyExistsError, ConflictError, NotFoundError, RefusedError
from modelport_operator.plan import Apply, Child, Create, Plan
from modelport_operator.plan.progress import Stage
from modelport_operator.plan.troubles import Trouble, failure_of, refusal


class Outcome(NamedTuple):
    """What came of a plan."""

    deployment: facts.Deployment | None
    refused: Failure | None = None


class NameTaken(Exception):  # noqa: N818 - says what happened, as the errors of kube do
    """A foreign object has a child's name."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"expected {kind} {name} to be free or owned by this ModelConversion; found one that is not")


class Carrier(NamedTuple):
    """Writes children."""

    kube: Api

    async def carry_out(self, plan: Plan, resource: ModelConversion, observed: facts.Observed) -> Outcome:
        """Do what the plan says; what the API server refuses is told, and tried again later."""
        live = observed.deployment
        try:
            for child in plan.delete:
                await self._delete(resource, child)
                live = None if child.kind == "Deployment" else live
            for create in plan.create:
                live = _deployment(await self._create(resource, create), live)
            for apply in plan.apply:
                live = _deployment(await self._apply(resource, apply), live)
            if live and plan.replicas is not None and live.wanted != plan.replicas and not resource.spec.suspend:
                live = _deployment(await self._scale(resource, live, plan.replicas), live)
        except NameTaken as error:
            return Outcome(live, _refused(plan, Trouble(Reason.NAME_CONFLICT, str(error))))
        except RefusedError as error:
            return Outcome(live, _refused(plan, refusal(error.message)))
        return Outcome(live)

    async def _delete(self, resource: ModelConversion, child: Child) -> None:
        try:
            await self.kube.delete(child.kind, resource.metadata.namespace, child.name, uid=child.uid)
        except (NotFoundError, ConflictError):
            return  # gone already, or another object by now

    async def _create(self, resource: ModelConversion, create: Create) -> Object:
        if create.replaces:
            await self._delete(resource, create.replaces)
        kind, name = create.body["kind"], create.body["metadata"]["name"]
        namespace = resource.metadata.namespace
        try:
            return await self.kube.create(kind, namespace, create.body, manager=names.MANAGER)
        except AlreadyExistsError as error:
            found = await self.kube.get(kind, namespace, name)
            if reading.is_controlled_by(found, resource.metadata.uid):
                return found
            if reading.is_leaving(found, resource.metadata):
                raise ConflictError(f"{kind} {name} is about to go") from error
            raise NameTaken(kind, name) from error

    async def _apply(self, resource: ModelConversion, apply: Apply) -> Object:
        kind, name = apply.body["kind"], apply.body["metadata"]["name"]
        namespace = resource.metadata.namespace
        if apply.owns_by_update:
            await self._own_by_apply(kind, namespace, name, apply.uid)
        body = apply.body | {"metadata": apply.body["metadata"] | {"uid": apply.uid}}
        return await self.kube.apply(kind, namespace, body, manager=names.MANAGER)

    async def _own_by_apply(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Make what was posted ours as if applied: otherwise fields that are left out later would stay for ever.

        But for replicas, which are posted and never applied: that an apply leaves them out would set them to 1.
        """
        live = await self.kube.get(kind, namespace, name)
        for index, entry in enumerate(live["metadata"].get("managedFields", [])):
            if entry["manager"] == names.MANAGER and entry["operation"] == "Update" and "subresource" not in entry:
                path = f"/metadata/managedFields/{index}/operation"
                operations = [
                    {"op": "test", "path": "/metadata/uid", "value": uid},
                    {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
                    {"op": "replace", "path": path, "value": "Apply"},
                ]
                if "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {}):
                    path = f"/metadata/managedFields/{index}/fieldsV1/f:spec/f:replicas"
                    operations.append({"op": "remove", "path": path})
                try:
                    await self.kube.patch(kind, namespace, name, operations)
                except RefusedError as error:
                    if error.status != HTTPStatus.UNPROCESSABLE_ENTITY:  # which is said of a `test` that does not hold
                        raise
                    raise ConflictError(f"{kind} {name} changed meanwhile: {error.message}") from error
                return

    async def _scale(self, resource: ModelConversion, live: facts.Deployment, replicas: int) -> Object:
        meta = resource.metadata
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": live.uid},
            "spec": {"replicas": replicas},
        }
        return await self.kube.apply("Deployment", meta.namespace, body, manager=names.REPLICAS_MANAGER)


def _deployment(body: Object, before: facts.Deployment | None) -> facts.Deployment | None:
    """Return the Deployment that a call returned, or the one from before if it returned something else."""
    if body.get("kind") != "Deployment":
        return before
    return msgspec.structs.replace(reading.deployment(body), pods=before.pods if before else ())


def _refused(plan: Plan, trouble: Trouble) -> Failure:
    stage = plan.progress.work.stage if plan.progress.work else Stage.SERVE
    # not the key of the work: what was refused did not run, so it counts as no attempt
    key = key_of(["refused", plan.progress.work.key if plan.progress.work else str(stage)])
    return failure_of(trouble, stage=stage, key=key)
