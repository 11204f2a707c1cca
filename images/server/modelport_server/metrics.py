"""Prometheus metrics of a server, in the words that dashboards of this field use."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics of one model."""

    def __init__(self, model: str) -> None:
        """Register all under the model's name."""
        self._registry = CollectorRegistry()
        self._model = model
        self._requests = Counter(
            "modelport_requests", "Inference requests by HTTP status.", ("model", "code"), registry=self._registry
        )
        self._seconds = Histogram(
            "modelport_request_duration_seconds",
            "Time from the first byte of a request's body to its answer, by HTTP status.",
            ("model", "code"),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "modelport_requests_in_flight", "Requests being answered.", ("model",), registry=self._registry
        ).labels(model)
        self.ready = Gauge(
            "modelport_model_ready",
            "1 once the model has answered its golden samples.",
            ("model",),
            registry=self._registry,
        ).labels(model)
        self.load_seconds = Gauge(
            "modelport_model_load_duration_seconds", "Time to load and warm up.", ("model",), registry=self._registry
        ).labels(model)

    def answered(self, code: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(self._model, str(code)).inc()
        self._seconds.labels(self._model, str(code)).observe(seconds)

    def render(self) -> bytes:
        """Return the text format."""
        return generate_latest(self._registry)
