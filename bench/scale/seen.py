"""What watches tell of the benchmark's resources and Jobs, and when."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Container
from typing import NamedTuple

from modelport.api.base import KIND
from modelport_operator.kube.client import Kube, Object
from modelport_operator.names import OWNED_SELECTOR, RESOURCE_LABEL, STAGE_LABEL
from scale.changes import changes
from scale.resources import NAMESPACE

_LOOK_SECONDS = 0.1


class Made(NamedTuple):
    """How many Jobs there were, those included that are gone."""

    jobs: int
    duplicates: int
    """Beside the first of each resource and stage."""


class Seen:
    """Times are of the monotonic clock."""

    def __init__(self) -> None:
        self.ready: dict[str, float] = {}
        """When a resource was Ready first,"""
        self.stalled: dict[str, str] = {}
        """why one is Stalled,"""
        self.told: dict[tuple[str, int], float] = {}
        """and when the status was about a generation."""
        self.jobs: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """The uids of all Jobs that there were, by resource and stage."""

    async def run(self, kube: Kube) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as watches:
            watches.create_task(self._watch(kube, KIND, "", self.see_resource))
            watches.create_task(self._watch(kube, "Job", OWNED_SELECTOR, self.see_job))

    def see_resource(self, change: str, body: Object) -> None:
        """Note how a resource is."""
        name, status = body["metadata"]["name"], body.get("status", {})
        if change == "DELETED":
            self.ready.pop(name, None)
            self.stalled.pop(name, None)
            return
        now = time.monotonic()
        self.told.setdefault((name, status.get("observedGeneration", -1)), now)
        held = {each["type"]: each["message"] for each in status.get("conditions", []) if each["status"] == "True"}
        if "Ready" in held:
            self.ready.setdefault(name, now)
        if "Stalled" in held:
            self.stalled[name] = held["Stalled"]
        else:
            self.stalled.pop(name, None)

    def see_job(self, _change: str, body: Object) -> None:
        """Note that there is, or was, a Job."""
        labels = body["metadata"]["labels"]
        self.jobs[labels[RESOURCE_LABEL], labels[STAGE_LABEL]].add(body["metadata"]["uid"])

    def jobs_of(self, names: Container[str]) -> Made:
        """Return how many Jobs of these resources there were."""
        counts = [len(uids) for (name, _), uids in self.jobs.items() if name in names]
        return Made(sum(counts), sum(counts) - len(counts))

    async def _watch(self, kube: Kube, kind: str, labels: str, see: Callable[[str, Object], None]) -> None:
        async for event in changes(kube, kind, NAMESPACE, labels=labels):
            see(event["type"], event["object"])


async def until(holds: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until something holds; return whether it did in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True
