"""A reconciler with an API server in memory, and what tests do with the two."""

import msgspec
from prometheus_client import CollectorRegistry

from modelport.api.base import KIND
from modelport.api.status import Status
from modelport_operator.controller.controller import Key
from modelport_operator.controller.line import Limits
from modelport_operator.controller.reconciler import Reconciler
from modelport_operator.controller.reverifications import Reverifications
from modelport_operator.controller.slots import Slots
from modelport_operator.kube.discovery import OPTIONAL_KINDS, Discovery
from modelport_operator.kube.kinds import KINDS
from modelport_operator.kube.watched import Watched
from modelport_operator.metrics import Metrics
from modelport_operator.observe import Observer
from modelport_operator.peers import PeerIndex
from modelport_operator.report.invariants import violations
from unit.operator.apiserver import MemoryKube
from unit.operator.scenes import NOW, PLATFORM, SERVED

KEY = Key("team", "net")
UNLIMITED = Limits()


class Scene:
    """A reconciler with its API server."""

    def __init__(self, platform=PLATFORM, limits=UNLIMITED):
        self.kube, self.peers, self.watched, self.woken = MemoryKube(), PeerIndex(), Watched(), []
        self.discovery = Discovery(self.kube, OPTIONAL_KINDS)
        self.discovery.lacking = frozenset()
        self.now = NOW
        self.reconciler = self.operator(platform, limits)

    def operator(self, platform, limits=UNLIMITED):
        """Return an operator that was just started: it knows nothing but what the API server has."""
        return Reconciler(
            kube=self.kube,
            watched=self.watched,
            observer=Observer(self.kube, self.peers, self.discovery, lambda: self.now),
            platform=platform,
            metrics=Metrics(CollectorRegistry()),
            reverifications=Reverifications(platform.reverifications),
            slots=Slots(self.kube, limits, wake=self.woken.append),
            clock=lambda: self.now,
        )

    def watch(self):
        """Bring what the watches would."""
        for kind in KINDS:
            self.watched.forget_all(kind)
        for (kind, *_), body in self.kube.objects.items():
            self.watched.note(kind, body)

    async def reconcile(self, key=KEY, *, watches=True):
        if watches:
            self.watch()
        self.kube.writes.clear()
        self.kube.reads.clear()
        result = await self.reconciler(key)
        body = self.kube.objects.get((KIND, *key))
        if body:
            self.peers.note(key.namespace, key.name, body)
            status = msgspec.convert(body["status"], Status)
            assert list(violations(status, generation=body["metadata"]["generation"])) == []
        return result

    async def serve(self, key=KEY, spec=SERVED):
        self.kube.apply_resource(spec, key.name, key.namespace)
        await self.reconcile(key)
        self.kube.run_job(f"{key.name}-import")
        await self.reconcile(key)
        self.kube.run_job(f"{key.name}-convert")
        await self.reconcile(key)
        if "serving" in spec:
            self.kube.roll_out(key.name)
            await self.reconcile(key)

    def ready(self, key=KEY):
        found = self.conditions(key)["Ready"]
        return found["status"], found["reason"]

    def conditions(self, key=KEY):
        return {each["type"]: each for each in self.kube.objects[(KIND, *key)]["status"]["conditions"]}

    def kinds(self, verb):
        return [kind for done, kind, _name in self.kube.writes if done == verb]
