"""OpenTelemetry traces, when the standard environment variables name a place to send them.

Spans are made once a request has been answered, from the times that it was measured at: a request pays for nothing
while it is under way, and a server without traces does not load the library.
"""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from modelport_server.dataplane.calls import Call, clock

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FAILED = ("5", "INTERNAL", "UNAVAILABLE", "DEADLINE")
"""How codes begin that say that it was the server's fault."""


def wants_traces(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether there is a place to send traces to, and they are not switched off."""
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    return not off and any(environment.get(name) for name in VARIABLES)


class Tracing:
    """Makes a span of each request, with one for each of its stages."""

    def __init__(self, model: str, exporter: "SpanExporter | None" = None) -> None:
        """Send spans to `exporter`; without one, over OTLP to where the environment says."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider: TracerProvider = TracerProvider()  # its sampler and resource come from the environment too
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("modelport")
        self._parents = TraceContextTextMapPropagator()
        self._model = model
        self._epoch = time.time_ns() - round(clock() * 1e9)

    def __call__(self, transport: str, call: Call) -> None:
        """Make the spans of a request."""
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        parent = self._parents.extract({"traceparent": call.parent.decode("latin-1")}) if call.parent else None
        span = self._tracer.start_span(
            f"infer {self._model}",
            context=parent,
            kind=SpanKind.SERVER,
            start_time=self._time(call.arrived),
            attributes={"rpc.system": transport, "modelport.model": self._model, "modelport.code": call.code},
        )
        if call.id:
            span.set_attribute("modelport.request.id", call.id[:256])
        if call.code.startswith(FAILED):
            span.set_status(Status(StatusCode.ERROR))
        if call.ended:
            within = set_span_in_context(span)
            for name, start, end in (
                ("parse", call.received, call.decoded),
                ("queue", call.decoded, call.started),
                ("compute", call.started, call.ended),
                ("encode", call.ended, call.done),
            ):
                self._tracer.start_span(name, context=within, start_time=self._time(start)).end(self._time(end))
        span.end(self._time(call.done))

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()

    def _time(self, moment: float) -> int:
        return self._epoch + round(moment * 1e9)
