"""What was observed, as frozen values: the only thing beside the resource that plans and reports are made from.

`observe` fills them in from Kubernetes objects; times are seconds since the epoch, so that nothing that decides needs a
clock.
"""

from typing import Any

import msgspec

from modelport.api.status import ArtifactStatus, SourceStatus, VerificationStatus
from modelport.jobs.environment import ExitStatus

LOOK_AGAIN_PER_PLACE = 15.0
LONGEST_LOOK_AGAIN = 600.0
"""Seconds; who gets room is woken, and the others only see how the line grows shorter: the farther, the seldomer."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is observed."""


class Termination(Facts, frozen=True, kw_only=True):
    """How a container ended."""

    exit_code: int
    reason: str = ""
    message: str = ""
    finished: float | None = None

    @property
    def failed(self) -> bool:
        """Whether it ended by its own fault, and not because one before it did."""
        return self.exit_code not in (ExitStatus.DONE, ExitStatus.SKIPPED)


class Container(Facts, frozen=True, kw_only=True):
    """One container of a pod."""

    name: str
    waiting: str = ""
    waiting_message: str = ""
    terminated: Termination | None = None
    last: Termination | None = None
    ready: bool = False

    @property
    def ending(self) -> Termination | None:
        """How it ended the last time, where it has not come up again since."""
        return self.terminated or (None if self.ready else self.last)


class Pod(Facts, frozen=True, kw_only=True):
    """One pod of a Job or Deployment."""

    name: str
    uid: str
    created: float
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    unschedulable: str = ""
    scheduled: float | None = None
    """When it got its node."""
    disrupted: str = ""
    deleting: bool = False
    ready: bool = False
    serving_key: str = ""
    containers: tuple[Container, ...] = ()
    """Init containers first, in the order of the steps."""
    warnings: tuple[str, ...] = ()
    """Messages of the FailedMount Events, where the pod does not start."""
    log_tail: str = ""
    progress: str = ""
    """How far the running step says that it is, where it takes long."""

    @property
    def culprit(self) -> Container | None:
        """The first container that ended by its own fault."""
        return next((each for each in self.containers if each.ending and each.ending.failed), None)

    @property
    def running_step(self) -> str:
        """The first step that has not ended yet."""
        return next((each.name for each in self.containers if each.terminated is None), "")

    @property
    def succeeded(self) -> bool:
        """Whether all its containers are done, which shows before the Job's condition does."""
        endings = [each.terminated for each in self.containers]
        return bool(endings) and all(ending is not None and ending.exit_code == 0 for ending in endings)


class Job(Facts, frozen=True, kw_only=True):
    """One Job of the resource."""

    name: str
    uid: str
    key: str
    stage: str
    created: float
    inputs: str = ""
    request: str = ""
    """What its steps are asked, as JSON."""
    server_image: str = ""
    """What tries the model."""
    attempt: int = 1
    suspended: bool = False
    """Whether somebody, such as Kueue, holds it back: it has no pods, and its time stands still."""
    queue: str = ""
    """Kueue's queue that it is in."""
    complete: bool = False
    failed: str = ""
    """Reason of the condition Failed."""
    failed_message: str = ""
    finished: float | None = None
    deleting: bool = False
    pods: tuple[Pod, ...] = ()
    """Newest first."""
    refusals: tuple[str, ...] = ()
    """Messages of the FailedCreate Events, where it has no pod."""

    @property
    def runs(self) -> bool:
        """Whether it has a pod that still works, or is about to make one."""
        idle = self.complete or self.failed or self.suspended or self.deleting
        return not (idle or any(pod.succeeded for pod in self.pods))


class LiveObject(Facts, frozen=True, kw_only=True):
    """One of the objects that serving consists of, as it is."""

    kind: str
    uid: str
    body: dict[str, Any] = {}
    owns_by_update: bool = False
    """Whether what was posted is still owned as an update, which an apply would not remove fields of."""


class Deployment(LiveObject, frozen=True, kw_only=True):
    """The Deployment of the resource."""

    kind: str = "Deployment"
    serving_key: str
    artifact_digest: str
    image: str
    request: str
    wanted: int
    """spec.replicas"""
    strategy: str = "RollingUpdate"
    applied: str = ""
    """Key of all that was applied."""
    generation: int = 1
    observed_generation: int = 0
    replicas: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    pods_refused: str = ""
    """Why it cannot make pods: the message of its condition ReplicaFailure."""
    overdue: str = ""
    """That its rollout takes too long: the message of its condition Progressing, once that is False."""
    pods: tuple[Pod, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether its pods are of the newest template alone: no pod of an older one answers any more.

        `kubectl rollout status` does not wait for the last: a pod that is being deleted still gets requests until every
        node knows.
        """
        seen = self.observed_generation >= self.generation and self.updated == self.replicas
        return seen and not any(pod.ready and pod.serving_key != self.serving_key for pod in self.pods)

    @property
    def rolled_out(self) -> bool:
        """Whether there are as many pods as are wanted, all of the newest template and available."""
        return self.is_current and self.wanted == self.replicas and self.available >= self.wanted


class Peer(Facts, frozen=True, kw_only=True):
    """Another resource of the namespace, read live."""

    name: str
    source: SourceStatus | None = None
    artifact: ArtifactStatus | None = None
    verification: VerificationStatus | None = None


class Turn(Facts, frozen=True, kw_only=True):
    """Whether a Job may begin now; if not, its place in the line of those that wait for room."""

    may_begin: bool = True
    place: int = 0
    """From 1,"""
    waiting: int = 0
    """of so many."""
    running: int = 0
    """How many Jobs there are,"""
    limit: int = 0
    """and may be at once:"""
    of_namespace: bool = False
    """in this namespace, or in all of them."""

    @property
    def look_again(self) -> float:
        """Seconds for which a place that was told is told on: each write is an event, and a thousand may wait."""
        return min(self.place * LOOK_AGAIN_PER_PLACE, LONGEST_LOOK_AGAIN)


class Observed(Facts, frozen=True, kw_only=True):
    """Everything that was observed for one reconciliation."""

    now: float
    jobs: tuple[Job, ...] = ()
    deployment: Deployment | None = None
    objects: tuple[LiveObject, ...] = ()
    """What serving consists of beside the Deployment."""
    job_policies: tuple[LiveObject, ...] = ()
    """NetworkPolicies of the pods of Jobs."""
    stages: frozenset[str] = frozenset()
    """Stages, as labels name them, that there are Jobs or pods of."""
    foreign: tuple[str, ...] = ()
    """Objects, such as 'Service web', that have a child's name and are not ours."""
    leaving: tuple[str, ...] = ()
    """Objects that have a child's name until they are collected: who owns them had the resource's name, or they are being deleted."""
    lacking: frozenset[str] = frozenset()
    """Kinds that the cluster has not."""
    peers: tuple[Peer, ...] = ()
    may_reverify: bool = False
    """Whether one more artifact may be verified by a newer server image now."""
    turn: Turn = Turn()
    makers: dict[str, str] = {}
    """Artifacts, by key, that other resources of the namespace are about to have converted, and whose they are."""

    @property
    def live(self) -> dict[str, LiveObject]:
        """What serving consists of, by kind."""
        found = (self.deployment, *self.objects) if self.deployment else self.objects
        return {each.kind: each for each in found}

    def job(self, name: str) -> Job | None:
        """Return the Job with this name."""
        return next((job for job in self.jobs if job.name == name), None)
