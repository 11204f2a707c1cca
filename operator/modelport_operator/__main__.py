"""Start the operator: settings, the API server, the controller's workers, and then kopf, which feeds them."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine, Mapping
from typing import Any

import kopf
import msgspec
import prometheus_client

from modelport.api.base import KIND
from modelport.jobs.planning import MOVER_IMAGE
from modelport_operator import logs
from modelport_operator.backoff import Backoff
from modelport_operator.controller.controller import Controller, Key
from modelport_operator.controller.line import Limits
from modelport_operator.controller.queue import WorkQueue
from modelport_operator.controller.reconciler import Reconciler
from modelport_operator.controller.reverifications import Reverifications
from modelport_operator.controller.slots import Slots
from modelport_operator.kube.client import connect
from modelport_operator.kube.discovery import OPTIONAL_KINDS, Discovery
from modelport_operator.kube.errors import KubeError
from modelport_operator.kube.kinds import KINDS
from modelport_operator.kube.watched import Watched
from modelport_operator.metrics import Metrics
from modelport_operator.observe import Observer
from modelport_operator.peers import PeerIndex
from modelport_operator.platforms import Platform
from modelport_operator.settings import Settings, read
from modelport_operator.watching import handlers
from modelport_operator.watching.auditing import Auditor
from modelport_operator.watching.listener import Listener
from modelport_operator.watching.optional import OptionalWatches

logger = logging.getLogger("modelport_operator")


def main() -> int:
    """Run until stopped; return the exit status."""
    try:
        settings = read(os.environ)
        platform = settings.platform()
        _check_catalogue(platform)
        prometheus_client.start_http_server(settings.metrics_port)
    except (msgspec.ValidationError, msgspec.DecodeError, OSError, LookupError) as error:
        sys.stderr.write(f"modelport-operator: cannot start: {error}\n")
        return 2
    logs.configure(settings)
    try:
        asyncio.run(_run(settings, platform))
    except (KubeError, LookupError) as error:
        logger.critical("cannot start: %s", error)
        return 1
    return 0


def _check_catalogue(platform: Platform) -> None:
    if MOVER_IMAGE not in platform.images:  # others may be left out, with what they convert and serve
        raise LookupError(f"the image catalogue lacks {MOVER_IMAGE}; it has {', '.join(platform.images) or 'none'}")


async def _run(settings: Settings, platform: Platform) -> None:
    async with connect() as kube:
        if not await kube.serves(KINDS[KIND]):
            raise LookupError("the API server has no modelconversions.modelport.dev/v1alpha1; install the CRD first")
        peers, watched, metrics = PeerIndex(), Watched(), Metrics()
        discovery = Discovery(kube, OPTIONAL_KINDS)
        await discovery.look()
        queue: WorkQueue[Key] = WorkQueue(Backoff(settings.backoff_seconds, settings.max_backoff_seconds))
        limits = Limits(settings.max_jobs, settings.max_jobs_per_namespace)
        slots = Slots(kube, limits, namespaces=settings.namespaces, wake=queue.add)
        reconciler = Reconciler(
            kube=kube,
            watched=watched,
            observer=Observer(kube, peers, discovery),
            platform=platform,
            metrics=metrics,
            slots=slots,
            reverifications=Reverifications(platform.reverifications),
            instance=os.environ.get("HOSTNAME", "modelport-operator"),
        )
        controller = Controller(
            reconciler,
            queue=queue,
            workers=settings.workers,
            resync=settings.resync_seconds,
            note=metrics.reconciled,
        )
        metrics.queue_depth = lambda: len(queue)
        metrics.jobs = lambda: (slots.line.running, slots.line.waiting)
        listener = Listener(controller, peers, watched)
        auditor = Auditor(
            kube,
            listener,
            kinds=(*handlers.OWNED_KINDS, *OPTIONAL_KINDS),
            namespaces=settings.namespaces,
            lacking=lambda: discovery.lacking,
        )
        registry = kopf.OperatorRegistry()
        handlers.register(
            registry, listener, lambda: controller.complaint(stuck=settings.stuck_seconds) or auditor.complaint()
        )
        optional = OptionalWatches(kube, discovery, listener)
        await _serve(
            settings,
            registry,
            {
                "controller": controller.run(),
                "optional": optional.run(settings.namespaces),
                "auditor": auditor.run(settings.audit_seconds),
            },
        )


async def _serve(
    settings: Settings, registry: kopf.OperatorRegistry, work: Mapping[str, Coroutine[Any, Any, None]]
) -> None:
    """Run the work beside kopf; the end of one is the end of all."""
    framework = kopf.OperatorSettings()
    handlers.configure(framework)
    # these first: at its exit kopf cancels the tasks that it finds, but spares those that were there before it
    running = [asyncio.create_task(each, name=name) for name, each in work.items()]
    stop = asyncio.Event()
    for task in running:
        task.add_done_callback(lambda _task: stop.set())
    logger.info("started", extra={"namespaces": settings.namespaces or "all", "workers": settings.workers})
    try:
        await kopf.operator(
            registry=registry,
            settings=framework,
            standalone=True,
            clusterwide=not settings.namespaces,
            namespaces=settings.namespaces,
            liveness_endpoint=f"http://0.0.0.0:{settings.liveness_port}/healthz",
            stop_flag=stop,
        )
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    for task in running:
        if not task.cancelled():
            task.result()


if __name__ == "__main__":
    sys.exit(main())
