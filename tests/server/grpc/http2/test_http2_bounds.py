"""What one client may take of a server of gRPC: its time, its memory and its patience; and what it gets at the end.

The listener runs in this process, so that its clocks can be made short and what it holds can be looked at.
"""

import asyncio
import re
import socket
import struct
import time
from contextlib import contextmanager
from unittest.mock import Mock

import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from modelport_server.dataplane.calls import Call, clock
from modelport_server.errors import BadRequestError, GrpcStatus
from modelport_server.grpc.http2 import connection
from modelport_server.grpc.http2.connection import MAX_HEAD_BYTES
from modelport_server.grpc.http2.hpack import Decoder
from modelport_server.grpc.http2.receiver import MAX_NUISANCES, STREAM_WINDOW
from modelport_server.grpc.http2.requests import READ, read_request
from modelport_server.grpc.streams import STOPPING, Stream, Streams
from modelport_server.rest.connection import Connection as RestConnection
from modelport_server.transport.limits import STALLED_SECONDS, Limits
from server.grpc.grpc_places import near, request
from server.grpc.http2 import http2_client as h2
from server.grpc.http2.http2_client import EMPTY, NO_ERROR, PREFACE, REQUEST, SECONDS, Client, data, frame, head
from server.models import identity, identity_artifact

INFER, STREAM = (f"/inference.GRPCInferenceService/{name}" for name in ("ModelInfer", "ModelStreamInfer"))
WIDE = (PREFACE, h2.settings({h2.FIRST_WINDOW: 1 << 30}), h2.window_update(0, 1 << 30))
NO_WINDOW = (PREFACE, h2.settings({h2.FIRST_WINDOW: 0}))
LARGE = 8 << 20
"""Bytes of an answer that no kernel takes at once."""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return identity_artifact(tmp_path_factory.mktemp("bounds") / "artifact", identity(("x", "uint8", ["n"])))


@pytest.fixture(scope="module")
def shared(artifact):
    with near(artifact, Limits()) as running:
        with Client(running.port) as first:
            # the golden samples' few bytes tell little of how long others take: what is expected to take long is queued
            assert all(told(first.call(framed(1000)[0], path=INFER)) for _ in range(20))
        yield running


@pytest.fixture
def place(shared):
    """Return a listener that the last test's clients have left."""
    until(lambda: not shared.server._connections)
    return shared


@pytest.fixture
def client(place):
    with Client(place.port) as connected:
        yield connected


def until(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def within(place, work):
    """Return what the listener's thread finds."""

    async def call():
        return work()

    return asyncio.run_coroutine_threadsafe(call(), place.loop).result(SECONDS)


def look(place):
    """Let all connections look at the clock, as they do once a second."""
    within(place, lambda: [each.look(clock()) for each in list(place.server._connections)])


def exchanges(place):
    return [each for one in list(place.server._connections) for each in list(one._receiver.exchanges.values())]


def framed(size):
    """Return an inference of so many bytes, and the bytes."""
    array = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    message = request(x=array).SerializeToString()
    return struct.pack(">BI", 0, len(message)) + message, array.tobytes()


def told(answer):
    """Return the bytes that an inference was answered with."""
    assert (answer.status, answer.grpc_status, answer.code) == ("200", "0", None), answer.heads
    return service_pb2.ModelInferResponse.FromString(answer.body[5:]).raw_output_contents[0]


def streamed(answer):
    assert answer.grpc_status == "0", answer.heads
    return service_pb2.ModelStreamInferResponse.FromString(answer.body[5:]).infer_response.raw_output_contents[0]


@contextmanager
def unread(place):
    """Return a client that has taken nothing of a large answer, which the server has sent as far as it can."""
    body, content = framed(LARGE)
    with Client(place.port, *WIDE) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        stream = client.open(path=INFER)
        client.send_body(stream, body)
        until(lambda: place.server._connections and all(each.pending is not None for each in exchanges(place)))
        yield client, stream, content


def test_many_small_windows_leave_time_for_others(place, client):
    with Client(place.port, *NO_WINDOW) as flooding:
        flooding.send(*(h2.check(stream) for stream in range(1, 2000, 2)))
        flooding.ping()
        for _ in range(10):
            flooding.send(h2.window_update(0, 1) * 20_000)
            assert client.call().is_good
        flooding.ping()


def test_each_setting_of_a_frame_counts(client):
    window = struct.pack(">HI", h2.FIRST_WINDOW, 1000)
    client.send(frame(h2.SETTINGS, payload=window * 40))
    assert client.call().is_good
    client.send(frame(h2.SETTINGS, payload=window * 2700))
    assert client.end() == h2.CALM


def test_incomplete_messages_of_streams_are_bounded_together(artifact):
    body, content = framed(90_000)
    with near(artifact, Limits(max_body_bytes=100_000, max_received_bytes=150_000)) as place:
        with Client(place.port, *WIDE) as client:
            first, second, third = (client.open(path=STREAM) for _ in range(3))
            client.send_body(first, body[:-1], flags=0)
            client.send_body(second, body[:-1], flags=0)
            assert client.answer(second).code == h2.CALM
            client.send(data(first, body[-1:], 0))
            client.until(lambda: len(client.answers[first].body) > len(content))
            until(lambda: place.server._held == 0)
            client.send(data(first, b""))
            assert streamed(client.answer(first)) == content
            client.send_body(third, body[:-1], flags=0)
            client.ping()
            assert within(place, lambda: place.server._held) == len(body) - 1
        until(lambda: place.server._held == 0)


def test_who_reads_slowly_gets_all_when_the_server_stops(artifact):
    with near(artifact, Limits()) as place, unread(place) as (client, stream, content):
        closing = asyncio.run_coroutine_threadsafe(place.server.close(20), place.loop)
        answer = client.answers[stream]
        while not answer.is_over:
            assert client.step()
            client.send(h2.window_update(0, 1000))
        assert told(answer) == content
        assert client.end() == NO_ERROR
        closing.result(SECONDS)


def test_who_reads_nothing_is_not_waited_for(place, monkeypatch):
    monkeypatch.setattr(connection, "STALLED_SECONDS", 0.1)
    with unread(place):
        until(lambda: not place.server._connections)


@pytest.mark.parametrize("end", [Client.leave, lambda client: client.send(data(0))], ids=["by leaving", "by an error"])
def test_who_reads_nothing_and_ends_the_connection_is_not_waited_for(place, monkeypatch, end):
    monkeypatch.setattr(connection, "STALLED_SECONDS", 0.1)
    # with a full buffer, the server would not read how the connection ends
    monkeypatch.setattr(connection.Connection, "pause_writing", lambda _: None)
    with unread(place) as (client, _, _):
        end(client)
        until(lambda: not place.server._connections)


def test_who_reads_nothing_of_a_refusal_by_rest_is_not_waited_for():
    connected, transport = RestConnection(Mock(date=b"", is_draining=False)), Mock()
    transport.is_closing = lambda: transport.close.called
    connected.connection_made(transport)
    connected.data_received(b"\0\r\n\r\n")
    connected.look(clock() + STALLED_SECONDS - 1)
    assert (transport.close.called, transport.abort.called) == (True, False)
    connected.look(clock() + STALLED_SECONDS + 1)
    assert transport.abort.called


def test_idle_clients_that_answer_no_ping_are_closed(place, monkeypatch):
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(connection, "PING_SECONDS", 0.1)
    monkeypatch.setattr(connection, "STALLED_SECONDS", 0.1)
    with Client(place.port) as client:
        client._take_ping = lambda *_: None
        assert client.end() == NO_ERROR
        assert client.frames.count((h2.PING, 0, 0)) == 2


def test_headers_in_parts_have_their_own_time_beside_a_stream_that_is_open(place, client, monkeypatch):
    monkeypatch.setattr(connection, "HEAD_SECONDS", 1.0)
    client.open(path=STREAM)
    client.ping()
    time.sleep(1.1)
    client.send(frame(h2.HEADERS, 0, 3, h2.literals(REQUEST)))
    until(lambda: any(each._block for each in list(place.server._connections)))
    look(place)
    client.send(frame(h2.CONTINUATION, h2.END_HEADERS, 3), data(3))
    assert client.answer(3).is_good


def test_a_body_in_many_small_parts_is_put_together(place, client):
    body, content = framed(60_000)
    stream = client.open(path=INFER)
    client.send(*(data(stream, body[place : place + 3], 0) for place in range(0, len(body), 3)))
    client.ping()
    assert len(exchanges(place)[0].chunks) < 100
    client.send(data(stream, b""))
    assert told(client.answer(stream)) == content


def test_headers_that_nobody_reads_are_not_kept():
    more = dict.fromkeys((name.decode() for name in READ), "a") | {"x-long": "a" * 9000, "user-agent": "a"}
    path, headers = read_request(Decoder(MAX_HEAD_BYTES).decode(h2.literals(REQUEST | more)))
    assert path == REQUEST[":path"]
    assert set(headers) == READ | {name.encode() for name in REQUEST if name.startswith(":")}


def test_headers_may_be_no_longer_than_told(client):
    client.ping()
    most = client.settings[h2.MAX_HEADERS]
    assert most == 16 << 10
    long, index = ("x", "a" * 3900), 62  # the first behind the static table
    assert client.call(EMPTY, long, *[long] * 2).is_good
    again = h2.number(index, 7, 0x80) * 5
    client.send(frame(h2.HEADERS, h2.WHOLE, 3, h2.literals(REQUEST) + again), h2.check(5))
    assert client.end() == h2.CALM
    assert not client.answers[5].heads


def test_all_streams_that_come_together_get_their_own_answers(place, client):
    client.ping()
    asked = [framed(size) for size in range(1, 40)]
    with client.together():
        streams = [client.ask(body, path=INFER) for body, _ in asked]
        bad, live = client.ask(b"", path=INFER), client.ask()
        gone = client.ask(asked[0][0], path=INFER)
        client.send(frame(h2.RST_STREAM, 0, gone, struct.pack(">I", h2.CANCEL)))
    for stream, (_, content) in zip(streams, asked, strict=True):
        assert told(client.answer(stream)) == content
    assert int(client.answer(bad).grpc_status) == GrpcStatus.INVALID_ARGUMENT
    assert client.answer(live).is_good
    client.ping()
    # a turn takes a millisecond: on a busy machine this one's may be over before the end of it is read
    assert not client.answers[gone].heads or told(client.answers[gone]) == asked[0][1]
    until(lambda: place.metrics.answering == 0)
    assert within(place, lambda: place.server._held) == 0


def test_streams_before_a_failure_of_the_connection_are_answered(place, client):
    client.ping()
    body, content = framed(9)
    with client.together():
        streams = [client.ask(body, path=INFER) for _ in range(10)]
        client.send(frame(h2.PUSH_PROMISE, 0, 1))
    for stream in streams:
        assert told(client.answer(stream)) == content
    assert client.end() == h2.PROTOCOL


def test_small_answers_that_are_not_taken_are_bounded(place, monkeypatch):
    output = np.zeros(16_000, np.uint8)
    monkeypatch.setattr(place.server._lifecycle.plane, "run", lambda _: [("y", output)])
    with Client(place.port, *WIDE) as client:
        client.ping()
        with client.together():
            for _ in range(1000):
                client.ask(framed(1)[0], path=INFER)
        (connection,) = place.server._connections
        until(lambda: connection._sender.is_full)
        waiting = within(place, connection._transport.get_write_buffer_size) + place.server.pending_bytes
        assert waiting < 40 * len(output)


def test_answers_that_are_not_taken_are_bounded(artifact):
    body, content = framed(16_000)
    with near(artifact, Limits(max_received_bytes=50_000)) as place:
        with Client(place.port, *NO_WINDOW) as client:
            streams = [client.ask(body, path=INFER) for _ in range(3)]
            for stream in streams:
                client.until(lambda stream=stream: client.answers[stream].heads)
            fourth = client.ask(body, path=INFER)
            client.until(lambda: client.answers[fourth].heads)  # until then there is room for one more
            late = client.ask(body, path=INFER)
            assert int(client.answer(late).grpc_status) == GrpcStatus.UNAVAILABLE
            with Client(place.port) as other:
                assert int(other.call(body, path=INFER).grpc_status) == GrpcStatus.UNAVAILABLE
            client.send(h2.window_update(streams[0], 1 << 20))
            assert told(client.answer(streams[0])) == content
            assert within(place, lambda: place.server.pending_bytes) > 3 * len(content)
        until(lambda: place.server.pending_bytes == 0)


def test_a_refusal_is_sent_once(place):
    with Client(place.port, *NO_WINDOW) as client:
        client.send(head(**{":method": "GET"}))
        client.ping()
        client.send(data())
        client.ping()
        client.send(h2.window_update(1, 1000))
        client.ping()
        assert [headers[":status"] for headers in client.answers[1].heads] == ["415"]


async def never():
    await asyncio.Event().wait()


def new_call():
    return Call(clock())


async def test_a_stream_that_is_finished_before_it_begins_ends():
    stream = Stream(None, never, new_call)
    stream.finish()
    assert await asyncio.wait_for(stream.next_answer(), SECONDS) is None
    assert stream.status() == STOPPING


async def test_a_stream_that_is_opened_while_the_server_stops_ends():
    streams = Streams(None)
    streams.finish()
    with streams.opened(never, new_call) as stream:
        assert await asyncio.wait_for(stream.next_answer(), SECONDS) is None
        assert stream.status() == STOPPING


class StrangeError(BaseException):
    """What nobody expects."""


@pytest.mark.parametrize("error", [StrangeError(), asyncio.CancelledError()])
def test_an_answer_that_fails_ends_its_stream(place, client, monkeypatch, error):
    async def fail(*_):
        raise error

    monkeypatch.setattr(place.server._lifecycle.plane, "run", fail)
    assert client.call(framed(9)[0], path=INFER).code == h2.INTERNAL
    assert re.search(rb"^modelport_requests_in_flight\S* 0\.0$", place.metrics.render(), re.MULTILINE)
    assert client.call().is_good


@pytest.mark.parametrize("path", [INFER, STREAM])
def test_an_answer_that_cannot_be_written_ends_its_stream(place, client, monkeypatch, path):
    async def nothing(*_):
        return []

    monkeypatch.setattr(place.server._lifecycle.plane, "run", nothing)
    monkeypatch.setattr("modelport_server.grpc.http2.sender.Sender.start", lambda *_: 1 / 0)
    monkeypatch.setattr("modelport_server.grpc.http2.sender.Sender.answer", lambda *_: 1 / 0)
    assert client.call(framed(9)[0], path=path).code == h2.INTERNAL
    until(lambda: place.metrics.answering == 0)


def test_padding_alone_does_not_use_up_windows(place, client):
    body, content = framed(100)
    padding = bytes((255,)) + bytes(255)
    count = MAX_NUISANCES * 3 // 4
    stream, sent = client.open(path=STREAM), 0
    for _ in range(8):
        client.send(frame(h2.DATA, h2.PADDED, stream, padding) * count)
        client.ping()
        sent += count * len(padding)
        assert client.given[stream] == sent
        look(place)
    assert sent > 2 * STREAM_WINDOW
    client.send(data(stream, body))
    assert streamed(client.answer(stream)) == content


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/grpc", "200"),
        ("application/grpc+proto", "200"),
        ("application/grpc;charset=utf-8", "200"),
        ("application/grpc-web", "415"),
        ("application/grpcx", "415"),
        ("application/json", "415"),
        ("", "415"),
    ],
)
def test_content_types(client, kind, status):
    client.send(head(content_type=kind), data())
    answer = client.answer(1)
    assert answer.status == status
    assert answer.is_good == (status == "200")


def test_clients_of_a_server_that_drains_are_told_and_answered(place, client, monkeypatch):
    body, content = framed(100)
    stream = client.open(path=STREAM)
    client.ping()
    monkeypatch.setattr(place.server._lifecycle, "is_draining", True)
    client.until(lambda: client.goaway is not None)
    assert client.goaway == NO_ERROR
    late = client.ask(body, path=INFER)  # the client's answer to the ping comes behind it
    assert told(client.answer(late)) == content
    client.send(data(stream, body))
    assert streamed(client.answer(stream)) == content
    assert client.end() == NO_ERROR


@pytest.mark.parametrize("letter", ["a", "%", "é", "\N{SNOWMAN}", "\N{PILE OF POO}"])
def test_long_messages_of_errors_are_cut(place, client, monkeypatch, letter):
    def fail(*_):
        raise BadRequestError(letter * 100_000)

    monkeypatch.setattr(place.application._service, "read", fail)
    answer = client.call(framed(9)[0], path=INFER)
    assert int(answer.grpc_status) == GrpcStatus.INVALID_ARGUMENT
    assert 100 < len(answer.heads[-1]["grpc-message"]) < 4 << 10
