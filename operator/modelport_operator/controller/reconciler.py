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
from modelport_operator.controller.carrying import Carrier
from modelport_operator.controller.controller import Key, Result
from modelport_operator.controller.reverifications import Reverifications
from modelport_operator.kube import events
from modelport_operator.kube.api import Api, find
from modelport_operator.kube.client import Kube, Object
from modelport_operator.kube.errors import KubeError
from modelport_operator.kube.watched import UnsureError, Watched
from modelport_operator.metrics import Metrics
from modelport_operator.names import STATUS_MANAGER
from modelport_operator.observe import Observer
from modelport_operator.plan import make_plan
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
    reverifications: Reverifications = field(default_factory=lambda: Reverifications(0))
    instance: str = "modelport-operator"
    clock: Callable[[], float] = time.time

    async def __call__(self, key: Key) -> Result | None:
        """Reconcile one resource; None: it is gone, and garbage collection does the rest.

        Whatever happens but for a failing API server, the resource's status says so.
        """
        try:
            return await self._reconcile_by(self.watched, key)
        except UnsureError:
            return await self._reconcile_by(self.kube, key)

    async def _reconcile_by(self, api: Api, key: Key) -> Result | None:
        body = await find(api, KIND, *key)
        if body is None and api is self.watched:
            raise UnsureError(f"{KIND} {key.name} was not seen")
        if body is None:
            self.metrics.forget(*key)
            self.reverifications.note(key, runs=False)
            return None
        try:
            resource = parse(body)
        except msgspec.ValidationError as error:
            return await self._tell_unreadable(api, body, error)
        try:
            return await self._reconcile(api, key, resource)
        except KubeError:
            raise
        except Exception as error:
            generation = resource.metadata.generation
            fault = report_fault(resource.status, error, generation=generation, now=self._now())
            await self._publish(api, resource.metadata, resource.status, fault)
            raise

    async def _reconcile(self, api: Api, key: Key, resource: ModelConversion) -> Result:
        observed = await self.observer.observe(resource, api)
        # nothing is awaited between the question and the note: no other worker gets the same place
        observed = msgspec.structs.replace(observed, may_reverify=self.reverifications.may_begin(key))
        plan = make_plan(resource, observed, self.platform)
        self.reverifications.note(key, runs=plan.progress.renewal is not None)
        outcome = await Carrier(api).carry_out(plan, resource, observed)
        case = Situation(resource=resource, plan=plan, deployment=outcome.deployment, refused=outcome.refused)
        report = make_report(case, now=self._now(), domain=self.platform.cluster_domain)
        await self._publish(api, resource.metadata, resource.status, report)
        reason = report.status.conditions[0].reason
        return Result(look_again=plan.look_again, refused=outcome.refused is not None, reason=reason)

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
        return dt.datetime.fromtimestamp(self.clock(), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _log(meta: Metadata, status: Status) -> None:
    ready = status.conditions[0]
    fields = {"namespace": meta.namespace, "resource": meta.name, "uid": meta.uid, "generation": meta.generation}
    logger.info(ready.message, extra={**fields, "ready": ready.status, "reason": ready.reason})
