"""Look at what exists for a resource: the only reads of a reconciliation beside the resource itself.

Objects come from a `kube.api.Api`; Events and logs, from the API server alone, only where something is wrong or takes long.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from modelport.api.base import KIND
from modelport.api.resource import ModelConversion
from modelport_operator import facts, reading
from modelport_operator.kube.api import Api, find
from modelport_operator.kube.client import Kube, Object
from modelport_operator.kube.discovery import Discovery
from modelport_operator.kube.errors import KubeError, NotFoundError, NotServedError
from modelport_operator.peers import PeerIndex, useful_digests
from modelport_operator.plan.serving.objects import OBJECTS
from modelport_operator.plan.troubles import MAX_LOG, clean

MAX_PEERS = 32
LONG_SECONDS = 60.0
"""After which a running step's log is asked how far it is."""


class Observer(NamedTuple):
    """Reads what plans are made from."""

    kube: Kube
    peers: PeerIndex
    discovery: Discovery
    clock: Callable[[], float] = time.time

    async def observe(self, resource: ModelConversion, api: Api, *, first: str = "") -> facts.Observed:
        """Return what `api` has for `resource`, and of other resources; `first` is known to have what it waits for."""
        meta = resource.metadata
        jobs, pods, policies, named = await asyncio.gather(
            api.list_of("Job", meta.namespace, meta.name),
            api.list_of("Pod", meta.namespace, meta.name),
            api.list_of("NetworkPolicy", meta.namespace, meta.name),
            self._named(api, meta.namespace, meta.name),
        )
        pods_seen = await asyncio.gather(*(self._pod(meta.namespace, pod) for pod in _newest_first(pods)))
        owned = [job for job in jobs if reading.is_controlled_by(job, meta.uid)]
        read_jobs = await asyncio.gather(*(self._job(meta.namespace, job, pods_seen) for job in owned))
        controlled = {kind: body for kind, body in named.items() if reading.is_controlled_by(body, meta.uid)}
        others = {f"{kind} {meta.name}": body for kind, body in named.items() if kind not in controlled}
        listed = {"Job": jobs, "NetworkPolicy": policies}
        in_the_way = others | {
            f"{kind} {body['metadata']['name']}": body
            for kind, bodies in listed.items()
            for body in bodies
            if not reading.is_controlled_by(body, meta.uid)
        }
        own = {kind: body for kind, body in controlled.items() if "deletionTimestamp" not in body["metadata"]}
        deployment = own.pop("Deployment", None)
        server_pods = [pod for owner, pod in pods_seen if owner == ""]
        return facts.Observed(
            now=self.clock(),
            jobs=tuple(read_jobs),
            deployment=reading.deployment(deployment, server_pods) if deployment else None,
            objects=tuple(reading.live_object(kind, body) for kind, body in own.items()),
            job_policies=tuple(reading.job_policies(policies, meta)),
            stages=frozenset(reading.stage_of(body) for body in (*jobs, *pods)),
            foreign=tuple(name for name, body in others.items() if not reading.is_leaving(body, meta)),
            leaving=tuple(name for name, body in in_the_way.items() if reading.is_leaving(body, meta)),
            lacking=self.discovery.lacking,
            peers=await self._useful_peers(resource, read_jobs, first, api),
        )

    async def _named(self, api: Api, namespace: str, name: str) -> dict[str, Object]:
        """Return the objects, by kind, that have the name of those that serving consists of."""
        kinds = [each.kind for each in OBJECTS if each.kind not in self.discovery.lacking]
        found = await asyncio.gather(*(self._find(api, kind, namespace, name) for kind in kinds))
        return {kind: body for kind, body in zip(kinds, found, strict=True) if body}

    async def _find(self, api: Api, kind: str, namespace: str, name: str) -> Object | None:
        try:
            return await api.get(kind, namespace, name)
        except NotServedError:
            if not self.discovery.note_lost(kind):
                raise
        except NotFoundError:
            pass
        return None

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
        if own or not job.runs:
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

    async def _useful_peers(
        self, resource: ModelConversion, jobs: Iterable[facts.Job], first: str, api: Api
    ) -> tuple[facts.Peer, ...]:
        """Return the other resources of the namespace that may have what is needed: the index of peers is a hint."""
        meta = resource.metadata
        likely = self.peers.names(meta.namespace, useful_digests(resource, jobs), besides=meta.name)
        names = list(dict.fromkeys([*([first] if first else []), *likely]))[:MAX_PEERS]
        found = await asyncio.gather(*(find(api, KIND, meta.namespace, name) for name in names))
        return tuple(reading.peer(body) for body in found if body)


def _newest_first(pods: list[Object]) -> list[Object]:
    return sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
