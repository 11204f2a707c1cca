"""Connections of HTTP/1.1: what clients may do with them, and what is not waited for."""

import json
import socket
from http.client import HTTPConnection

import pytest

from server.grpc.grpc_places import slow_artifact
from server.models import features, mlp_artifact
from server.processes import INFER, connected, serving, tensor

BODY = json.dumps({"inputs": [tensor("features", features(1))]}).encode()
POST = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n"


def post(body=BODY, *, headers=b""):
    return POST % (INFER.encode(), len(body), headers) + body


def everything(connection):
    """Return what comes until the server closes."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def test_requests_sent_ahead_are_answered_in_their_order(server):
    bodies = [
        json.dumps({"id": str(number), "inputs": [tensor("features", features(1))]}).encode() for number in range(40)
    ]
    with connected(server) as connection:
        connection.sendall(b"".join(map(post, bodies[:-1])) + post(bodies[-1], headers=b"Connection: close\r\n"))
        received = everything(connection)
    assert received.count(b"HTTP/1.1 200 OK") == 40
    places = [received.index(b'"id":"%d"' % number) for number in range(40)]
    assert places == sorted(places)


def test_who_sends_no_more_gets_all_answers(server):
    with connected(server) as connection:
        connection.sendall(post() * 30 + b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        received = everything(connection)
    assert received.count(b"HTTP/1.1 200 OK") == 31
    assert received.endswith(b'{"live":true}')


def test_a_request_may_come_byte_by_byte(server):
    with connected(server) as connection:
        for byte in post(headers=b"Connection: close\r\n"):
            connection.sendall(bytes((byte,)))
        assert everything(connection).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_asks_before_it_sends_is_told_to(server):
    with connected(server) as connection:
        connection.sendall(POST % (INFER.encode(), len(BODY), b"Expect: 100-continue\r\nConnection: close\r\n"))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert everything(connection).startswith(b"HTTP/1.1 200 OK")


def test_http_1_0_and_head(server):
    with connected(server) as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.0\r\n\r\n")
        assert everything(connection).endswith(b'{"live":true}')
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("HEAD", "/v2/health/live")
    response = connection.getresponse()
    assert (response.status, response.read()) == (405, b"")
    connection.request("GET", "/v2/health/live?verbose")
    assert connection.getresponse().read() == b'{"live":true}', "the connection goes on behind it"
    connection.close()


def test_a_wish_for_another_protocol_is_ignored(server):
    with connected(server) as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert everything(connection).endswith(b'{"live":true}')


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 20_000, 413),
        (b"GET /" + b"a" * 100_000, 413),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    ],
)
def test_what_no_client_should_send(server, sent, status):
    with connected(server) as connection:
        try:
            connection.sendall(sent)
            received = everything(connection)
        except (BrokenPipeError, ConnectionResetError):  # it was refused before all of it was sent
            received = b"HTTP/1.1 %d" % status
    assert received.startswith(b"HTTP/1.1 %d" % status)
    assert server.ask("/v2/health/ready").status == 200


def test_garbage_behind_a_request_does_not_spoil_its_answer(tmp_path):
    with serving(slow_artifact(tmp_path / "artifact")) as server, connected(server) as connection:
        body = b'{"inputs":[{"name":"rounds","shape":[],"datatype":"INT64","data":[300000]}]}'
        connection.sendall(post(body) + b"\x00 garbage\r\n\r\n")
        received = everything(connection)
        assert received.startswith(b"HTTP/1.1 200 OK")
        assert received.count(b"HTTP/1.1 ") == 2
        assert b"HTTP/1.1 400" in received


def test_connections_are_bounded(tmp_path):
    with serving(mlp_artifact(tmp_path / "artifact"), "--max-connections", "2") as server:
        with connected(server), connected(server), connected(server) as third:
            received = everything(third)
            assert received.startswith(b"HTTP/1.1 503")
            assert b"retry-after: 1" in received
        assert server.ask("/v2/health/ready").status == 200


def test_all_bodies_together_are_bounded(tmp_path):
    options = ("--max-body-bytes", "300000", "--max-received-bytes", "500000")
    with serving(mlp_artifact(tmp_path / "artifact"), *options) as server:
        with connected(server) as first, connected(server) as second:
            first.sendall(post(b" " * 290_000)[:-1])
            second.sendall(post(b" " * 290_000)[:-1])
            received = second.recv(1000)
            assert received.startswith(b"HTTP/1.1 503")
            assert b"retry-after: 1" in received
            assert b"bytes of requests are being received already" in received
        for _ in range(9):
            assert server.ask(INFER, b" " * 290_000).status == 400, "what was let go is free again"


def test_who_does_not_read_holds_nobody_else(server):
    with connected(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        many = post(json.dumps({"inputs": [tensor("features", features(500))]}).encode())
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.sendall(many * 1000)
        assert server.ask("/v2/health/ready").status == 200
