"""What Prometheus is told: who leads, reconciliations, the queue, Jobs, watches, resources by state, conversions by outcome."""

import itertools
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from modelport.api.reasons import ADVICE
from modelport.api.status import Status
from modelport_operator import reading

STATES = ("Ready", "Reconciling", "Stalled", "Suspended", "Unknown")
MAX_STALLED = 200
"""So many Stalled resources are told by name, each of which is a time series."""


def state_of(status: Status) -> str:
    """Return the one word for a resource's state."""
    held = {condition.type: condition for condition in status.conditions if condition.status == "True"}
    ready = next((condition for condition in status.conditions if condition.type == "Ready"), None)
    if ready and ready.reason == "Suspended":
        return "Suspended"
    return next((state for state in ("Stalled", "Reconciling", "Ready") if state in held), "Unknown")


class Conversion(NamedTuple):
    """How a conversion ended."""

    outcome: str
    reason: str = ""


def conversion_between(old: Status, new: Status) -> Conversion | None:
    """Return how a conversion ended between two statuses of a resource, or None if none did."""
    if new.artifact and (old.artifact is None or old.artifact.key != new.artifact.key):
        return Conversion("reused" if new.artifact.reused else "succeeded")
    failure = new.failure
    if failure is None or failure.stage not in {"Import", "Convert", "Verify"}:
        return None
    before = old.failure
    same = before and (before.key, before.reason, before.attempts) == (failure.key, failure.reason, failure.attempts)
    return None if same else Conversion("retried" if failure.retryable else "failed", failure.reason)


class StageRun(NamedTuple):
    """How long a Job took from its start, its image and its wait for a node included."""

    stage: str
    result: str
    seconds: float


def stage_between(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> StageRun | None:
    """Return what a Job did that ended between two looks at it, or None; one never seen before may have ended long ago."""
    if old is None or reading.job_end(old):
        return None
    end = reading.job_end(new)
    if end is None:
        return None
    return StageRun(reading.stage_of(new), "succeeded" if end.complete else "failed", end.seconds)


class Metrics(Collector):
    """The metrics of one process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.leads = False
        self.queue_depth: Callable[[], int] = lambda: 0
        self.jobs: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """How many resources have a Job that runs, and wait for room for one."""
        self._states: dict[tuple[str, str], tuple[str, str]] = {}
        self._reconciles = Counter("modelport_reconciles", "Reconciliations by result.", ["result"], registry=registry)
        self._seconds = Histogram(
            "modelport_reconcile_seconds",
            "Duration of a reconciliation.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        self._conversions = Counter(
            "modelport_conversions", "Conversions by outcome and reason.", ["outcome", "reason"], registry=registry
        )
        for reason, advice in ADVICE.items():  # a counter that begins at 1 has not increased, for Prometheus
            self._conversions.labels("retried" if advice.retryable else "failed", reason)
        self._stages = Histogram(
            "modelport_stage_seconds",
            "Duration of the Jobs that ended, by stage and result.",
            ["stage", "result"],
            buckets=(5, 10, 20, 40, 60, 120, 300, 600, 1200, 1800, 3600, 7200),
            registry=registry,
        )
        self._heard = Gauge(
            "modelport_watch_last_event_timestamp_seconds",
            "When a watch brought a change for the last time, as Unix time.",
            ["kind"],
            registry=registry,
        )
        self._missed = Counter(
            "modelport_watch_missed",
            "Changes that a watch did not bring, and an audit found.",
            ["kind"],
            registry=registry,
        )
        registry.register(self)

    def reconciled(self, result: str, seconds: float) -> None:
        """Count a reconciliation."""
        self._reconciles.labels(result).inc()
        self._seconds.observe(seconds)

    def reported(self, namespace: str, name: str, old: Status, new: Status) -> None:
        """Note the state of a resource, and count the conversion that ended."""
        state = state_of(new)
        reason = next((each.reason for each in new.conditions if each.type == "Stalled"), "")
        self._states[namespace, name] = state, reason
        ended = conversion_between(old, new)
        if ended:
            self._conversions.labels(*ended).inc()

    def changed(self, kind: str, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> None:
        """Note that a watch brought a change, of a Job that was as `old` when it was last seen, or of anything else."""
        self._heard.labels(kind).set_to_current_time()
        run = stage_between(old, new)
        if run:
            self._stages.labels(run.stage, run.result).observe(run.seconds)

    def missed(self, kind: str, changes: int) -> None:
        """Count changes that a watch did not bring."""
        self._missed.labels(kind).inc(changes)

    def forget(self, namespace: str, name: str) -> None:
        """Keep nothing about a resource that is gone."""
        self._states.pop((namespace, name), None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what is counted at the time of asking."""
        yield GaugeMetricFamily(
            "modelport_leader", "Whether this process works: 1; or stands by: 0.", value=float(self.leads)
        )
        yield GaugeMetricFamily("modelport_queue_depth", "Keys that wait.", value=self.queue_depth())
        jobs = GaugeMetricFamily("modelport_jobs", "Resources with a Job, by its state.", labels=["state"])
        for state, count in zip(("running", "waiting"), self.jobs(), strict=True):
            jobs.add_metric([state], count)
        yield jobs
        resources = GaugeMetricFamily("modelport_resources", "Resources by state.", labels=["state"])
        tally = Tally(state for state, _ in self._states.values())
        for state in STATES:
            resources.add_metric([state], tally[state])
        yield resources
        # `namespace` is the label that a scrape gives to the operator's own
        names = ("resource_namespace", "resource", "reason")
        stalled = GaugeMetricFamily(
            "modelport_resource_stalled", f"Resources that wait for people, {MAX_STALLED} at most.", labels=names
        )
        found = ((key, reason) for key, (state, reason) in sorted(self._states.items()) if state == "Stalled")
        for key, reason in itertools.islice(found, MAX_STALLED):
            stalled.add_metric([*key, reason], 1)
        yield stalled
