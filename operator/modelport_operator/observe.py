"""Look at what exists for a resource: the only reads of a reconciliation beside the resource itself.

Four reads always; Events, logs and other resources only where something is wrong or could be reused.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from modelport.api.resource import ModelConversion
from modelport_operator import facts, reading
from modelport_operator.kube.client import Kube, Object
from modelport_operator.kube.errors import KubeError, NotFoundError
from modelport_operator.names import MANAGED_BY_LABEL, MANAGER, RESOURCE_LABEL
from modelport_operator.peers import PeerIndex, useful_digests
from modelport_operator.plan.troubles import MAX_LOG, clean

MAX_PEERS = 32
LONG_SECONDS = 60.0
"""After which a running step's log is asked how far it is."""


class Observer(NamedTuple):
    """Reads what plans are made from."""

    kube: Kube
    peers: PeerIndex
    clock: Callable[[], float] = time.time

    async def observe(self, resource: ModelConversion) -> facts.Observed:
        """Return what exists for `resource`."""
        meta = resource.metadata
        ours = f"{RESOURCE_LABEL}={meta.name},{MANAGED_BY_LABEL}={MANAGER}"
        jobs, pods, deployment, service = await asyncio.gather(
            self.kube.list_all("Job", meta.namespace, labels=ours),
            self.kube.list_all("Pod", meta.namespace, labels=ours),
            self._find("Deployment", meta.namespace, meta.name),
            self._find("Service", meta.namespace, meta.name),
        )
        pods_seen = await asyncio.gather(*(self._pod(meta.namespace, pod) for pod in _newest_first(pods)))
        owned = [job for job in jobs if reading.is_controlled_by(job, meta.uid)]
        read_jobs = await asyncio.gather(*(self._job(meta.namespace, job, pods_seen) for job in owned))
        serving = (("Deployment", deployment), ("Service", service))
        others = [
            (f"{kind} {found['metadata']['name']}", found)
            for kind, found in (*(("Job", job) for job in jobs), *serving)
            if found and not reading.is_controlled_by(found, meta.uid)
        ]
        leaving = tuple(name for name, found in others if reading.is_leaving(found, meta))
        taken = {name for name, _ in others}
        foreign = tuple(name for kind, _ in serving if (name := f"{kind} {meta.name}") in taken and name not in leaving)
        return facts.Observed(
            now=self.clock(),
            jobs=tuple(read_jobs),
            deployment=None
            if deployment is None or f"Deployment {meta.name}" in taken
            else reading.deployment(deployment, [pod for owner, pod in pods_seen if owner == ""]),
            service=None if service is None or f"Service {meta.name}" in taken else reading.service(service),
            foreign=foreign,
            leaving=leaving,
            peers=await self._useful_peers(resource, read_jobs),
        )

    async def _find(self, kind: str, namespace: str, name: str) -> Object | None:
        try:
            found = await self.kube.get(kind, namespace, name)
        except NotFoundError:
            return None
        return None if found["metadata"].get("deletionTimestamp") else found

    async def _pod(self, namespace: str, body: Object) -> tuple[str, facts.Pod]:
        """Return a pod with the uid of the Job that owns it (none for a server's), its Events and its log."""
        owner, pod = reading.job_of(body), reading.pod(body)
        if pod.phase == "Pending" and reading.is_creating(body):
            pod = reading.with_warnings(pod, await self._events(namespace, pod.uid, "FailedMount"))
        if pod.phase == "Running" and pod.running_step and self.clock() - pod.created > LONG_SECONDS:
            running = next(each for each in pod.containers if each.name == pod.running_step)
            pod = reading.with_progress(pod, await self._log(namespace, pod, running, previous=False))
        culprit = pod.culprit
        if culprit and not pod.ready and not pod.deleting:
            previous = culprit.terminated is None
            pod = reading.with_log(pod, await self._log(namespace, pod, culprit, previous=previous))
        return owner, pod

    async def _job(self, namespace: str, body: Object, pods: Iterable[tuple[str, facts.Pod]]) -> facts.Job:
        own = [pod for owner, pod in pods if owner == body["metadata"]["uid"]]
        job = reading.job(body, own)
        if own or job.complete or job.failed:
            return job
        return reading.with_refusals(job, await self._events(namespace, job.uid, "FailedCreate"))

    async def _events(self, namespace: str, uid: str, reason: str) -> list[str]:
        """Return the messages of an object's Events, newest first."""
        selector = f"involvedObject.uid={uid},reason={reason}"
        found = await self.kube.list_all("CoreEvent", namespace, fields=selector)
        return [event.get("message", "") for event in sorted(found, key=reading.event_time, reverse=True)]

    async def _log(self, namespace: str, pod: facts.Pod, container: facts.Container, *, previous: bool) -> str:
        try:
            text = await self.kube.log(namespace, pod.name, container.name, previous=previous)
        except KubeError:
            return ""  # the container or its log is gone; the reason does not depend on it
        return clean(text, MAX_LOG, tail=True)

    async def _useful_peers(self, resource: ModelConversion, jobs: Iterable[facts.Job]) -> tuple[facts.Peer, ...]:
        """Return the other resources of the namespace that may have what is needed, read live: the index is a hint."""
        meta = resource.metadata
        names = self.peers.names(meta.namespace, useful_digests(resource, jobs), besides=meta.name)[:MAX_PEERS]
        found = await asyncio.gather(*(self._find("ModelConversion", meta.namespace, name) for name in names))
        return tuple(reading.peer(body) for body in found if body)


def _newest_first(pods: list[Object]) -> list[Object]:
    return sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
