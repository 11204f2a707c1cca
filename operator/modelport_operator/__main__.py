"""Start the operator: settings, probes, the API server, the Lease, the workers, and then kopf, which feeds them."""

import asyncio
import itertools
import logging
import os
import signal
import sys
from dataclasses import dataclass, field
from functools import partial

import kopf
import msgspec
import prometheus_client

from modelport.jobs.planning import MOVER_IMAGE
from modelport_operator import logs
from modelport_operator.backoff import Backoff
from modelport_operator.controller import watches
from modelport_operator.controller.carrying import Carrier
from modelport_operator.controller.controller import Controller, Key
from modelport_operator.controller.queue import WorkQueue
from modelport_operator.controller.reconciler import Reconciler
from modelport_operator.controller.reverifications import Reverifications
from modelport_operator.kube.client import Kube, connect
from modelport_operator.kube.errors import KubeError, NotFoundError, UnavailableError
from modelport_operator.leading.candidate import Candidate, Place
from modelport_operator.leading.leadership import before, lead
from modelport_operator.leading.probes import Probes, serve_probes
from modelport_operator.metrics import Metrics
from modelport_operator.observe import Observer
from modelport_operator.peers import PeerIndex
from modelport_operator.platforms import Platform
from modelport_operator.settings import Settings, read

logger = logging.getLogger("modelport_operator")
_STARTS = Backoff(1.0, 10.0)
"""Between questions to an API server that is away."""


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
    except (KubeError, LookupError, OSError) as error:
        logger.critical("cannot start: %s", error)
        return 1
    return 0


def _check_catalogue(platform: Platform) -> None:
    if MOVER_IMAGE not in platform.images:  # others may be left out, with what they convert and serve
        raise LookupError(f"the image catalogue lacks {MOVER_IMAGE}; it has {', '.join(platform.images) or 'none'}")


@dataclass(frozen=True)
class _Process:
    """What lives as long as the process."""

    settings: Settings
    platform: Platform
    stop: asyncio.Event
    probes: Probes = field(default_factory=Probes)
    metrics: Metrics = field(default_factory=Metrics)

    async def run(self) -> None:
        """Work until stopped; with leader election for as long as this process leads."""
        async with serve_probes(self.probes, self.settings.probes_port), connect() as kube:
            # that the API server is away while this process starts is no reason to end
            if not await before(self.stop, _check_served(kube)):
                return
            if not self.settings.leader_election:
                await self._work(kube)
                return
            place = Place(self.settings.lease_namespace, self.settings.lease_name, self.settings.identity())
            candidate = Candidate(kube, place, self.settings.terms)
            self.probes.complaint, self.probes.unready = candidate.complaint, candidate.unready
            # a client of its own: requests about the Lease wait behind no others
            async with connect(may_write=candidate.holds) as working:
                await lead(candidate, partial(self._work, working), stop=self.stop)

    async def _work(self, kube: Kube) -> None:
        settings, metrics, peers = self.settings, self.metrics, PeerIndex()
        reconciler = Reconciler(
            kube=kube,
            observer=Observer(kube, peers),
            carrier=Carrier(kube),
            platform=self.platform,
            metrics=metrics,
            reverifications=Reverifications(self.platform.reverifications),
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
        metrics.leads, metrics.queue_depth = True, lambda: len(queue)
        self.probes.complaint = partial(controller.complaint, stuck=settings.stuck_seconds)
        await self._serve(controller, peers)

    async def _serve(self, controller: Controller, peers: PeerIndex) -> None:
        """Run the workers and kopf; the end of one is the end of the other."""
        namespaces, started = self.settings.namespaces, asyncio.Event()
        self.probes.unready = lambda: "" if started.is_set() else "the watches have not begun"
        registry, framework = kopf.OperatorRegistry(), kopf.OperatorSettings()
        watches.configure(framework)
        watches.register(registry, controller, peers)
        working = asyncio.create_task(controller.run(), name="controller")
        working.add_done_callback(lambda _task: self.stop.set())
        await asyncio.sleep(0)  # the workers begin
        # at its exit kopf waits for seconds, and cancels what is there then, but spares what was there before it
        ours = asyncio.all_tasks()
        logger.info("started", extra={"namespaces": namespaces or "all", "workers": self.settings.workers})
        try:
            tasks = await kopf.spawn_tasks(
                registry=registry,
                settings=framework,
                standalone=True,
                clusterwide=not namespaces,
                namespaces=namespaces,
                ready_flag=started,
                stop_flag=self.stop,
            )
            _stop_on_signals(self.stop)  # kopf has set its own, which leave a task of its own that it waits for
            await kopf.run_tasks(tasks, ignored=ours)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        if not working.cancelled():
            working.result()


async def _run(settings: Settings, platform: Platform) -> None:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    await _Process(settings, platform, stop).run()


def _stop_on_signals(stop: asyncio.Event) -> None:
    for signal_ in (signal.SIGTERM, signal.SIGINT):  # a container's first process ends by none that it does not handle
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)


async def _check_served(kube: Kube) -> None:
    """Return when the API server says that it has our kind. Raises LookupError if it has not."""
    for attempt in itertools.count(1):
        try:
            if await kube.is_served():
                return
        except NotFoundError:
            pass
        except UnavailableError as error:
            logger.warning("the API server does not answer yet", extra={"error": error.message})
            await asyncio.sleep(_STARTS.pause(attempt, key="start"))
            continue
        raise LookupError("the API server has no modelconversions.modelport.dev/v1alpha1; install the CRD first")


if __name__ == "__main__":
    sys.exit(main())
