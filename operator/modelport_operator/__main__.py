"""Start the operator: settings, the API server, the controller's workers, and then kopf, which feeds them."""

import asyncio
import logging
import os
import sys

import kopf
import msgspec
import prometheus_client

from modelport.api.base import KIND
from modelport.jobs.planning import MOVER_IMAGE
from modelport_operator import logs
from modelport_operator.backoff import Backoff
from modelport_operator.controller import watches
from modelport_operator.controller.carrying import Carrier
from modelport_operator.controller.controller import Controller, Key
from modelport_operator.controller.noticing import Noticed
from modelport_operator.controller.optional import OptionalWatches
from modelport_operator.controller.queue import WorkQueue
from modelport_operator.controller.reconciler import Reconciler
from modelport_operator.controller.reverifications import Reverifications
from modelport_operator.kube.client import connect
from modelport_operator.kube.discovery import OPTIONAL_KINDS, Discovery
from modelport_operator.kube.errors import KubeError
from modelport_operator.kube.kinds import KINDS
from modelport_operator.metrics import Metrics
from modelport_operator.observe import Observer
from modelport_operator.peers import PeerIndex
from modelport_operator.platforms import Platform
from modelport_operator.settings import Settings, read

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
        peers, metrics = PeerIndex(), Metrics()
        discovery = Discovery(kube, OPTIONAL_KINDS)
        await discovery.look()
        reconciler = Reconciler(
            kube=kube,
            observer=Observer(kube, peers, discovery),
            carrier=Carrier(kube),
            platform=platform,
            metrics=metrics,
            reverifications=Reverifications(platform.reverifications),
            instance=os.environ.get("HOSTNAME", "modelport-operator"),
        )
        queue: WorkQueue[Key] = WorkQueue(Backoff(settings.backoff_seconds, settings.max_backoff_seconds))
        controller = Controller(
            reconciler,
            queue=queue,
            workers=settings.workers,
            resync=settings.resync_seconds,
            note=metrics.reconciled,
        )
        metrics.queue_depth = lambda: len(queue)
        await _serve(settings, controller, peers, OptionalWatches(kube, discovery, controller, Noticed()))


async def _serve(settings: Settings, controller: Controller, peers: PeerIndex, optional: OptionalWatches) -> None:
    """Run the workers, the watches of what the cluster may lack, and kopf; the end of one is the end of all."""
    registry, framework = kopf.OperatorRegistry(), kopf.OperatorSettings()
    watches.configure(framework)
    watches.register(registry, controller, peers, stuck=settings.stuck_seconds)
    # these first: at its exit kopf cancels the tasks that it finds, but spares those that were there before it
    running = [
        asyncio.create_task(controller.run(), name="controller"),
        asyncio.create_task(optional.run(settings.namespaces), name="optional"),
    ]
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
