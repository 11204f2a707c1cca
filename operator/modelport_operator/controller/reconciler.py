"""One reconciliation: read → observe → plan → carry out → report → publish → events.

It is made on what the watches brought, which mostly shows that there is nothing to do. At the first write it is given up
and made again on live reads, so that no write follows from what was.
"""

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from modelport.api.base import API_VERSION, KIND
from modelport.api.resource import Metadata, ModelConversion, parse
from modelport.api.status import Status, read_status
from modelport_operator import reading
from modelport_operator.controller.carrying import Carrier
from modelport_operator.controller.controller import Key, Result
from modelport_operator.controller.reverifications import Reverifications
from modelport_operator.controller.slots import Slots
from modelport_operator.facts import Observed
from modelport_operator.kube import events
from modelport_operator.kube.api import Api, find
from modelport_operator.kube.client import Kube, Object
from modelport_operator.kube.errors import KubeError, RefusedError
from modelport_operator.kube.watched import UnsureError, Watched
from modelport_operator.metrics import Metrics
from modelport_operator.names import STATUS_MANAGER
from modelport_operator.observe import Observer
from modelport_operator.plan import CONFLICT_LOOK_AGAIN, Demand, make_plan
from modelport_operator.platforms import Platform
from modelport_operator.report import Report, Situation, make_report, report_fault, report_unreadable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reconciler:
    """Brings the cluster closer to what a resource says."""

    kube: Kube
    watched: Watched
    observer: Observer
    platform: Platform
    metrics: Metrics
    slots: Slots
    reverifications: Reverifications = field(default_factory=lambda: Reverifications(0))
    instance: str = "modelport-operator"
    clock: Callable[[], float] = time.time

    async def __call__(self, key: Key) -> Result | None:
        """Reconcile one resource; None: it is gone, and garbage collection does the rest.

        Whatever happens but for a failing API server, the resource's status says so.
        """
        await self.slots.read()
        first = self.slots.waited_for(key)
        try:
            return await self._reconcile_seen_or_live(key, first)
        except KubeError as error:
            self.slots.fail(key, passes=not isinstance(error, RefusedError))
            raise

    async def _reconcile_seen_or_live(self, key: Key, first: str) -> Result | None:
        try:
            return await self._reconcile_by(self.watched, key, first)
        except UnsureError:
            return await self._reconcile_by(self.kube, key, first)

    async def _reconcile_by(self, api: Api, key: Key, first: str) -> Result | None:
        body = await find(api, KIND, *key)
        if body is None and api is self.watched:
            raise UnsureError(f"{KIND} {key.name} was not seen")
        if body is None:
            self.metrics.forget(*key)
            self.reverifications.note(key, runs=False)
            self.slots.forget(key)
            return None
        try:
            resource = parse(body)
        except msgspec.ValidationError as error:
            await self._give_up(api, key)
            return await self._tell_unreadable(api, body, error)
        try:
            return await self._reconcile(api, key, resource, first)
        except KubeError:
            raise
        except Exception as error:
            if api is self.watched:
                raise UnsureError(f"nothing could be decided by what was seen: {type(error).__name__}") from error
            await self._give_up(api, key)
            generation = resource.metadata.generation
            fault = report_fault(resource.status, error, generation=generation, now=self._now())
            await self._publish(api, resource.metadata, resource.status, fault)
            raise

    async def _reconcile(self, api: Api, key: Key, resource: ModelConversion, first: str) -> Result:
        observed = await self.observer.observe(resource, api, first=first)
        # nothing is awaited between the questions and the notes: no other worker gets the same place
        observed = self._with_shared(key, resource, observed)
        plan = make_plan(resource, observed, self.platform)
        if api is self.watched and self.slots.gives_back(key, plan.demand):
            raise UnsureError("what is given back, another resource takes at once")
        self.reverifications.note(key, runs=plan.progress.renewal is not None)
        self.slots.take(key, plan.demand)
        outcome = await Carrier(api).carry_out(plan, resource, observed)
        case = Situation(resource=resource, plan=plan, deployment=outcome.deployment, refused=outcome.refused)
        # the time that places in the line go by
        report = make_report(case, now=_timestamp(observed.now), domain=self.platform.cluster_domain)
        await self._publish(api, resource.metadata, resource.status, report)
        # what was refused made no Job, and holds up nobody who could make one
        began = plan.demand if outcome.refused is None else Demand(runs=any(job.runs for job in observed.jobs))
        self.slots.settle(key, began)
        reason = report.status.conditions[0].reason
        if outcome.refused and not outcome.refused.retryable:
            return Result(look_again=CONFLICT_LOOK_AGAIN, reason=reason)  # a name that is taken, whenever that is found
        return Result(look_again=plan.look_again, refused=outcome.refused is not None, reason=reason)

    async def _give_up(self, api: Api, key: Key) -> None:
        """Keep back nobody by a resource of which nothing can be decided; what runs has its room until it ends."""
        jobs = await api.list_of("Job", *key)
        self.reverifications.note(key, runs=False)
        self.slots.fail(key, passes=False, runs=any(reading.job(body, ()).runs for body in jobs))

    def _with_shared(self, key: Key, resource: ModelConversion, observed: Observed) -> Observed:
        """Return what was observed with what other resources have and wait for."""
        may_reverify = self.reverifications.may_begin(key) and self.slots.line.has_spare(key)
        since, now = reading.queued_since(resource.status), observed.now
        turn = self.slots.ask(key, since=float(int(now)) if since is None else since, now=now)
        makers = self.slots.makers(key, resource.spec.conversion.queue_name or "")
        return msgspec.structs.replace(observed, turn=turn, makers=makers, may_reverify=may_reverify)

    async def _tell_unreadable(self, api: Api, body: Object, error: msgspec.ValidationError) -> Result:
        """Tell of a resource with fields that this version does not know; its children are not touched."""
        meta, old = msgspec.convert(body["metadata"], Metadata), read_status(body.get("status"))
        report = report_unreadable(old, str(error), generation=meta.generation, now=self._now())
        await self._publish(api, meta, old, report)
        return Result(reason=report.status.conditions[0].reason)

    async def _publish(self, api: Api, meta: Metadata, old: Status, report: Report) -> None:
        """Write the status if it differs, and only then post the Events of what changed."""
        if report.status != old:
            body = {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
                "status": msgspec.to_builtins(report.status),
            }
            await api.apply(KIND, meta.namespace, body, manager=STATUS_MANAGER, subresource="status")
            _log(meta, report.status)
            for event in report.events:
                await events.post(self.kube, meta, event, instance=self.instance, now=self.clock())
        self.metrics.reported(meta.namespace, meta.name, old, report.status)

    def _now(self) -> str:
        return _timestamp(self.clock())


def _timestamp(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _log(meta: Metadata, status: Status) -> None:
    ready = status.conditions[0]
    fields = {"namespace": meta.namespace, "resource": meta.name, "uid": meta.uid, "generation": meta.generation}
    logger.info(ready.message, extra={**fields, "ready": ready.status, "reason": ready.reason})
