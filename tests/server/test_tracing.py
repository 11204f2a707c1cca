"""Traces, as a collector gets them over OTLP."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from modelport_server.observation.tracing import wants_traces
from server.models import features, mlp_artifact
from server.processes import INFER, serving, tensor


@pytest.fixture
def collector():
    """Return a collector's address, and what it was sent."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_spans_of_a_request_reach_the_collector_with_the_client_s_trace(tmp_path, collector):
    address, received = collector
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_SERVICE_NAME": "net"}
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with serving(mlp_artifact(tmp_path / "artifact"), "--drain-seconds", "0", **variables) as server:
        body = {"id": "one", "inputs": [tensor("features", features(1))]}
        assert server.ask(INFER, body, traceparent=f"00-{trace}-00f067aa0ba902b7-01").status == 200
        assert server.ask(INFER, {"inputs": []}, traceparent="nonsense").status == 400
        server.process.terminate()
        assert server.ended()[0] == 0
    (resource,) = [each for request in received for each in request.resource_spans]
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == "net"
    spans = resource.scope_spans[0].spans
    assert [span.name for span in spans] == ["parse", "queue", "compute", "encode", "infer net", "infer net"]
    of_server = spans[4]
    assert of_server.trace_id.hex() == trace
    assert of_server.parent_span_id.hex() == "00f067aa0ba902b7"
    assert {span.parent_span_id for span in spans[:4]} == {of_server.span_id}
    for span in spans[:5]:
        assert of_server.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
    assert spans[5].trace_id != of_server.trace_id


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_when_traces_are_wanted(environment, expected):
    assert wants_traces(environment) is expected
