"""What resources share: room for Jobs, and artifacts that several of them ask for at the same time.

All of it follows from what is in the cluster: Jobs, and the condition Queued, whose time is that of its beginning. It is
read once at the start, so that a restart changes no place, and then each reconciliation tells of its own resource.

Nobody waits in a circle. Who waits for another's artifact waits for one that has its Job, or is before it in the line;
who has its Job waits for nobody, and the first of the line for Jobs alone that run. Namespaces never wait for another's
artifact.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from modelport.api.base import KIND
from modelport.api.status import read_status
from modelport.jobs.requests import ConvertRequest, decode_request
from modelport_operator import reading
from modelport_operator.controller.controller import Key
from modelport_operator.controller.line import Limits, Line
from modelport_operator.facts import Job, Turn
from modelport_operator.kube.client import Kube, Object
from modelport_operator.names import OWNED_SELECTOR, RESOURCE_LABEL
from modelport_operator.plan import Demand


class Known(NamedTuple):
    """What a status tells at the start."""

    since: float | None = None
    """Since when it waits, or None if it does not."""
    artifact: str = ""


class Told(NamedTuple):
    """A place in the line, and when it was told."""

    turn: Turn
    at: float


class Slots:
    """What each resource has, and what it waits for."""

    def __init__(
        self, kube: Kube, limits: Limits, *, namespaces: Sequence[str] = (), wake: Callable[[Key], None]
    ) -> None:
        """Take the namespaces that are watched (none: all), and what to call with a resource whose turn it is."""
        self.line = Line(limits)
        self._kube, self._namespaces, self._wake = kube, namespaces or ("",), wake
        self._makers: defaultdict[str, defaultdict[str, dict[Key, str]]] = defaultdict(lambda: defaultdict(dict))
        """By namespace and artifact: who is about to have it converted, and Kueue's queue that its Job is still in."""
        self._made: dict[Key, str] = {}
        self._ahead: dict[Key, Key] = {}
        self._called: set[Key] = set()
        self._told: dict[Key, Told] = {}
        self._lock, self._is_read = asyncio.Lock(), False

    async def read(self) -> None:
        """Read once what there is. Raises KubeError; then it is read the next time."""
        async with self._lock:
            if self._is_read:
                return
            jobs: defaultdict[Key, list[Job]] = defaultdict(list)
            known: dict[Key, Known] = {}
            for namespace in self._namespaces:
                async for page in self._kube.pages("Job", namespace, labels=OWNED_SELECTOR):
                    for body in page:
                        name = body["metadata"]["labels"].get(RESOURCE_LABEL)
                        if name:
                            jobs[_key(body, name)].append(reading.job(body, ()))
                async for page in self._kube.pages(KIND, namespace):
                    known |= {_key(body, body["metadata"]["name"]): _known(body) for body in page}
            for key in known | jobs:
                self._begin(key, jobs.get(key, ()), known.get(key, Known()))
            self._is_read = True

    def ask(self, key: Key, *, since: float, now: float) -> Turn:
        """Return whether a resource may begin a Job, if it waits since then or longer; `take` must follow at once."""
        self._called.discard(key)
        if not self.line.holds(key):
            self.line.wait(key, min(since, self.line.since(key) or since))
        turn, told = self.line.turn(key), self._told.get(key)
        if not turn.may_begin and told and now < told.at + told.turn.look_again:
            return told.turn
        self._told[key] = Told(turn, now)
        return turn

    def makers(self, key: Key, queue: str) -> dict[str, str]:
        """Return the artifacts that a resource need not make, as others do, and whose they are; to be asked after `ask`.

        A Job in one of Kueue's queues is waited for only by what would stand behind it there.
        """
        found = {}
        for artifact, makers in self._makers.get(key.namespace, {}).items():
            others = (each for each, held in makers.items() if held in {"", queue} and self._is_before(each, key))
            if maker := next(others, None):
                found[artifact] = maker.name
        return found

    def waited_for(self, key: Key) -> str:
        """Return the name of the resource whose artifact a resource waits for, or nothing."""
        ahead = self._ahead.get(key)
        return ahead.name if ahead else ""

    def take(self, key: Key, demand: Demand) -> None:
        """Note what a resource is about to do; what it had before stays its own until `settle`."""
        self._ahead.pop(key, None)
        if demand.behind:
            self._ahead[key] = Key(key.namespace, demand.behind)
        if demand.runs:
            self.line.hold(key)
        elif not demand.waits:
            self.line.leave(key)
        if not demand.waits:
            self._told.pop(key, None)
        if demand.makes:
            self._make(key, demand)

    def gives_back(self, key: Key, demand: Demand) -> bool:
        """Return whether a resource has something that it would have no more."""
        made = self._made.get(key, demand.makes)
        return made != demand.makes or (self.line.holds(key) and not demand.runs)

    def settle(self, key: Key, demand: Demand) -> None:
        """Give back what a resource has no more, now that its status says what it has instead, and wake who waits for it."""
        if not demand.runs:
            self.line.release(key)
        if not demand.makes:
            self._unmake(key)
        self._call_next()

    def fail(self, key: Key, *, passes: bool, runs: bool = True) -> None:
        """Keep back nobody by a resource that could not be worked on.

        Its place it finds again by its status; its Job, if it has one that `runs`, goes on, which others wait for while
        that `passes`.
        """
        self._called.discard(key)
        self._told.pop(key, None)
        self.line.leave(key)
        if not runs:
            self.line.release(key)
        if not passes:
            self._unmake(key)
        self._call_next()

    def forget(self, key: Key) -> None:
        """Give back all that a resource had that is gone."""
        self._called.discard(key)
        self.take(key, Demand())
        self.settle(key, Demand())

    def _begin(self, key: Key, jobs: Iterable[Job], known: Known) -> None:
        converting = ((job, _artifact_of(job)) for job in jobs)
        made = next(((job, artifact) for job, artifact in converting if artifact not in {"", known.artifact}), None)
        queue = made[0].queue if made and made[0].suspended else ""
        runs = any(job.runs for job in jobs)
        waits = known.since is not None and not runs
        demand = Demand(runs=runs, waits=waits, makes=made[1] if made else "", queue=queue)
        if known.since is not None and waits:
            self.line.wait(key, known.since)
        if demand != Demand():
            self.take(key, demand)
            self._wake(key)  # it may be gone before anybody watches

    def _is_before(self, other: Key, key: Key) -> bool:
        if other == key:
            return False
        since, own = self.line.since(other), self.line.since(key)
        return since is None or (own is not None and (since, other) < (own, key))

    def _make(self, key: Key, demand: Demand) -> None:
        if self._made.get(key) != demand.makes:
            self._unmake(key)
            self._made[key] = demand.makes
            # who came first when the cluster was read may be the last by its place
            for other in self._makers[key.namespace][demand.makes]:
                if self.line.since(other) is not None:
                    self._wake(other)
        elif self._makers[key.namespace][demand.makes][key] != demand.queue:
            self._wake_behind(key)
        self._makers[key.namespace][demand.makes][key] = demand.queue

    def _unmake(self, key: Key) -> None:
        artifact = self._made.pop(key, None)
        if artifact is None:
            return
        by_artifact = self._makers[key.namespace]
        del by_artifact[artifact][key]
        if not by_artifact[artifact]:
            del by_artifact[artifact]
        if not by_artifact:
            del self._makers[key.namespace]
        self._wake_behind(key)

    def _wake_behind(self, key: Key) -> None:
        for waiter in [each for each, ahead in self._ahead.items() if ahead == key]:
            self._wake(waiter)

    def _call_next(self) -> None:
        for key in self.line.next():
            if key not in self._called:
                self._called.add(key)
                self._wake(key)


def _key(body: Object, name: str) -> Key:
    return Key(body["metadata"]["namespace"], name)


def _known(body: Object) -> Known:
    status = read_status(body.get("status"))
    is_stopped = body.get("spec", {}).get("suspend") or body["metadata"].get("deletionTimestamp")
    return Known(
        since=None if is_stopped else reading.queued_since(status),
        artifact=status.artifact.key if status.artifact else "",
    )


def _artifact_of(job: Job) -> str:
    """Return the key of the artifact that a Job converts, or has converted; nothing if that is not to be counted on."""
    is_lost = job.stage != "convert" or job.failed or job.deleting or (job.suspended and not job.queue)
    try:
        request = None if is_lost else decode_request(job.request)
    except msgspec.DecodeError:  # of another version: nobody asks for the same
        return ""
    return request.artifact_key if isinstance(request, ConvertRequest) else ""
