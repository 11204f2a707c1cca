"""One reconciliation: read → observe → plan → carry out → report → publish → events."""

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from modelport.api.base import API_VERSION, KIND
from modelport.api.reasons import Reason
from modelport.api.resource import ModelConversion, parse
from modelport.api.status import Status
from modelport_operator.controller.carrying import Carrier
from modelport_operator.controller.controller import Key, Result
from modelport_operator.controller.reverifications import Reverifications
from modelport_operator.kube import events
from modelport_operator.kube.client import Kube
from modelport_operator.kube.errors import NotFoundError
from modelport_operator.metrics import Metrics
from modelport_operator.names import STATUS_MANAGER
from modelport_operator.observe import Observer
from modelport_operator.plan import Plan, make_plan
from modelport_operator.platforms import Platform
from modelport_operator.report import Report, Situation, make_report

logger = logging.getLogger(__name__)
REFUSED_LOOK_AGAIN = 15.0


@dataclass(frozen=True)
class Reconciler:
    """Brings the cluster closer to what a resource says."""

    kube: Kube
    observer: Observer
    carrier: Carrier
    platform: Platform
    metrics: Metrics
    reverifications: Reverifications = field(default_factory=lambda: Reverifications(0))
    instance: str = "modelport-operator"
    clock: Callable[[], float] = time.time

    async def __call__(self, key: Key) -> Result | None:
        """Reconcile one resource; None: it is gone, and garbage collection does the rest."""
        resource = await self._read(key)
        if resource is None:
            self.metrics.forget(*key)
            self.reverifications.note(key, runs=False)
            return None
        observed = await self.observer.observe(resource)
        # nothing is awaited between the question and the note: no other worker gets the same place
        observed = msgspec.structs.replace(observed, may_reverify=self.reverifications.may_begin(key))
        plan = make_plan(resource, observed, self.platform)
        self.reverifications.note(key, runs=plan.progress.renewal is not None)
        outcome = await self.carrier.carry_out(plan, resource, observed)
        case = Situation(resource=resource, plan=plan, deployment=outcome.deployment, refused=outcome.refused)
        report = make_report(case, now=self._now(), domain=self.platform.cluster_domain)
        await self._publish(resource, report)
        return Result(look_again=_look_again(plan, report.status), reason=report.status.conditions[0].reason)

    async def _read(self, key: Key) -> ModelConversion | None:
        try:
            body = await self.kube.get(KIND, *key)
        except NotFoundError:
            return None
        try:
            resource = parse(body)
        except msgspec.ValidationError as error:
            # fields that this version does not know: an older operator under a newer CRD. Nothing is touched.
            logger.critical(
                "the resource cannot be read",
                extra={"namespace": key.namespace, "resource": key.name, "error": str(error)},
            )
            return None
        return None if resource.metadata.deletion_timestamp else resource

    async def _publish(self, resource: ModelConversion, report: Report) -> None:
        """Write the status if it differs, and only then post the Events of what changed."""
        meta = resource.metadata
        if report.status != resource.status:
            body = {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
                "status": msgspec.to_builtins(report.status),
            }
            await self.kube.apply(KIND, meta.namespace, body, manager=STATUS_MANAGER, subresource="status")
            _log(resource, report.status)
            for event in report.events:
                await events.post(self.kube, resource, event, instance=self.instance, now=self.clock())
        self.metrics.reported(meta.namespace, meta.name, resource.status, report.status)

    def _now(self) -> str:
        return dt.datetime.fromtimestamp(self.clock(), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _look_again(plan: Plan, status: Status) -> float | None:
    if plan.look_again is None and status.failure and status.failure.retryable:
        return REFUSED_LOOK_AGAIN
    if status.failure and status.failure.reason == Reason.NAME_CONFLICT:
        return max(plan.look_again or 0.0, REFUSED_LOOK_AGAIN)
    return plan.look_again


def _log(resource: ModelConversion, status: Status) -> None:
    meta, ready = resource.metadata, status.conditions[0]
    fields = {"namespace": meta.namespace, "resource": meta.name, "uid": meta.uid, "generation": meta.generation}
    logger.info(ready.message, extra={**fields, "ready": ready.status, "reason": ready.reason})
