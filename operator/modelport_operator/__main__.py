"""Start the operator: settings, probes, the API server, the Lease, the workers, and then kopf, which feeds them."""

import asyncio
import itertools
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
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
from modelport_operator.kube.client import Kube, connect
from modelport_operator.kube.discovery import OPTIONAL_KINDS, Discovery
from modelport_operator.kube.errors import KubeError, UnavailableError
from modelport_operator.kube.kinds import KINDS
from modelport_operator.kube.watched import Watched
from modelport_operator.leading.candidate import Candidate, Place
from modelport_operator.leading.leadership import before, lead
from modelport_operator.leading.probes import Probes, serve_probes
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
            if not await before(self.stop, _patiently(partial(_check_served, kube))):
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
        settings, metrics, peers, watched = self.settings, self.metrics, PeerIndex(), Watched()
        discovery = Discovery(kube, OPTIONAL_KINDS)
        if not await before(self.stop, _patiently(discovery.look)):
            return
        queue: WorkQueue[Key] = WorkQueue(Backoff(settings.backoff_seconds, settings.max_backoff_seconds))
        limits = Limits(settings.max_jobs, settings.max_jobs_per_namespace)
        slots = Slots(kube, limits, namespaces=settings.namespaces, wake=queue.add)
        reconciler = Reconciler(
            kube=kube,
            watched=watched,
            observer=Observer(kube, peers, discovery),
            platform=self.platform,
            metrics=metrics,
            slots=slots,
            reverifications=Reverifications(self.platform.reverifications),
            instance=os.environ.get("HOSTNAME", "modelport-operator"),
        )
        controller = Controller(
            reconciler,
            queue=queue,
            workers=settings.workers,
            resync=settings.resync_seconds,
            note=metrics.reconciled,
        )
        metrics.leads, metrics.queue_depth = True, lambda: len(queue)
        metrics.jobs = lambda: (slots.line.running, slots.line.waiting)
        listener = Listener(controller, peers, watched, metrics)
        auditor = Auditor(
            kube,
            listener,
            kinds=(*handlers.OWNED_KINDS, *OPTIONAL_KINDS),
            namespaces=settings.namespaces,
            lacking=lambda: discovery.lacking,
        )
        self.probes.complaint = lambda: controller.complaint(stuck=settings.stuck_seconds) or auditor.complaint()
        registry = kopf.OperatorRegistry()
        handlers.register(registry, listener)
        optional = OptionalWatches(kube, discovery, listener)
        await self._serve(
            registry,
            {
                "controller": controller.run(),
                "optional": optional.run(settings.namespaces),
                "auditor": auditor.run(settings.audit_seconds),
            },
        )

    async def _serve(self, registry: kopf.OperatorRegistry, work: Mapping[str, Coroutine[Any, Any, None]]) -> None:
        """Run the work beside kopf; the end of one is the end of all."""
        namespaces, started, framework = self.settings.namespaces, asyncio.Event(), kopf.OperatorSettings()
        self.probes.unready = lambda: "" if started.is_set() else "the watches have not begun"
        handlers.configure(framework)
        running = [asyncio.create_task(each, name=name) for name, each in work.items()]
        for task in running:
            task.add_done_callback(lambda _task: self.stop.set())
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
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for task in running:
            if not task.cancelled():
                task.result()


async def _run(settings: Settings, platform: Platform) -> None:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    await _Process(settings, platform, stop).run()


def _stop_on_signals(stop: asyncio.Event) -> None:
    for signal_ in (signal.SIGTERM, signal.SIGINT):  # a container's first process ends by none that it does not handle
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)


async def _check_served(kube: Kube) -> None:
    """Return if the API server has our kind. Raises LookupError if it has not."""
    if not await kube.serves(KINDS[KIND]):
        raise LookupError("the API server has no modelconversions.modelport.dev/v1alpha1; install the CRD first")


async def _patiently(ask: Callable[[], Awaitable[None]]) -> None:
    """Ask until the API server answers: that it is away while this process starts is no reason to end."""
    for attempt in itertools.count(1):
        try:
            await ask()
        except UnavailableError as error:
            logger.warning("the API server does not answer yet", extra={"error": error.message})
            await asyncio.sleep(_STARTS.pause(attempt, key="start"))
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
