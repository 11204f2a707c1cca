"""Prometheus metrics of a server, in the words that dashboards of this field use.

A request touches plain numbers only, in the event loop's thread; they become metrics when they are asked for.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from modelport_server.calls import Call

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STAGES = ("parse", "queue", "compute", "encode")


class Histogram:
    """Counts by upper bound."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Count up to each bound, and above."""
        self._bounds, self.counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def add_to(self, family: HistogramMetricFamily, labels: list[str]) -> None:
        """Write what was counted."""
        buckets, sum_of_counts = [], 0
        for bound, count in zip((*map(float, self._bounds), float("inf")), self.counts, strict=True):
            sum_of_counts += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), sum_of_counts))
        family.add_metric(labels, buckets, self.total)


class Metrics:
    """The metrics of one model."""

    def __init__(self, model: str) -> None:
        """Count nothing yet."""
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._model = model
        self._requests: dict[tuple[str, str], Histogram] = {}
        self._stages = {stage: Histogram(SECONDS) for stage in STAGES}
        self._rows = Histogram(ROWS)
        self.in_flight = 0
        self.is_ready = False
        self.load_seconds = 0.0
        self.waiting: Callable[[], int] = int
        """Tells how many requests wait."""

    def ended(self, protocol: str, call: Call) -> None:
        """Count a request; its stages too if it was answered."""
        key = (protocol, call.code)
        durations = self._requests.get(key)
        if durations is None:
            durations = self._requests[key] = Histogram(SECONDS)
        durations.observe(call.done - call.arrived)
        if call.ended:
            stages = self._stages
            stages["parse"].observe(call.decoded - call.received)
            stages["queue"].observe(call.started - call.decoded)
            stages["compute"].observe(call.ended - call.started)
            stages["encode"].observe(call.done - call.ended)

    def batch(self, rows: int) -> None:
        """Count a run of several requests."""
        self._rows.observe(rows)

    def render(self) -> bytes:
        """Return the text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Return all metrics, for the registry."""
        yield from self._of_requests()
        yield from self._gauges()
        stages = HistogramMetricFamily(
            "modelport_request_stage_duration_seconds", "Time in each stage of a request.", labels=("model", "stage")
        )
        for stage, histogram in self._stages.items():
            histogram.add_to(stages, [self._model, stage])
        yield stages
        rows = HistogramMetricFamily("modelport_batch_size", "Rows of each run with batching.", labels=("model",))
        self._rows.add_to(rows, [self._model])
        yield rows

    def _of_requests(self) -> Iterator[Metric]:
        names = ("model", "protocol", "code")
        requests = CounterMetricFamily("modelport_requests", "Inference requests by status.", labels=names)
        seconds = HistogramMetricFamily(
            "modelport_request_duration_seconds", "Time from a request's first byte to its answer.", labels=names
        )
        for (protocol, code), durations in self._requests.items():
            labels = [self._model, protocol, code]
            requests.add_metric(labels, sum(durations.counts))
            durations.add_to(seconds, labels)
        return iter((requests, seconds))

    def _gauges(self) -> Iterator[Metric]:
        for name, text, value in (
            ("requests_in_flight", "Requests being answered.", self.in_flight),
            ("queue_size", "Requests that wait for the model.", self.waiting()),
            ("model_ready", "1 once the model has answered its golden samples.", int(self.is_ready)),
            ("model_load_duration_seconds", "Time to load and warm up.", self.load_seconds),
        ):
            family = GaugeMetricFamily(f"modelport_{name}", text, labels=("model",))
            family.add_metric([self._model], value)
            yield family
