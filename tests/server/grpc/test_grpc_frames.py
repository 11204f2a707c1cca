"""Messages, headers and trailers of gRPC, where no client of it would send what is sent here."""

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
from modelport_server.grpc.streams import IN_FLIGHT
from modelport_server.transport.limits import Limits
from server.grpc.grpc_places import near, request
from server.grpc.http2 import http2_client
from server.grpc.http2.http2_client import FIRST_WINDOW, PREFACE, WHOLE, Client, data, window_update
from server.models import features, identity, identity_artifact, mlp_artifact, scores

INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
LIMITS = Limits(max_body_bytes=100_000, body_seconds=0.2)
ARRAY = features(2)
GOOD = request(features=ARRAY).SerializeToString()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with near(mlp_artifact(tmp_path_factory.mktemp("frames") / "artifact"), LIMITS) as running:
        yield running


def framed(message, flag=0, length=None):
    return struct.pack(">BI", flag, len(message) if length is None else length) + message


class Rpc:
    """What one request was answered."""

    def __init__(self, answer):
        self._answer = answer
        self.headers = answer.heads[0]
        trailers = answer.heads[-1]
        self.status = GrpcStatus(int(trailers["grpc-status"])), unquote(trailers.get("grpc-message", ""))
        self.message = trailers.get("grpc-message", "")

    @property
    def messages(self):
        body, found = self._answer.body, []
        while body:
            flag, length = struct.unpack_from(">BI", body)
            content, body = body[5 : 5 + length], body[5 + length :]
            found.append(zlib.decompress(content, 47) if flag else content)
        return found


def ask(place, *chunks, path=INFER, ends=True, **headers):
    with Client(place.port) as client:
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        stream = client.open(*given, path=path)
        client.send(*(data(stream, chunk, 0) for chunk in chunks), data(stream, b"") if ends else b"")
        return Rpc(client.answer(stream))


def check(rpc, count=1):
    assert rpc.status == (GrpcStatus.OK, "")
    assert len(rpc.messages) == count
    for message in rpc.messages:
        answer = service_pb2.ModelInferResponse.FromString(message)
        got = np.frombuffer(answer.raw_output_contents[0], np.float32).reshape(answer.outputs[0].shape)
        np.testing.assert_allclose(got, scores(ARRAY), rtol=1e-4, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(1, len(GOOD) + 4)))
def test_frames_may_come_in_any_pieces(place, cuts):
    body, places = framed(GOOD), sorted(cuts)
    chunks = [body[start:stop] for start, stop in zip([0, *places], [*places, None], strict=True)]
    check(ask(place, *chunks))


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(1, 3 * (len(GOOD) + 5) - 1), max_size=20))
def test_frames_of_a_stream_may_come_in_any_pieces(place, cuts):
    body, places = framed(GOOD) * 3, sorted(cuts)
    chunks = [body[start:stop] for start, stop in zip([0, *places], [*places, None], strict=True)]
    rpc = ask(place, *chunks, path=STREAM)
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
def test_wrong_frames_are_told(place, chunks, code, told):
    for path in (INFER, "/inference.GRPCInferenceService/ServerLive"):
        found, message = ask(place, *chunks, path=path).status
        assert found == code
        assert told in message


def test_wrong_frames_end_a_stream_behind_its_answers(place):
    rpc = ask(place, framed(GOOD), framed(GOOD, flag=7), framed(GOOD), path=STREAM)
    assert len(rpc.messages) == 1
    assert rpc.status[0] == INVALID
    assert "found 7" in rpc.status[1]


def test_a_message_that_does_not_come_is_not_waited_for(place):
    for path in (INFER, STREAM):
        rpc = ask(place, framed(GOOD)[:9], ends=False, path=path)
        assert rpc.status == (GrpcStatus.CANCELLED, "message: expected within 0.2 s, still incomplete")


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compression_of_requests_and_answers(tmp_path, name, pack):
    array = np.zeros(4000, np.float32)
    message = framed(pack(request(x=array).SerializeToString()), flag=1)
    with near(identity_artifact(tmp_path / "artifact", identity(("x", "float32", ["n"]))), LIMITS) as place:
        for accepted, encoding in ((b"identity, deflate, gzip", name), (b"identity", None), (b"", None)):
            rpc = ask(place, message, grpc_encoding=name.encode(), grpc_accept_encoding=accepted)
            assert rpc.status == (GrpcStatus.OK, "")
            assert rpc.headers.get("grpc-encoding") == encoding
            answer = service_pb2.ModelInferResponse.FromString(rpc.messages[0])
            assert answer.raw_output_contents[0] == array.tobytes()
        plain = ask(place, framed(request(x=array).SerializeToString()), grpc_accept_encoding=b"gzip, deflate")
        assert "grpc-encoding" not in plain.headers


@pytest.mark.parametrize(
    ("message", "code", "told"),
    [
        (gzip.compress(bytes(200_000)), GrpcStatus.RESOURCE_EXHAUSTED, "body: expected at most 100000 bytes when"),
        (gzip.compress(GOOD)[:-9], INVALID, "body: expected gzip, found it cut off"),
        (gzip.compress(GOOD) + b"a", INVALID, "body: expected gzip, found 1 bytes after its end"),
        (GOOD, INVALID, "body: expected gzip, found what is not"),
    ],
    ids=["too large", "cut off", "more", "none"],
)
def test_wrong_compression_is_told(place, message, code, told):
    found, text = ask(place, framed(message, flag=1), grpc_encoding=b"gzip").status
    assert found == code
    assert told in text


def test_unknown_encodings_are_answered_with_those_that_are_known(place):
    rpc = ask(place, framed(GOOD), grpc_encoding=b"snappy")
    assert rpc.status == (GrpcStatus.UNIMPLEMENTED, "grpc-encoding: expected identity, gzip, deflate, found snappy")
    assert rpc.headers["grpc-accept-encoding"] == "identity, gzip, deflate"
    check(ask(place, framed(GOOD), grpc_encoding=b"identity"))


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
def test_deadlines_of_the_header(place, timeout, code, told):
    found, message = ask(place, framed(GOOD), grpc_timeout=timeout).status
    assert found == code
    assert told in message


def test_messages_of_statuses_are_encoded(place):
    bad = request(features=ARRAY)
    bad.inputs[0].name = "é%\n"
    rpc = ask(place, framed(bad.SerializeToString()))
    assert rpc.message.startswith("inputs[%C3%A9%25%0A]: expected one of features")


@pytest.mark.parametrize(("more", "method"), [([], "GET"), ([("content-type", "text/plain")], "POST")])
def test_what_is_no_grpc_is_told_so(place, more, method):
    with Client(place.port) as client:
        answer = client.answer(client.open(*more, flags=WHOLE, method=method))
    assert answer.status == "415"
    assert answer.heads[0]["grpc-message"].startswith("expected gRPC")


def test_failures_of_the_server_tell_nothing_of_it(place, monkeypatch, caplog):
    monkeypatch.setattr(place.application._service, "read", lambda *_: 1 / 0)
    rpc = ask(place, framed(GOOD))
    assert rpc.status == (GrpcStatus.INTERNAL, "internal error")
    assert "ZeroDivisionError" in caplog.text
    assert len(ask(place, framed(GOOD), path=STREAM).messages) == 1


def test_streams_end_when_the_server_stops_once_all_is_answered(tmp_path):
    with near(mlp_artifact(tmp_path / "artifact"), LIMITS) as place, Client(place.port) as client:
        stream = client.open(path=STREAM)
        client.send(data(stream, framed(GOOD) * 2, 0))
        client.until(lambda: client.answers[stream].body.count(b"scores") == 2)
        place.loop.call_soon_threadsafe(place.application.finish_streams)
        rpc = Rpc(client.answer(stream))
    assert len(rpc.messages) == 2
    assert rpc.status[0] == GrpcStatus.UNAVAILABLE


def test_a_stream_reads_no_more_than_some_requests_ahead(tmp_path):
    artifact = mlp_artifact(tmp_path / "artifact")
    with (
        near(artifact, LIMITS) as place,
        Client(place.port, PREFACE, http2_client.settings({FIRST_WINDOW: 0})) as client,
    ):
        stream = client.open(path=STREAM)
        client.send(data(stream, framed(GOOD) * 100))
        ahead = f'{{code="OK",model="net",protocol="grpc"}} {IN_FLIGHT + 1}.0'  # one is being sent
        while ahead not in place.metrics.render().decode():
            client.ping()
        for _ in range(100):
            client.ping()
        assert ahead in place.metrics.render().decode()
        client.send(window_update(stream, 1 << 20))
        rpc = Rpc(client.answer(stream))
    assert len(rpc.messages) == 100
    assert rpc.status == (GrpcStatus.OK, "")
