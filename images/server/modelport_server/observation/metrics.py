"""Prometheus metrics of a server, in the words that dashboards of this field use.

A request leaves its times in a list, in the event loop's thread; many of them become counts at once, which costs a tenth
of counting each, and counts become metrics when they are asked for.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from modelport_server.dataplane.calls import Call

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STAGES = ("parse", "queue", "compute", "encode")
FOLDED = 1024
"""Requests that are counted at once."""
Times = tuple[float, float, float, float, float, float]


class Histogram:
    """Counts by upper bound."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Count up to each bound, and above."""
        self._bounds = bounds
        self._counts = np.zeros(len(bounds) + 1, np.int64)
        self._sum = 0.0

    def observe(self, values: npt.NDArray[np.float64]) -> None:
        """Count values."""
        self._counts += np.bincount(np.searchsorted(self._bounds, values), minlength=len(self._counts))
        self._sum += float(values.sum())

    @property
    def count(self) -> int:
        """How many values there were."""
        return int(self._counts.sum())

    def add_to(self, family: HistogramMetricFamily, labels: list[str]) -> None:
        """Write what was counted."""
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        sums: list[int] = np.cumsum(self._counts).tolist()
        family.add_metric(labels, list(zip(bounds, sums, strict=True)), self._sum)


class Metrics:
    """The metrics of one model."""

    def __init__(self, model: str) -> None:
        """Count nothing yet."""
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._model = model
        self._pending: dict[tuple[str, str], list[Times]] = {}
        self._requests: dict[tuple[str, str], Histogram] = {}
        self._stages = {stage: Histogram(SECONDS) for stage in STAGES}
        self._rows = Histogram(ROWS)
        self.answering = 0
        """Requests that are here as a whole."""
        self.is_ready = False
        self.load_seconds = 0.0
        self.receiving: list[Callable[[], int]] = []
        """Each tells how many requests are here in part."""
        self.waiting: Callable[[], int] = int
        """Tells how many requests wait."""

    def ended(self, protocol: str, call: Call) -> None:
        """Count a request; its stages too if it was answered."""
        key = (protocol, call.code)
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = []
            self._requests[key] = Histogram(SECONDS)
        pending.append((call.arrived, call.received, call.decoded, call.started, call.ended, call.done))
        if len(pending) >= FOLDED:
            self._fold()

    def _fold(self) -> None:
        """Turn what is pending into counts."""
        for key, pending in self._pending.items():
            if not pending:
                continue
            arrived, received, decoded, started, ended, done = np.array(pending).T
            pending.clear()
            self._requests[key].observe(done - arrived)
            ran = ended > 0
            for stage, begin, end in zip(
                STAGES, (received, decoded, started, ended), (decoded, started, ended, done), strict=True
            ):
                self._stages[stage].observe((end - begin)[ran])

    def batch(self, rows: int) -> None:
        """Count a run of several requests."""
        self._rows.observe(np.array([rows], np.float64))

    def render(self) -> bytes:
        """Return the text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Return all metrics, for the registry."""
        self._fold()
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
            requests.add_metric(labels, durations.count)
            durations.add_to(seconds, labels)
        return iter((requests, seconds))

    def _gauges(self) -> Iterator[Metric]:
        for name, text, value in (
            (
                "requests_in_flight",
                "Requests being received or answered.",
                sum(receiving() for receiving in self.receiving) + self.answering,
            ),
            ("queue_size", "Requests that wait for the model.", self.waiting()),
            ("model_ready", "1 once the model has answered its golden samples.", int(self.is_ready)),
            ("model_load_duration_seconds", "Time to load and warm up.", self.load_seconds),
        ):
            family = GaugeMetricFamily(f"modelport_{name}", text, labels=("model",))
            family.add_metric([self._model], value)
            yield family
