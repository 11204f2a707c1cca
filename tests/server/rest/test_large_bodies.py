"""Bodies that go from the socket to the model without a copy: however they come, and whatever comes behind them."""

import gzip
import json
import re
import socket

import numpy as np
import pytest
from serving.memory import memory_of

from modelport_server.rest.large_bodies import ALIGNMENT, LARGE, LargeBody
from server.grpc.grpc_places import slow_artifact
from server.models import identity, identity_artifact
from server.processes import INFER, connected, serving, tensor, wait_until_read

COUNT = 200_000
SIGNATURE = identity(("x", "float32", ["n"]), ("s", "string", ["m"]))
LENGTH = "Inference-Header-Content-Length"
BOUNDS = ("--max-body-bytes", "900000", "--max-received-bytes", "1000000")
RAW = {"binary_data_output": True}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(identity_artifact(tmp_path_factory.mktemp("large") / "artifact", SIGNATURE)) as running:
        yield running


def numbers(seed):
    return np.random.default_rng(seed).standard_normal(COUNT).astype(np.float32)


def raw_request(values, name="a", words=("one", "zwei")):
    """Return headers and body of a request with raw tensors."""
    spelled = b"".join(len(each).to_bytes(4, "little") + each.encode() for each in words)
    inputs = [
        {"name": "x", "shape": [len(values)], "datatype": "FP32", "parameters": {"binary_data_size": values.nbytes}},
        {"name": "s", "shape": [len(words)], "datatype": "BYTES", "parameters": {"binary_data_size": len(spelled)}},
    ]
    head = json.dumps({"id": name, "inputs": inputs, "parameters": RAW}).encode()
    return {LENGTH: str(len(head))}, head + values.tobytes() + spelled


def post(headers, body):
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{told}\r\n".encode() + body


class Answers:
    """Answers that come one after the other."""

    def __init__(self, connection):
        self.file = connection.makefile("rb")

    def next(self):
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name] = value
        return status, headers, self.file.read(int(headers["content-length"]))

    def next_raw(self):
        """Return the request's name and x of an answer with raw tensors."""
        status, headers, body = self.next()
        assert status == 200, body
        length = int(headers[LENGTH.lower()])
        told = json.loads(body[:length])
        size = told["outputs"][0]["parameters"]["binary_data_size"]
        return told["id"], np.frombuffer(body[length : length + size], np.float32)


@pytest.mark.parametrize("cut", [0, 1, 5000, LARGE - 1, LARGE, 400_000, COUNT * 4 - 1])
def test_it_may_come_in_any_parts(server, cut):
    headers, body = raw_request(numbers(1))
    sent = post(headers, body)
    begin = len(sent) - len(body)
    with connected(server) as connection:
        for part in (sent[: begin + cut], sent[begin + cut : begin + cut + 1], sent[begin + cut + 1 :]):
            connection.sendall(part)
        name, found = Answers(connection).next_raw()
    assert name == "a"
    np.testing.assert_array_equal(found, numbers(1))


def test_requests_around_it_keep_their_order(server):
    small = numbers(9)[:7]
    requests = [numbers(1), small, numbers(2), numbers(3), small, small, numbers(4)]
    sent = [post(*raw_request(values, str(place))) for place, values in enumerate(requests)]
    with connected(server) as connection:
        connection.settimeout(30)
        answers = Answers(connection)
        connection.sendall(b"".join(sent[:3]) + sent[3][:300_000])
        for place in range(3):
            name, found = answers.next_raw()
            assert name == str(place)
            np.testing.assert_array_equal(found, requests[place])
        connection.sendall(sent[3][300_000:] + b"".join(sent[4:]))
        for place in range(3, 7):
            name, found = answers.next_raw()
            assert name == str(place)
            np.testing.assert_array_equal(found, requests[place])


def test_json_in_all_forms(server):
    values, words = numbers(5), ["one", "é" * 100_000]
    flat = {"inputs": [tensor("x", values), {"name": "s", "shape": [2], "datatype": "BYTES", "data": words}]}
    nested = json.loads(json.dumps(flat))
    nested["inputs"][0] |= {"data": values.reshape(400, -1).tolist(), "shape": [400, COUNT // 400]}
    for body in (json.dumps(flat).encode(), json.dumps(flat, indent=1).encode()):
        answer = server.ask(INFER, body)
        assert answer.status == 200, answer.body
        np.testing.assert_array_equal(np.float32(answer.json["outputs"][0]["data"]), values)
        assert answer.json["outputs"][1]["data"] == words
    refused = server.ask(INFER, json.dumps(nested).encode())
    assert refused.status == 400
    assert "inputs[x]" in refused.json["error"]


def test_compressed(server):
    headers, body = raw_request(numbers(6))
    content = gzip.compress(body, 1)
    assert len(content) > LARGE
    with connected(server) as connection:
        connection.sendall(post(headers | {"Content-Encoding": "gzip"}, content))
        np.testing.assert_array_equal(Answers(connection).next_raw()[1], numbers(6))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda body: body.replace(b"]", b",]", 1), "body"),
        (lambda body: body.replace(b"FP32", b"FP16"), r"inputs\[x\]"),
        (lambda body: body[:-3], "body"),
        (lambda body: b"\0" * len(body), "body"),
        (lambda body: re.sub(rb'"data": \[', b'"data": ["', body, count=1), "body"),
        (lambda body: re.sub(rb'"data": \[', b'"data": ["a",', body, count=1), r"inputs\[x\].data"),
        (lambda body: re.sub(rb'"data": \[', b'"data": [1e99,', body, count=1), r"inputs\[x\].data"),
        (lambda body: re.sub(rb'"data": \[', b'"data": [null,', body, count=1), r"inputs\[x\].data"),
    ],
)
def test_what_is_wrong_is_told(server, change, field):
    body = json.dumps({"inputs": [tensor("x", numbers(7))]}).encode()
    refused = server.ask(INFER, change(body))
    assert refused.status == 400
    assert re.search(field, refused.json["error"]), refused.json


def test_a_client_that_leaves_lets_its_bytes_go(tmp_path):
    headers, body = raw_request(numbers(8))
    sent = post(headers, body)
    with serving(identity_artifact(tmp_path / "artifact", SIGNATURE), *BOUNDS) as server:
        for _ in range(5):
            with connected(server) as connection:
                connection.sendall(sent[:-1])
                connection.shutdown(socket.SHUT_WR)
                assert connection.recv(1) == b""  # the server has seen it leave
        for _ in range(5):
            with connected(server) as connection:
                connection.sendall(sent)
                assert Answers(connection).next()[0] == 200


def test_bytes_too_many_end_it_in_its_midst(tmp_path):
    headers, body = raw_request(numbers(8))
    sent = post(headers, body)
    with (
        serving(identity_artifact(tmp_path / "artifact", SIGNATURE), *BOUNDS) as server,
        connected(server) as first,
        connected(server) as second,
    ):
        first.sendall(sent[:-1])
        wait_until_read(first)
        second.sendall(sent[:199_000])
        wait_until_read(second)
        second.sendall(sent[199_000:202_000])
        status, headers, told = Answers(second).next()
        assert (status, headers["retry-after"]) == (503, "1")
        assert b"bytes of requests are being received already" in told
        first.sendall(sent[-1:])
        assert Answers(first).next()[0] == 200


def test_a_refused_one_does_not_spoil_the_answer_before_it(tmp_path):
    large = post({}, b" " * 880_000)
    slow = b'{"inputs":[{"name":"rounds","shape":[],"datatype":"INT64","data":[500000]}]}'
    with (
        serving(slow_artifact(tmp_path / "artifact"), *BOUNDS) as server,
        connected(server) as first,
        connected(server) as second,
    ):
        first.sendall(large[:-1])
        wait_until_read(first)
        second.sendall(post({}, slow) + large[:150_000])
        second.sendall(large[150_000:])
        answers = Answers(second)
        assert answers.next()[0] == 200
        assert answers.next()[0] == 503
        assert answers.file.read() == b""


def test_bodies_that_are_only_announced_take_no_memory(tmp_path):
    with serving(identity_artifact(tmp_path / "artifact", SIGNATURE)) as server:
        before = memory_of(server.process.pid).rss_mib
        clients = [connected(server) for _ in range(200)]
        for client in clients:
            client.sendall(f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: {200 << 20}\r\n\r\n{{".encode())
        assert server.ask("/v2/health/ready").status == 200
        assert memory_of(server.process.pid).rss_mib - before < 20
        for client in clients:
            client.close()


def test_an_idle_connection_keeps_nothing_of_it(tmp_path):
    with serving(identity_artifact(tmp_path / "artifact", SIGNATURE)) as server:
        assert server.ask(INFER, b" " * (4 << 20)).status == 400
        before = memory_of(server.process.pid).rss_mib
        clients = [connected(server) for _ in range(30)]
        for client in clients:
            client.sendall(post({}, b" " * (4 << 20)))
            assert Answers(client).next()[0] == 400
        assert memory_of(server.process.pid).rss_mib - before < 40
        for client in clients:
            client.close()


def test_who_does_not_read_is_not_read_from(tmp_path):
    headers, body = raw_request(numbers(1))
    with serving(identity_artifact(tmp_path / "artifact", SIGNATURE)) as server, connected(server) as connection:
        before = memory_of(server.process.pid).rss_mib
        connection.settimeout(2)
        with pytest.raises(TimeoutError):
            _send_often(connection, post(headers | {"Content-Encoding": "identity"}, body), 250)
        assert memory_of(server.process.pid).rss_mib - before < 100


def test_a_length_with_zeros_before_it_is_that_length(server):
    size = 20_000_000
    with connected(server) as connection:
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %022d\r\n\r\n" % (INFER.encode(), size))
        connection.sendall(b" " * size + b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        answers = Answers(connection)
        assert answers.next()[0] == 400
        assert answers.next()[2] == b'{"live":true}'


class Nobody:
    """A connection that is told nothing."""

    def connection_lost(self, error): ...
    def eof_received(self): ...
    def pause_writing(self): ...
    def resume_writing(self): ...
    def large_body_grew(self, size): ...


@pytest.mark.parametrize("lead", [0, 1, 122, 4096, 10**19])
def test_its_first_tensor_is_aligned(lead):
    content = LargeBody(Nobody(), 300_000, lead).content
    assert len(content) == 300_000
    assert (np.frombuffer(content, np.uint8).ctypes.data + lead) % ALIGNMENT == 0


def _send_often(connection, content, times):
    for _ in range(times):
        connection.sendall(content)
