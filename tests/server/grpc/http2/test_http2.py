"""HTTP/2 from outside, by RFC 9113 and RFC 7541, frame by frame: what is right is answered, what is wrong hurts nobody.

Where an RFC leaves a choice, both are right: an error of a stream may end the connection, and a connection may end
without a word.
"""

import signal
import string
import threading
from contextlib import ExitStack
from urllib.parse import unquote

import numpy as np
import pytest
from hpack import Encoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from server.grpc.http2 import http2_client as h2
from server.grpc.http2.http2_client import (
    ACK,
    CHECK,
    CLOSED,
    COMPRESSION,
    CONTINUATION,
    DATA,
    EMPTY,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL,
    FRAME_SIZE,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITIZED,
    PRIORITY,
    PROTOCOL,
    PUSH_PROMISE,
    REQUEST,
    RST_STREAM,
    SERVING,
    SETTINGS,
    WHOLE,
    WINDOW_UPDATE,
    Client,
    check,
    data,
    frame,
    head,
    literals,
    window_update,
)
from server.models import identity, identity_artifact
from server.processes import MODEL, serving

INFER, STREAM = (f"/inference.GRPCInferenceService/{name}" for name in ("ModelInfer", "ModelStreamInfer"))
WIDE = (PREFACE, h2.settings({h2.FIRST_WINDOW: 1 << 30}), window_update(0, 1 << 30))
NO_WINDOW = (PREFACE, h2.settings({h2.FIRST_WINDOW: 0}))
BLOCK = literals(REQUEST)
MANY = 4000


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return identity_artifact(tmp_path_factory.mktemp("http2") / "artifact", identity(("x", "uint8", ["n"])))


@pytest.fixture(scope="module")
def port(artifact):
    """Return the port of a server that nothing must end, and that has nothing to complain of in its log."""
    with serving(artifact, "--drain-seconds", "0") as server:
        log = []
        reading = threading.Thread(target=log.extend, args=(server.process.stderr,))
        reading.start()
        yield server.grpc_port
        assert server.process.poll() is None
        server.process.terminate()
        reading.join(20)
        assert server.process.wait(20) == 0
    assert "Traceback" not in "".join(log), "".join(log)


@pytest.fixture(scope="module")
def steady(port):
    """Return a connection that goes on while others do what they like."""
    with Client(port, *WIDE) as connected:
        yield connected


@pytest.fixture
def connect(port):
    """Return what makes connections, which are closed behind the test."""
    with ExitStack() as stack:
        yield lambda *hello: stack.enter_context(Client(port, *hello))


@pytest.fixture
def client(connect):
    return connect()


def message(size, seed=0):
    """Return an inference of so many bytes, and the bytes."""
    content = np.random.default_rng(seed).bytes(size)
    asked = service_pb2.ModelInferRequest(model_name=MODEL, raw_input_contents=[content])
    asked.inputs.add(name="x", datatype="UINT8", shape=[size])
    body = asked.SerializeToString()
    return b"\0" + len(body).to_bytes(4, "big") + body, content


def told(answer):
    """Return the bytes that an inference was answered with."""
    assert (answer.status, answer.grpc_status) == ("200", "0"), answer.heads
    assert len(answer.body) == 5 + int.from_bytes(answer.body[1:5], "big")
    return service_pb2.ModelInferResponse.FromString(answer.body[5:]).raw_output_contents[0]


def ids(rows):
    return [row[0] for row in rows]


def test_settings_come_first_and_are_acknowledged(client):
    client.until(lambda: client.acks == 1)
    assert client.frames[0] == (SETTINGS, 0, 0)
    client.send(h2.settings({0x99: 7, 0xFFFF: 0}), h2.settings({h2.MAX_STREAMS: 0}))
    client.until(lambda: client.acks == 3)
    assert client.call().is_good


def test_an_answer_is_what_grpc_says(client):
    answer = client.call()
    assert answer.is_good
    first, last = answer.heads
    assert first["content-type"] == "application/grpc"
    assert next(iter(first)) == ":status"
    assert not [name for name in last if name.startswith(":")]
    for name in (*list(first)[1:], *last):
        assert name == name.lower()
        assert name not in {"connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"}
    assert client.frames[-1] == (HEADERS, WHOLE, 1)


def test_what_is_not_grpc_or_not_known_is_refused_and_the_connection_goes_on(client):
    browser = {":method": "GET", ":scheme": "http", ":path": "/", ":authority": "a"}
    client.send(frame(HEADERS, WHOLE, 1, literals(browser)))
    assert 400 <= int(client.answer(1).status) < 500
    client.send(head(3, **{":path": "/a.B/C"}), data(3))
    assert client.answer(3).grpc_status == "12"
    client.send(head(5, WHOLE))
    assert client.answer(5).grpc_status != "0", "a message was expected"
    client.send(check(7))
    assert client.answer(7).is_good


def test_a_connection_may_come_byte_by_byte(connect, steady):
    client = connect(b"")
    for byte in b"".join((PREFACE, h2.settings(), check(), frame(PING, payload=b"12345678"), check(3))):
        client.send(bytes((byte,)))
        steady.ping()  # whoever answers others has read the byte
    assert client.answer(1).is_good
    assert client.answer(3).is_good
    assert client.pongs == [b"12345678"]


def test_a_connection_may_come_in_two_parts_cut_anywhere(connect, steady):
    session = b"".join((PREFACE, h2.settings(), check()))
    for cut in range(1, len(session)):
        client = connect(session[:cut])
        steady.ping()
        steady.ping()  # one to accept, one to read
        client.send(session[cut:])
        assert client.answer(1).is_good, cut


def test_a_ping_is_answered_with_what_it_holds(client):
    assert client.ping(b"\0\1\2\3\xfc\xfd\xfe\xff") == b"\0\1\2\3\xfc\xfd\xfe\xff"


def padded(kind, content, flags, padding):
    return frame(kind, flags | PADDED, 1, bytes((padding,)) + content + bytes(padding))


RIGHT = [
    ("nothing else", check()),
    ("unknown frames", frame(0x55, 0xFF, 0, b"what") + frame(0x10, 0, 0, bytes(9)) + check() + frame(0xFF, 0, 1)),
    ("an unknown frame on an idle stream", frame(0x55, 0, 1, b"what") + check()),
    ("flags without meaning", frame(PING, 0xFE, 0, bytes(8)) + frame(SETTINGS, 0xFE) + check()),
    ("the reserved bit", frame(PING, 0, 1 << 31, bytes(8)) + window_update(0, 1 << 31 | 5) + check(1 << 31 | 1)),
    ("an answer to no ping", frame(PING, ACK, 0, bytes(8)) + check()),
    ("settings at their bounds", h2.settings({1: 0, 2: 0, 4: h2.MAX_WINDOW, 5: 1 << 14, 6: 0xFFFFFFFF}) + check()),
    ("settings at their other bounds", h2.settings({1: 0xFFFFFFFF, 5: (1 << 24) - 1}) + check()),
    ("a larger window", window_update(0, h2.MAX_WINDOW - h2.USUAL_WINDOW) + check()),
    ("priorities", frame(PRIORITY, 0, 1, bytes(5)) + check() + frame(PRIORITY, 0, 1, bytes(5))),
    ("a priority of another stream", frame(PRIORITY, 0, 7, b"\0\0\0\1\7") + check()),
    ("headers with a priority", frame(HEADERS, END_HEADERS | PRIORITIZED, 1, b"\0\0\0\3\7" + BLOCK) + data()),
    ("padded headers", padded(HEADERS, BLOCK, END_HEADERS, 255) + data()),
    ("padded headers with a priority", padded(HEADERS, bytes(5) + BLOCK, END_HEADERS | PRIORITIZED, 9) + data()),
    ("no padding at all", padded(HEADERS, BLOCK, END_HEADERS, 0) + padded(DATA, EMPTY, END_STREAM, 0)),
    ("padded data", head() + padded(DATA, EMPTY, 0, 200) + padded(DATA, b"", END_STREAM, 3)),
    ("data in parts", head() + b"".join(data(1, b"\0", 0) + data(1, b"", 0) for _ in EMPTY) + data(1, b"")),
    ("the largest frame", frame(0x55, 0, 0, bytes(h2.PAYLOAD)) + check()),
    (
        "headers in parts",
        frame(HEADERS, 0, 1, BLOCK[:9])
        + frame(CONTINUATION, 0, 1, BLOCK[9:10])
        + frame(CONTINUATION, 0, 1)
        + frame(CONTINUATION, END_HEADERS, 1, BLOCK[10:])
        + data(),
    ),
    ("no headers in the first part", frame(HEADERS, 0, 1) + frame(CONTINUATION, END_HEADERS, 1, BLOCK) + data()),
    ("trailers", head() + data(1, EMPTY, 0) + frame(HEADERS, WHOLE, 1, literals({"a": "b"}))),
    (
        "trailers in parts",
        head() + data(1, EMPTY, 0) + frame(HEADERS, END_STREAM, 1) + frame(CONTINUATION, END_HEADERS, 1),
    ),
    ("the right length", head(content_length="5") + data()),
    ("no authority", head(**{":authority": None}) + data()),
    ("a header twice", frame(HEADERS, END_HEADERS, 1, BLOCK + literals([("a", "b"), ("a", "c"), ("a", "")])) + data()),
    ("cookies", head(cookie="a=b") + data()),
    ("any bytes in a value", head(x_any=bytes(range(0x21, 0x7F)) + bytes(range(0x80, 256))) + data()),
    ("a window of the stream", head() + window_update(1, 5) + data()),
]


@pytest.mark.parametrize(("case", "sent"), RIGHT, ids=ids(RIGHT))
def test_what_is_allowed_is_answered(client, case, sent):
    client.send(sent)
    assert client.answer(1).is_good, client.answers[1]
    client.send(check(3))
    assert client.answer(3).is_good


def test_a_closed_stream_may_still_get_what_was_on_its_way(client):
    client.send(check())
    assert client.answer(1).is_good
    client.send(h2.rst_stream(1), window_update(1, 5), frame(PRIORITY, 0, 1, bytes(5)), check(3))
    assert client.answer(3).is_good


def test_who_depends_on_himself_may_be_refused_or_not(client):
    client.send(frame(PRIORITY, 0, 1, b"\0\0\0\1\7"), check())
    assert client.answer(1).is_good or client.answers[1].code in {PROTOCOL, None}


FATAL = [
    ("settings of wrong length", frame(SETTINGS, payload=bytes(5)), FRAME_SIZE),
    ("settings on a stream", frame(SETTINGS, 0, 1), PROTOCOL),
    ("acknowledged settings with content", frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE),
    ("too large a first window", h2.settings({h2.FIRST_WINDOW: 1 << 31}), FLOW_CONTROL),
    ("too small frames", h2.settings({h2.MAX_FRAME: (1 << 14) - 1}), PROTOCOL),
    ("too large frames", h2.settings({h2.MAX_FRAME: 1 << 24}), PROTOCOL),
    ("neither push nor none", h2.settings({h2.PUSH: 2}), PROTOCOL),
    ("a ping of wrong length", frame(PING, payload=bytes(7)), FRAME_SIZE),
    ("a ping on a stream", frame(PING, 0, 1, bytes(8)), PROTOCOL),
    ("a frame of 16 MiB", frame(DATA, 0, 1, length=(1 << 24) - 1), FRAME_SIZE),
    ("headers on the connection", head(0), PROTOCOL),
    ("headers on an even stream", head(2), PROTOCOL),
    ("a priority on the connection", frame(PRIORITY, payload=bytes(5)), PROTOCOL),
    ("too long padding of headers", frame(HEADERS, WHOLE | PADDED, 1, b"\xff" + BLOCK[:200]), PROTOCOL),
    ("padding of headers as long as the frame", frame(HEADERS, WHOLE | PADDED, 1, b"\x03" + bytes(2)), PROTOCOL),
    ("too long padding of data", head() + frame(DATA, PADDED, 1, b"\6" + EMPTY), PROTOCOL),
    ("too long padding of trailers", head() + frame(HEADERS, WHOLE | PADDED, 1, b"\1"), PROTOCOL),
    ("headers within headers", frame(HEADERS, 0, 1, BLOCK) + head(3), PROTOCOL),
    ("a ping within headers", frame(HEADERS, 0, 1, BLOCK) + frame(PING, payload=bytes(8)), PROTOCOL),
    ("data within headers", frame(HEADERS, 0, 1, BLOCK) + data(), PROTOCOL),
    ("an unknown frame within headers", frame(HEADERS, 0, 1, BLOCK) + frame(0x55, 0, 1), PROTOCOL),
    ("a continuation of another stream", frame(HEADERS, 0, 1, BLOCK) + frame(CONTINUATION, 4, 3), PROTOCOL),
    ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, BLOCK), PROTOCOL),
    ("a continuation on the connection", frame(CONTINUATION, END_HEADERS, 0, BLOCK), PROTOCOL),
    ("a continuation of what is complete", head() + frame(CONTINUATION, END_HEADERS, 1), PROTOCOL),
    ("a promise", frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + BLOCK), PROTOCOL),
    ("data on the connection", data(0), PROTOCOL),
    ("data on an idle stream", data(1), PROTOCOL),
    ("data on a stream of the server's", data(2), PROTOCOL),
    ("no more window", window_update(0, 0), PROTOCOL),
    ("a window of wrong length", frame(WINDOW_UPDATE, payload=bytes(3)), FRAME_SIZE),
    ("a window of an idle stream", window_update(1, 5), PROTOCOL),
    ("too large a window", window_update(0, h2.MAX_WINDOW - h2.USUAL_WINDOW + 1), FLOW_CONTROL),
    (
        "settings that make a window too large",
        head() + window_update(1, h2.MAX_WINDOW - h2.USUAL_WINDOW) + h2.settings({h2.FIRST_WINDOW: 1 << 16}),
        FLOW_CONTROL,
    ),
    ("a reset of an idle stream", h2.rst_stream(1), PROTOCOL),
    ("a reset of the connection", h2.rst_stream(0), PROTOCOL),
    ("a reset of wrong length", head() + frame(RST_STREAM, 0, 1, bytes(3)), FRAME_SIZE),
    ("a farewell on a stream", frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    ("a farewell of wrong length", frame(GOAWAY, payload=bytes(7)), FRAME_SIZE),
]


@pytest.mark.parametrize(("case", "sent", "code"), FATAL, ids=ids(FATAL))
def test_what_ends_the_connection(client, case, sent, code):
    client.send(sent)
    assert client.end() in {code, None}


@pytest.mark.parametrize("kind", [DATA, HEADERS, SETTINGS, 0x55])
def test_frames_larger_than_the_server_takes_are_refused(client, kind):
    client.ping()
    most = client.settings.get(h2.MAX_FRAME, h2.PAYLOAD)
    client.send(b"" if kind == HEADERS else head(), frame(kind, WHOLE, 0 if kind == SETTINGS else 1, bytes(most + 1)))
    assert client.answer(1).code in {FRAME_SIZE, None}
    assert not client.answers[1].heads


STRANGERS = [
    ("another preface", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + h2.settings()),
    ("no settings", PREFACE + frame(PING, payload=bytes(8))),
    ("a request instead of settings", PREFACE + check()),
    ("HTTP/1.1", b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a\r\n\r\n"),
    (
        "HTTP/1.1 with a wish",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
    ),
    ("TLS", bytes.fromhex("16030100c8010000c40303") + bytes(range(64))),
    ("zeros", bytes(100)),
]


@pytest.mark.parametrize(("case", "sent"), STRANGERS, ids=ids(STRANGERS))
def test_what_is_no_http2_is_closed(connect, case, sent):
    stranger = connect(sent)
    while stranger.socket.recv(1 << 16):  # it may be told why, in whatever it speaks
        pass
    assert connect().call().is_good


@pytest.mark.parametrize("sent", [b"", b"G", PREFACE[:-1], PREFACE, PREFACE + h2.settings() + head()[:5]])
def test_who_leaves_early_is_let_go(connect, sent):
    client = connect(sent)
    client.leave()
    client.end()


def malformed(**changes):
    return head(**changes) + data()


MALFORMED = [
    *((f"no {name}", malformed(**{name: None})) for name in (":method", ":scheme", ":path")),
    ("an empty path", malformed(**{":path": ""})),
    *(
        (f"{name} twice", frame(HEADERS, END_HEADERS, 1, literals({name: told}) + BLOCK) + data())
        for name, told in REQUEST.items()
        if name in {":method", ":scheme", ":path"}
    ),
    ("an unknown pseudo-header", frame(HEADERS, END_HEADERS, 1, literals({":what": "a"}) + BLOCK) + data()),
    ("a status", frame(HEADERS, END_HEADERS, 1, literals({":status": "200"}) + BLOCK) + data()),
    (
        "a pseudo-header behind others",
        frame(HEADERS, END_HEADERS, 1, literals(dict(reversed(REQUEST.items())))) + data(),
    ),
    *((f"the name {name!r}", malformed(**{name: "a"})) for name in ("X-a", "a b", "a:b", "a\0", "a\x7f", "a\u00e9")),
    *((f"the value {told!r}", malformed(x=told)) for told in ("a\0b", "a\rb", "a\nb", " a", "a ", "\ta", "a\t")),
    *(
        (f"{name}: {told}", malformed(**{name: told}))
        for name, told in (
            ("connection", "close"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
            ("te", "trailers, gzip"),
        )
    ),
    *((f"the length {told}", malformed(content_length=told)) for told in ("4", "6", "0", "-5", "five", "99999999999")),
    ("a length and no data", head(1, WHOLE, content_length="5")),
    ("a length and trailers", head(content_length="6") + data(1, EMPTY, 0) + frame(HEADERS, WHOLE, 1)),
    (
        "two lengths",
        frame(HEADERS, END_HEADERS, 1, BLOCK + literals([("content-length", "5"), ("content-length", "6")])) + data(),
    ),
    ("trailers without an end", head() + data(1, EMPTY, 0) + frame(HEADERS, END_HEADERS, 1, literals({"a": "b"}))),
    ("a pseudo-header in trailers", head() + data(1, EMPTY, 0) + frame(HEADERS, WHOLE, 1, literals({":path": "/"}))),
    ("a wrong name in trailers", head() + data(1, EMPTY, 0) + frame(HEADERS, WHOLE, 1, literals({"A": "b"}))),
]


@pytest.mark.parametrize(("case", "sent"), MALFORMED, ids=ids(MALFORMED))
def test_malformed_requests_are_refused_and_others_answered(client, case, sent):
    client.send(sent)
    answer = client.answer(1)
    assert answer.is_over, "the connection goes on"
    assert answer.code == PROTOCOL or answer.status[0] == "4" or answer.grpc_status not in {"0", None}, answer
    client.send(check(3))
    assert client.answer(3).is_good


def test_a_malformed_request_leaves_the_table_as_its_block_says(client):
    client.open(("x-new", "a"), ("connection", "close"))
    client.open(("x-other", "b"), ("X-Upper", "c"))
    assert client.call(EMPTY, ("x-new", "a"), ("x-other", "b")).is_good


OF_A_STREAM = [
    ("no more window", head() + window_update(1, 0), {PROTOCOL}),
    ("too large a window", head() + window_update(1, h2.MAX_WINDOW), {FLOW_CONTROL}),
    (
        "too large a window in two",
        head() + window_update(1, (1 << 31) - 1 - h2.USUAL_WINDOW) + window_update(1, 1),
        {FLOW_CONTROL},
    ),
    ("a priority of wrong length", head() + frame(PRIORITY, 0, 1, bytes(4)), {FRAME_SIZE}),
    ("data behind a reset", head() + h2.rst_stream(1) + data(), {CLOSED, PROTOCOL}),
    ("headers behind a reset", head() + h2.rst_stream(1) + head(), {CLOSED, PROTOCOL}),
    ("headers on a stream that was left out", check(5) + head(), {CLOSED, PROTOCOL}),
    ("data on a stream that was left out", check(5) + data(), {CLOSED, PROTOCOL}),
]


@pytest.mark.parametrize(("case", "sent", "codes"), OF_A_STREAM, ids=ids(OF_A_STREAM))
def test_what_ends_a_stream_or_the_connection(client, case, sent, codes):
    client.send(sent)
    answer = client.answer(1)
    assert answer.code in codes | {None}
    assert not answer.heads
    if not client.is_closed and client.goaway is None:
        client.send(check(7))
        assert client.answer(7).is_good or client.answers[7].code in codes | {None}


@pytest.mark.parametrize("more", [data(), data(1, b""), head(), frame(HEADERS, WHOLE, 1)])
def test_nothing_follows_the_end_of_a_request(connect, more):
    client = connect(*NO_WINDOW)
    client.send(check())
    client.until(lambda: client.answers[1].heads)
    client.send(more)
    assert client.answer(1).code in {CLOSED, None}
    assert not client.answers[1].body


TABLELESS = literals({":method": "POST"})
HPACK_ERRORS = [
    ("index 0", b"\x80"),
    ("an index behind the table", b"\xbe"),
    ("an index far behind the table", b"\xff\xff\xff\x07"),
    ("a name behind the table", b"\x7f\x00\x01a"),
    ("a name far behind the table", b"\x0f\xff\x07\x01a"),
    ("an endless number", b"\xff" + b"\x80" * 20 + b"\x01"),
    ("a number beyond all bounds", b"\xff" * 11 + b"\x7f"),
    ("a number that is cut off", b"\xff\xff"),
    ("a name that is cut off", b"\x00\x05ab"),
    ("a value that is cut off", b"\x00\x01a\x05ab"),
    ("no value", b"\x00\x01a"),
    ("no name", b"\x40"),
    ("the length of a value beyond all bounds", b"\x00\x01a\x7f\xff\xff\xff\xff\x0f"),
    ("8 bits of padding", b"\x00\x01a\x81\xff"),
    ("8 bits of padding behind a letter", b"\x00\x01a\x82\x1f\xff"),
    ("padding of zeros", b"\x00\x01a\x81\x18"),
    ("the end within a text", b"\x00\x01a\x84\xff\xff\xff\xff"),
    ("the end and a letter", b"\x00\x01a\x85\xff\xff\xff\xfc\x7f"),
    ("padding of zeros in a name", b"\x00\x81\x18\x01a"),
    ("a size behind headers", TABLELESS + b"\x20"),
    ("a size at the end", BLOCK + b"\x20"),
    ("much too large a table", h2.number((1 << 31) - 1, 5, 0x20) + BLOCK),
    ("an entry that was dropped", b"\x40\x01a\x01b" + TABLELESS + b"\xbf"),
]


@pytest.mark.parametrize(("case", "block"), HPACK_ERRORS, ids=ids(HPACK_ERRORS))
def test_blocks_that_cannot_be_read_end_the_connection(client, case, block):
    client.send(frame(HEADERS, WHOLE, 1, block))
    assert client.end() == COMPRESSION


@pytest.mark.parametrize("block", [b"\x80", b"\xbe", b"\x00\x01a"])
def test_trailers_that_cannot_be_read_end_the_connection(client, block):
    client.send(head(), data(1, EMPTY, 0), frame(HEADERS, WHOLE, 1, block))
    assert client.end() == COMPRESSION


def test_a_table_larger_than_the_server_offers_ends_the_connection(client):
    client.until(lambda: client.settings is not None)
    size = client.settings.get(h2.TABLE_SIZE, 4096)
    client.send(frame(HEADERS, END_HEADERS, 1, h2.number(size, 5, 0x20) + BLOCK), data())
    assert client.answer(1).is_good
    client.send(frame(HEADERS, END_HEADERS, 3, h2.number(size + 1, 5, 0x20) + BLOCK), data(3))
    assert client.end() == COMPRESSION


def test_entries_that_a_smaller_table_dropped_are_gone(client):
    client.send(frame(HEADERS, END_HEADERS, 1, BLOCK + b"\x40\x01a\x01b"), data())
    client.send(frame(HEADERS, END_HEADERS, 3, BLOCK + b"\xbe"), data(3))
    assert client.answer(1).is_good
    assert client.answer(3).is_good
    client.send(frame(HEADERS, END_HEADERS, 5, b"\x20\x3f\xe1\x1f" + BLOCK + b"\xbe"), data(5))
    assert client.end() == COMPRESSION


BLOCKS = [
    ("not indexed", BLOCK),
    ("never indexed", literals(REQUEST, 0x10)),
    ("indexed", literals(REQUEST, 0x40)),
    (
        "by known names",
        b"\x83\x86\x04\x1c" + CHECK.encode() + b"\x0f\x10\x10application/grpc" + literals({"te": "trailers"}),
    ),
    ("in Huffman's code", Encoder().encode(REQUEST.items())),
    ("not in Huffman's code", Encoder().encode(REQUEST.items(), huffman=False)),
    ("behind sizes", b"\x20\x3f\xe1\x1f" + literals(REQUEST, 0x40)),
    ("in no table", b"\x20" + literals(REQUEST, 0x40)),
    ("behind an entry larger than the table", BLOCK + literals({"x": "a" * 5000}, 0x40)),
    ("behind empty texts in Huffman's code", BLOCK + b"\x00\x01x\x80"),
]


@pytest.mark.parametrize(("case", "block"), BLOCKS, ids=ids(BLOCKS))
def test_blocks_may_be_written_in_many_ways(client, case, block):
    for stream in (1, 3, 5):
        client.send(frame(HEADERS, END_HEADERS, stream, block), data(stream))
        assert client.answer(stream).is_good


def test_a_client_may_refuse_a_table(connect):
    client = connect(PREFACE, h2.settings({h2.TABLE_SIZE: 0}))
    client.until(lambda: client.acks == 1)
    client.decoder.max_allowed_table_size = 0
    assert client.call().is_good
    assert client.call().is_good
    client.send(h2.settings({h2.TABLE_SIZE: 4096}))
    client.until(lambda: client.acks == 2)
    client.decoder.max_allowed_table_size = 4096
    assert client.call().is_good


def test_headers_that_are_new_each_time_are_read_rightly(client):
    for start in range(0, 3000, 100):
        asked = {}
        for count in range(start, start + 100):
            timeout = f"{count}x" if count % 10 == 0 else f"{90_000_000 + count}u"
            asked[client.ask(EMPTY, ("grpc-timeout", timeout))] = timeout
        for stream, timeout in asked.items():
            answer = client.answer(stream)
            if timeout.endswith("x"):
                assert f"found {timeout}" in unquote(answer.heads[-1]["grpc-message"])
            else:
                assert answer.is_good, answer


LETTERS = string.ascii_letters + string.digits + "-._~"
PATHS = st.text(LETTERS, min_size=1, max_size=60)
VALUES = st.one_of(
    st.text(LETTERS, max_size=12),
    st.sampled_from(
        ["a", "trailers", "gzip, deflate", "\u00e9", "x" * 127, "x" * 128, "y" * 1000, "z" * 4064, "z" * 4100]
    ),
)
NAMES = st.sampled_from(["user-agent", "x-a", "x-b", "accept", "x-" + "n" * 200, "x-bin"])
CALLS = st.tuples(
    PATHS,
    st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=3),
    st.booleans(),
    st.sampled_from([None, None, None, 0, 1, 64, 200, 4096]),
    st.integers(0, 300),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(calls=st.lists(CALLS, min_size=1, max_size=12), again=st.lists(st.integers(0, 11), max_size=12))
def test_any_headers_are_read_rightly(port, calls, again):
    with Client(port) as client:
        for stream, index in enumerate([*range(len(calls)), *(place % len(calls) for place in again)]):
            path, more, huffman, size, cut = calls[index]
            if size is not None:
                client.encoder.header_table_size = size
            fields = REQUEST | {":path": f"/{path}"}
            block = client.encoder.encode([*fields.items(), *more], huffman)
            client.send(frame(HEADERS, 0, 2 * stream + 1, block[:cut]))
            client.send(frame(CONTINUATION, END_HEADERS, 2 * stream + 1, block[cut:]), data(2 * stream + 1))
            answer = client.answer(2 * stream + 1)
            assert answer.grpc_status == "12", answer
            assert unquote(answer.heads[-1]["grpc-message"]).startswith(f"/{path}:")


def is_refused(answer):
    """Return whether a call was not answered well, for whatever reason, or its connection ended."""
    return answer.code is not None or not answer.is_over or answer.status != "200" or answer.grpc_status != "0"


BOMB = literals({"x": "a" * 4000}, 0x40) + b"\xbe" * 12_000
TOO_MUCH = [
    ("a bomb", frame(HEADERS, END_HEADERS, 1, BLOCK + BOMB) + data()),
    ("a long value", BLOCK + literals({"x": "a" * (1 << 20)})),
    ("many headers", BLOCK + literals([(f"x-{count}", "a") for count in range(40_000)])),
]


@pytest.mark.parametrize(("case", "sent"), TOO_MUCH, ids=ids(TOO_MUCH))
def test_headers_beyond_all_bounds_are_refused(connect, case, sent):
    client = connect()
    if case != "a bomb":
        parts = [sent[place : place + h2.PAYLOAD] for place in range(0, len(sent), h2.PAYLOAD)]
        client.send(frame(HEADERS, 0, 1, parts[0]), *(frame(CONTINUATION, 0, 1, part) for part in parts[1:]))
        client.send(frame(CONTINUATION, END_HEADERS, 1), data())
    else:
        client.send(sent)
    assert is_refused(client.answer(1))
    assert connect().call().is_good


@pytest.mark.parametrize("part", [b"", b"a"])
def test_endless_continuations_end_the_connection(connect, part):
    client = connect()
    client.send(frame(HEADERS, 0, 1, literals({"x": b"a" * 100_000})[:100]))
    client.send(frame(CONTINUATION, 0, 1, part) * 90_000)
    client.end()
    assert connect().call().is_good


FLOODS = [
    ("resets", lambda stream: head(stream) + h2.rst_stream(stream)),
    ("resets of whole calls", lambda stream: check(stream) + h2.rst_stream(stream)),
    ("calls that the server must reset", lambda stream: head(stream) + window_update(stream, 0)),
    ("malformed calls", lambda stream: head(stream, WHOLE, te="gzip")),
    ("pings", lambda _: frame(PING, payload=bytes(8))),
    ("settings", lambda _: h2.settings({h2.FIRST_WINDOW: 1 << 16})),
    ("priorities", lambda stream: frame(PRIORITY, 0, stream, bytes(5))),
    ("empty data", lambda stream: head() + data(1, b"", 0) if stream == 1 else data(1, b"", 0)),
    ("windows", lambda _: window_update(0, 1)),
    ("unknown frames", lambda _: frame(0x55)),
]


@pytest.mark.parametrize(("case", "one"), FLOODS, ids=ids(FLOODS))
def test_floods_end_the_connection_or_harm_nobody(connect, case, one):
    client = connect()
    client.send(*(one(2 * count + 1) for count in range(MANY)))
    client.send(frame(PING, payload=b"the last"))
    while b"the last" not in client.pongs and client.step():
        pass
    assert client.goaway in {None, h2.CALM}
    if client.goaway is None and not client.is_closed:
        client.send(check(2 * MANY + 1))
        assert client.answer(2 * MANY + 1).is_good
    assert connect().call().is_good


def test_nothing_of_a_body_comes_before_the_window_opens(connect):
    client = connect(*NO_WINDOW)
    answer = client.answers[client.ask()]
    client.until(lambda: answer.heads)
    client.ping()
    assert (answer.status, answer.body, answer.is_over) == ("200", b"", False)
    for size in range(1, len(SERVING)):
        client.send(window_update(1, 1))
        client.until(lambda size=size: len(answer.body) >= size)
        client.ping()
        assert answer.body == SERVING[:size]
        assert not answer.is_over
    client.send(window_update(1, 1))
    assert client.answer(1).is_good


def test_settings_open_and_close_the_windows_of_open_streams(connect):
    client = connect(PREFACE, h2.settings(), window_update(0, 1 << 30))
    sent, content = message(200_000)
    stream = client.open(path=INFER)
    client.send_body(stream, sent)
    answer = client.answers[stream]
    client.until(lambda: len(answer.body) >= h2.USUAL_WINDOW)
    client.send(h2.settings({h2.FIRST_WINDOW: 0}), window_update(stream, h2.USUAL_WINDOW))  # -65535, and 0
    client.ping()
    assert len(answer.body) == h2.USUAL_WINDOW
    client.send(window_update(stream, 10))
    client.until(lambda: len(answer.body) > h2.USUAL_WINDOW)
    client.ping()
    assert len(answer.body) == h2.USUAL_WINDOW + 10
    client.send(h2.settings({h2.FIRST_WINDOW: 1 << 20}))
    assert told(client.answer(stream)) == content


def test_the_window_of_the_connection_holds_all_streams(connect):
    client = connect(PREFACE, h2.settings({h2.FIRST_WINDOW: 1 << 30}))
    bodies = [message(50_000, seed) for seed in range(3)]
    streams = [client.open(path=INFER) for _ in bodies]
    for stream, (sent, _) in zip(streams, bodies, strict=True):
        client.send_body(stream, sent)
    streams.append(client.ask())
    answers = [client.answers[stream] for stream in streams]
    client.until(lambda: all(answer.heads for answer in answers))
    client.ping()
    assert sum(len(answer.body) for answer in answers) == h2.USUAL_WINDOW
    client.send(window_update(0, 1 << 20))
    for stream, (_, content) in zip(streams, bodies, strict=False):
        assert told(client.answer(stream)) == content
    assert client.answer(streams[-1]).is_good


def test_large_bodies_come_and_go(connect):
    client = connect(*WIDE)
    for size in (0, 1, h2.PAYLOAD, 6 << 20):
        sent, content = message(size)
        stream = client.open(path=INFER)
        client.send_body(stream, sent)
        assert told(client.answer(stream)) == content


def test_large_bodies_of_many_streams_come_mixed(connect):
    client = connect(*WIDE)
    bodies = [message(300_000 + seed, seed) for seed in range(8)]
    streams = [client.open(path=INFER) for _ in bodies]
    for place in range(0, 310_000, 10_000):
        for stream, (sent, _) in zip(streams, bodies, strict=True):
            part = sent[place : place + 10_000]
            client.send_body(stream, part, flags=END_STREAM if place + 10_000 >= len(sent) else 0)
    for stream, (_, content) in zip(streams, bodies, strict=True):
        assert told(client.answer(stream)) == content


def test_padding_is_given_back(connect):
    client = connect(*WIDE)
    sent, content = message(40_000)
    stream = client.open(path=INFER)
    client.send_body(stream, sent, chunk=1, padding=255)
    assert told(client.answer(stream)) == content


@pytest.mark.parametrize("way", ["reset", "refused", "malformed"])
def test_what_nobody_reads_is_given_back(client, way):
    for _ in range(64):
        more = [("content-length", "1")] if way == "malformed" else []
        stream = client.open(*more, path="/a.B/C" if way == "refused" else INFER)
        client.send_body(stream, b"\0\0\x10\0\0" + bytes(1 << 18), flags=END_STREAM if way == "refused" else 0)
        if way == "reset":
            client.send(h2.rst_stream(stream))
    assert client.call().is_good


def test_who_ignores_the_windows_is_told(connect):
    client = connect(*NO_WINDOW)
    sent, _ = message(h2.PAYLOAD - 100)
    stream = client.open(path=STREAM)
    client.send(data(stream, sent, 0) * 2000)  # answers cannot go, so requests are not read for ever
    assert client.answer(stream).code in {FLOW_CONTROL, None}
    assert stream not in client.given or client.given[stream] < len(sent) * 1000
    assert connect().call().is_good


def test_a_reset_ends_one_call_and_no_other(connect):
    client = connect(*WIDE)
    sent, _ = message(100)
    streams = [client.open(path=STREAM) for _ in range(3)]
    for stream in streams:
        client.send(data(stream, sent, 0))
    for stream in streams:
        client.until(lambda stream=stream: len(client.answers[stream].body) > 100)
    client.send(h2.rst_stream(streams[1]))
    assert client.call().is_good
    for stream in (streams[0], streams[2]):
        before = len(client.answers[stream].body)
        client.send(data(stream, sent))
        answer = client.answer(stream)
        assert (answer.grpc_status, len(answer.body)) == ("0", 2 * before)
    assert not client.answers[streams[1]].is_over


def test_who_says_goodbye_is_answered(client):
    sent, content = message(1000)
    client.send(head(**{":path": INFER}), check(3), frame(GOAWAY, payload=bytes(8) + b"bye"), data(1, sent))
    assert client.answer(3).is_good
    assert told(client.answer(1)) == content


def test_more_streams_than_the_server_takes_are_refused(client):
    client.ping()
    most = client.settings[h2.MAX_STREAMS]
    streams = [client.open() for _ in range(most + 5)]
    for stream in streams[most:]:
        assert client.answer(stream).code in {h2.REFUSED, PROTOCOL}
    client.send(data(streams[0]), data(streams[most - 1]))
    assert client.answer(streams[0]).is_good
    assert client.answer(streams[most - 1]).is_good
    assert client.call().is_good, "there is room again"


SESSION = [
    (SETTINGS, 0, 0, b"\0\4\0\0\1\0"),
    (SETTINGS, ACK, 0, b""),
    (HEADERS, END_HEADERS, 1, BLOCK),
    (DATA, END_STREAM, 1, EMPTY),
    (WINDOW_UPDATE, 0, 0, b"\0\0\1\0"),
    (HEADERS, 0, 3, BLOCK[:20]),
    (CONTINUATION, 0, 3, BLOCK[20:40]),
    (CONTINUATION, END_HEADERS, 3, BLOCK[40:]),
    (DATA, PADDED, 3, b"\3" + EMPTY + bytes(3)),
    (HEADERS, WHOLE, 3, literals({"x-trailer": "a"}, 0x40)),
    (PING, 0, 0, bytes(8)),
    (HEADERS, END_HEADERS | PADDED | PRIORITIZED, 5, b"\1" + bytes(5) + Encoder().encode(REQUEST.items()) + b"\0"),
    (RST_STREAM, 0, 5, b"\0\0\0\x08"),
    (PRIORITY, 0, 7, bytes(5)),
    (HEADERS, END_HEADERS, 7, literals(REQUEST | {":path": INFER})),
    (WINDOW_UPDATE, 0, 7, b"\0\0\1\0"),
    (DATA, END_STREAM, 7, message(100)[0]),
    (HEADERS, END_HEADERS, 9, literals(REQUEST | {":path": STREAM})),
    (DATA, 0, 9, message(10)[0] + message(20)[0][:9]),
    (DATA, 0, 9, message(20)[0][9:]),
    (DATA, END_STREAM, 9, b""),
    (GOAWAY, 0, 0, bytes(8)),
]
STREAMS = (0, 1, 2, 3, 5, 7, 9, 11, h2.MAX_WINDOW, 0xFFFFFFFF)
MUTATIONS = st.tuples(
    st.integers(0, len(SESSION) - 1), st.integers(0, 8), st.integers(0, 255), st.binary(min_size=1, max_size=5)
)


def mutated(session, mutations):
    """Return frames as bytes, some of which are not what they were."""
    frames = [frame(*each) for each in session]
    for place, way, value, some in mutations:
        kind, flags, stream, payload = session[place]
        at = value % (len(payload) + 1)
        frames[place] = (
            frame(value % 12, flags, stream, payload),
            frame(kind, value, stream, payload),
            frame(kind, flags, STREAMS[value % len(STREAMS)], payload),
            frame(kind, flags, stream, payload[:at]),
            frame(kind, flags, stream, payload[:at] + some + payload[at + len(some) :]),
            frame(kind, flags, stream, payload[:at] + some + payload[at:]),
            frame(kind, flags, stream, payload, length=value),
            frames[value % len(frames)],
            frames[place] * (value % 5),
        )[way]
    return b"".join(frames)


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutations=st.lists(MUTATIONS, min_size=1, max_size=4), cut=st.integers(0, 2000))
def test_what_is_nearly_right_is_answered_or_closed_and_hurts_nobody(port, steady, mutations, cut):
    session = mutated(SESSION, mutations)
    with Client(port, PREFACE + session[:cut]) as client:
        client.send(session[cut:])
        client.leave()
        client.end()
    assert steady.call().is_good


def test_the_session_is_right_unless_it_is_mutated(connect):
    client = connect(PREFACE, mutated(SESSION, []))
    assert client.answer(1).is_good
    assert client.answer(3).is_good
    assert len(told(client.answer(7))) == 100
    assert client.answer(9).grpc_status == "0"


def test_a_server_that_ends_says_goodbye_and_answers_what_is_open(artifact):
    with serving(artifact, "--drain-seconds", "3") as server, ExitStack() as stack:
        idle, busy = (stack.enter_context(Client(server.grpc_port)) for _ in range(2))
        assert idle.call().is_good
        sent, content = message(1000)
        stream = busy.open(path=INFER)
        busy.send(data(stream, sent[:500], 0))
        busy.ping()
        server.process.send_signal(signal.SIGTERM)
        assert idle.end() == h2.NO_ERROR
        busy.until(lambda: busy.goaway is not None)
        busy.send(data(stream, sent[500:]))
        assert told(busy.answer(stream)) == content
        assert busy.end() == h2.NO_ERROR
        status, log = server.ended()
    assert status == 0
    assert "Traceback" not in log
