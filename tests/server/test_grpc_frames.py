"""Frames, headers and trailers, where no client would send what is sent here: the ASGI application is asked itself."""

import asyncio
import gzip
import struct
import zlib
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from modelport_server.errors import GrpcStatus
from modelport_server.grpc.application import Application
from modelport_server.limits import Limits
from modelport_server.metrics import Metrics
from modelport_server.observation import Observation
from server.grpc_places import ready, request
from server.models import features, identity, identity_artifact, mlp_artifact, scores
from server.processes import MODEL

INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
LIMITS = Limits(max_body_bytes=100_000, body_seconds=0.2)
ARRAY = features(2)
GOOD = request(features=ARRAY).SerializeToString()


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    with ready(mlp_artifact(tmp_path_factory.mktemp("frames") / "artifact")) as lifecycle:
        yield Application(lifecycle, Observation(Metrics(MODEL)), LIMITS)


def framed(message, flag=0, length=None):
    return struct.pack(">BI", flag, len(message) if length is None else length) + message


class Rpc:
    """One request to the application, and what it answered."""

    def __init__(self, *chunks, path=INFER, ends="http.request", **headers):
        self._chunks, self._ends = list(chunks), ends
        self.scope = {
            "type": "http",
            "path": path,
            "extensions": {"http.response.trailers": {}},
            "headers": [
                (b"content-type", b"application/grpc+proto"),
                *((name.replace("_", "-").encode(), value) for name, value in headers.items()),
            ],
        }
        self.events = []
        self.gone = asyncio.Event()

    async def receive(self):
        if self._chunks:
            return {"type": "http.request", "body": self._chunks.pop(0), "more_body": True}
        if self._ends == "nothing":
            await self.gone.wait()
        if self._ends == "http.request":
            self._ends = "nothing"
            return {"type": "http.request"}
        return {"type": "http.disconnect"}

    async def send(self, event):
        self.events.append(event)

    @property
    def headers(self):
        return dict(self.events[0]["headers"])

    @property
    def status(self):
        trailers = dict(self.events[-1]["headers"])
        return GrpcStatus(int(trailers[b"grpc-status"])), unquote(trailers.get(b"grpc-message", b"").decode())

    @property
    def messages(self):
        body, found = b"".join(event.get("body", b"") for event in self.events), []
        while body:
            flag, length = struct.unpack_from(">BI", body)
            content, body = body[5 : 5 + length], body[5 + length :]
            found.append(zlib.decompress(content, 47) if flag else content)
        return found


def ask(application, *chunks, **options):
    async def run():
        rpc = Rpc(*chunks, **options)
        await asyncio.wait_for(application(rpc.scope, rpc.receive, rpc.send), 10)
        return rpc

    return asyncio.run(run())


def check(rpc, count=1):
    assert rpc.status == (GrpcStatus.OK, "")
    assert len(rpc.messages) == count
    for message in rpc.messages:
        answer = service_pb2.ModelInferResponse.FromString(message)
        got = np.frombuffer(answer.raw_output_contents[0], np.float32).reshape(answer.outputs[0].shape)
        np.testing.assert_allclose(got, scores(ARRAY), rtol=1e-4, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(1, len(GOOD) + 4)))
def test_frames_may_come_in_any_pieces(application, cuts):
    body, places = framed(GOOD), sorted(cuts)
    chunks = [body[start:stop] for start, stop in zip([0, *places], [*places, None], strict=True)]
    check(ask(application, *chunks))


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(1, 3 * (len(GOOD) + 5) - 1), max_size=20))
def test_frames_of_a_stream_may_come_in_any_pieces(application, cuts):
    body, places = framed(GOOD) * 3, sorted(cuts)
    chunks = [body[start:stop] for start, stop in zip([0, *places], [*places, None], strict=True)]
    rpc = ask(application, *chunks, path=STREAM)
    assert rpc.status == (GrpcStatus.OK, "")
    assert len(rpc.messages) == 3


INVALID = GrpcStatus.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("chunks", "code", "told"),
    [
        ([], INVALID, "request: expected one message, found none"),
        ([b"", b""], INVALID, "request: expected one message, found none"),
        ([framed(GOOD), framed(GOOD)], INVALID, "request: expected one message, found more"),
        ([framed(GOOD) * 2], INVALID, "request: expected one message, found more"),
        ([framed(GOOD) + b"a"], INVALID, "request: expected one message, found more"),
        ([framed(GOOD)[:3]], INVALID, "message: expected a prefix of 5 bytes, found the end of the request"),
        ([framed(GOOD)[:9]], INVALID, f"message: expected {len(GOOD)} bytes, found the end of the request"),
        ([framed(GOOD, flag=2)], INVALID, "message: expected a flag of 0 or 1 before it, found 2"),
        ([framed(GOOD, flag=1)], INVALID, "grpc-encoding: expected the encoding of a compressed message, found none"),
        ([framed(b"", length=100_001)], GrpcStatus.RESOURCE_EXHAUSTED, "message: expected at most 100000 bytes"),
        ([framed(b"", length=0xFFFFFFFF)[:5]], GrpcStatus.RESOURCE_EXHAUSTED, "message: expected at most 100000"),
    ],
)
def test_wrong_frames_are_told(application, chunks, code, told):
    for path in (INFER, "/inference.GRPCInferenceService/ServerLive"):
        found, message = ask(application, *chunks, path=path).status
        assert found == code
        assert told in message


def test_wrong_frames_end_a_stream_behind_its_answers(application):
    rpc = ask(application, framed(GOOD), framed(GOOD, flag=7), framed(GOOD), path=STREAM)
    assert len(rpc.messages) == 1
    assert rpc.status[0] == INVALID
    assert "found 7" in rpc.status[1]


def test_a_message_that_does_not_come_is_not_waited_for(application):
    for path in (INFER, STREAM):
        rpc = ask(application, framed(GOOD)[:9], ends="nothing", path=path)
        assert rpc.status == (GrpcStatus.CANCELLED, "message: expected within 0.2 s, still incomplete")


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compression_of_requests_and_answers(tmp_path, name, pack):
    array = np.zeros(4000, np.float32)
    message = framed(pack(request(x=array).SerializeToString()), flag=1)
    with ready(identity_artifact(tmp_path / "artifact", identity(("x", "float32", ["n"])))) as lifecycle:
        application = Application(lifecycle, Observation(Metrics(MODEL)), LIMITS)
        for accepted, encoding in ((b"identity, deflate, gzip", name.encode()), (b"identity", None), (b"", None)):
            rpc = ask(application, message, grpc_encoding=name.encode(), grpc_accept_encoding=accepted)
            assert rpc.status == (GrpcStatus.OK, "")
            assert rpc.headers.get(b"grpc-encoding") == encoding
            assert (len(rpc.events[1]["body"]) < 1000) == (encoding is not None)
            answer = service_pb2.ModelInferResponse.FromString(rpc.messages[0])
            assert answer.raw_output_contents[0] == array.tobytes()
        plain = ask(application, framed(request(x=array).SerializeToString()), grpc_accept_encoding=b"gzip, deflate")
        assert b"grpc-encoding" not in plain.headers


@pytest.mark.parametrize(
    ("message", "code", "told"),
    [
        (gzip.compress(bytes(200_000)), GrpcStatus.RESOURCE_EXHAUSTED, "body: expected at most 100000 bytes when"),
        (gzip.compress(GOOD)[:-9], INVALID, "body: expected gzip, found it cut off"),
        (gzip.compress(GOOD) + b"a", INVALID, "body: expected gzip, found 1 bytes after its end"),
        (GOOD, INVALID, "body: expected gzip, found what is not"),
    ],
)
def test_wrong_compression_is_told(application, message, code, told):
    found, text = ask(application, framed(message, flag=1), grpc_encoding=b"gzip").status
    assert found == code
    assert told in text


def test_unknown_encodings_are_answered_with_those_that_are_known(application):
    rpc = ask(application, framed(GOOD), grpc_encoding=b"snappy")
    assert rpc.status == (GrpcStatus.UNIMPLEMENTED, "grpc-encoding: expected identity, gzip, deflate, found snappy")
    assert rpc.headers[b"grpc-accept-encoding"] == b"identity, gzip, deflate"
    check(ask(application, framed(GOOD), grpc_encoding=b"identity"))


@pytest.mark.parametrize(
    ("timeout", "code", "told"),
    [
        (b"1S", GrpcStatus.OK, ""),
        (b"99999999H", GrpcStatus.OK, ""),
        (b"1n", GrpcStatus.DEADLINE_EXCEEDED, "the deadline passed"),
        (b"0m", GrpcStatus.DEADLINE_EXCEEDED, "the deadline passed"),
        (b"1", INVALID, "grpc-timeout: expected up to 8 digits and a unit, found 1"),
        (b"", INVALID, "grpc-timeout: expected"),
        (b"100000000S", INVALID, "grpc-timeout: expected"),
        (b"-1S", INVALID, "grpc-timeout: expected"),
        (b"1x", INVALID, "found 1x"),
        (b"\xff", INVALID, "grpc-timeout"),
    ],
)
def test_deadlines_of_the_header(application, timeout, code, told):
    found, message = ask(application, framed(GOOD), grpc_timeout=timeout).status
    assert found == code
    assert told in message


def test_messages_of_statuses_are_encoded(application):
    bad = request(features=ARRAY)
    bad.inputs[0].name = "é%\n"
    rpc = ask(application, framed(bad.SerializeToString()))
    trailer = dict(rpc.events[-1]["headers"])[b"grpc-message"]
    assert trailer.startswith(b"inputs[%C3%A9%25%0A]: expected one of features")


@pytest.mark.parametrize(
    "change", [{"extensions": {}}, {"headers": []}, {"headers": [(b"content-type", b"text/plain")]}]
)
def test_what_is_no_grpc_is_told_so(application, change):
    async def run():
        rpc = Rpc(framed(GOOD))
        await application(rpc.scope | change, rpc.receive, rpc.send)
        return rpc

    rpc = asyncio.run(run())
    assert rpc.events[0]["status"] == 415
    assert rpc.events[1]["body"].startswith(b"expected gRPC")


def test_who_leaves_gets_nothing(application):
    for path in (INFER, STREAM, "/inference.GRPCInferenceService/ServerLive"):
        rpc = ask(application, framed(GOOD)[:9], path=path, ends="http.disconnect")
        assert not [event for event in rpc.events[1:] if event["type"] == "http.response.trailers" and path == INFER]


def test_failures_of_the_server_tell_nothing_of_it(application, monkeypatch, caplog):
    monkeypatch.setattr(application._service, "ask", lambda *_: 1 / 0)
    rpc = ask(application, framed(GOOD))
    assert rpc.status == (GrpcStatus.INTERNAL, "internal error")
    assert "ZeroDivisionError" in caplog.text
    assert len(ask(application, framed(GOOD), path=STREAM).messages) == 1


def test_streams_end_when_the_server_stops_once_all_is_answered(application):
    async def run():
        rpc = Rpc(framed(GOOD), framed(GOOD), path=STREAM, ends="nothing")
        answering = asyncio.create_task(application(rpc.scope, rpc.receive, rpc.send))
        for _ in range(1000):
            await asyncio.sleep(0)
        assert len(rpc.messages) == 2
        application.finish_streams()
        await asyncio.wait_for(answering, 10)
        return rpc

    rpc = asyncio.run(run())
    assert len(rpc.messages) == 2
    assert rpc.status[0] == GrpcStatus.UNAVAILABLE


def test_a_stream_reads_no_more_than_some_requests_ahead(application):
    read = 0

    async def run():
        rpc = Rpc(*[framed(GOOD)] * 100, path=STREAM)
        may_send, receive = asyncio.Event(), rpc.receive

        async def counted():
            nonlocal read
            read += 1
            return await receive()

        async def send(event):
            if event.get("body"):
                await may_send.wait()
            await rpc.send(event)

        answering = asyncio.create_task(application(rpc.scope, counted, send))
        for _ in range(1000):
            await asyncio.sleep(0)
        ahead = read
        may_send.set()
        await asyncio.wait_for(answering, 10)
        return rpc, ahead

    rpc, ahead = asyncio.run(run())
    assert ahead <= 17
    assert len(rpc.messages) == 100
    assert rpc.status == (GrpcStatus.OK, "")
