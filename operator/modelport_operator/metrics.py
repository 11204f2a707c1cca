"""What Prometheus is told: who leads, reconciliations, their durations, the queue, resources by state, conversions by outcome."""

from collections import Counter as Tally
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from modelport.api.status import Status

STATES = ("Ready", "Reconciling", "Stalled", "Suspended", "Unknown")


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


class Metrics(Collector):
    """The metrics of one process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.leads = False
        self.queue_depth: Callable[[], int] = lambda: 0
        self.jobs: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """How many resources have a Job that runs, and wait for room for one."""
        self._states: dict[tuple[str, str], str] = {}
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
        registry.register(self)

    def reconciled(self, result: str, seconds: float) -> None:
        """Count a reconciliation."""
        self._reconciles.labels(result).inc()
        self._seconds.observe(seconds)

    def reported(self, namespace: str, name: str, old: Status, new: Status) -> None:
        """Note the state of a resource, and count the conversion that ended."""
        self._states[namespace, name] = state_of(new)
        ended = conversion_between(old, new)
        if ended:
            self._conversions.labels(*ended).inc()

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
        tally = Tally(self._states.values())
        for state in STATES:
            resources.add_metric([state], tally[state])
        yield resources
