"""REST by real clients: tritonclient, and plain HTTP where a client would not send what is sent here."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest
import tritonclient.http as triton

from modelport import __version__
from modelport_server.execution import processors
from server.models import features, identity, identity_artifact, mlp_artifact, scores
from server.processes import INFER, MODEL, serving, tensor


@pytest.fixture
def client(server):
    connected = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield connected
    connected.close()


def test_tritonclient_finds_and_asks_the_model(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "1")
    assert not client.is_model_ready("other")
    metadata = client.get_server_metadata()
    config = metadata.pop("parameters")
    assert metadata == {"name": "modelport", "version": __version__, "extensions": ["binary_tensor_data"]}
    assert config["batching"] is None
    assert config["max_queue"] == 256
    assert config["device"] == "cpu"
    assert 1 <= config["runs"] * config["threads_per_run"] <= processors.available()
    assert client.get_model_metadata(MODEL) == {
        "name": MODEL,
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {
                "name": "features",
                "datatype": "FP32",
                "shape": [-1, 4],
                "parameters": {"shape": "[batch, 4]", "batch.min": 1},
            }
        ],
        "outputs": [
            {"name": "scores", "datatype": "FP32", "shape": [-1, 3], "parameters": {"shape": "[batch, 3]"}},
        ],
    }
    asked = features(5, seed=3)
    given = triton.InferInput("features", asked.shape, "FP32")
    given.set_data_from_numpy(asked, binary_data=False)
    wanted = triton.InferRequestedOutput("scores", binary_data=False)
    answer = client.infer(MODEL, [given], outputs=[wanted], request_id="7")
    assert answer.get_response()["id"] == "7"
    np.testing.assert_allclose(answer.as_numpy("scores"), scores(asked), rtol=1e-4, atol=1e-6)


def test_tritonclient_reads_types_and_what_json_cannot_say(tmp_path):
    signature = identity(("f", "float32", ["n"]), ("h", "float16", ["n"]), ("i", "int64", ["n"]), ("b", "bool", ["n"]))
    asked = {
        "f": np.array([np.nan, np.inf, -np.inf], np.float32),
        "h": np.array([1.5, -2, np.nan], np.float16),
        "i": np.array([1 << 62, -1, 0]),
        "b": np.array([True, False, True]),
    }
    names = {"f": "FP32", "h": "FP16", "i": "INT64", "b": "BOOL"}
    with serving(identity_artifact(tmp_path / "artifact", signature)) as server:
        inputs = [tensor(name, array, names[name]) | {"data": spelled(array)} for name, array in asked.items()]
        answer = server.ask(INFER, {"inputs": inputs})
        assert answer.status == 200, answer.body
    result = triton.InferResult.from_response_body(answer.body)
    for name, array in asked.items():
        np.testing.assert_array_equal(result.as_numpy(f"{name}_out"), array)


def spelled(array):
    words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return [words.get(str(value), value) for value in array.tolist()]


TIMEOUT = "x-envoy-expected-rq-timeout-ms"
GOOD = {"inputs": [tensor("features", features(1))]}


@pytest.mark.parametrize("path", [f"/v2/models/{MODEL}/versions/1/infer", INFER])
def test_infer_with_and_without_a_version(server, path):
    answer = server.ask(path, GOOD)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "/", 404, "expected a path under /v2"),
        ("GET", "/v2/nothing", 404, "expected /v2,"),
        ("GET", "/v2/models", 404, "expected /v2,"),
        ("GET", "/v2/models/other", 404, "model other"),
        ("GET", f"/v2/models/{MODEL}/versions/2", 404, "version 2"),
        ("GET", f"/v2/models/{MODEL}/versions/2/ready", 404, "version 2"),
        ("GET", f"/v2/models/{MODEL}/nothing", 404, "ready or"),
        ("POST", "/v2/models/other/infer", 404, "model other"),
        ("GET", INFER, 405, "expected POST, found GET"),
        ("POST", "/v2", 405, "expected GET, found POST"),
        ("DELETE", f"/v2/models/{MODEL}", 405, "expected GET, found DELETE"),
        ("GET", "/v2/models/%FF%00", 404, "model"),
    ],
)
def test_wrong_pages_and_methods(server, method, path, status, told):
    answer = server.ask(path, b"" if method == "POST" else None, method=method)
    assert answer.status == status
    assert told in answer.json["error"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "body: "),
        (b"\xff", "body: "),
        (b"[]", "body: Expected `object`"),
        (b"{}", "body: Object missing required field `inputs`"),
        ({"inputs": [{"name": "features"}]}, "$.inputs[0]"),
        ({"inputs": [tensor("features", [1]) | {"shape": "x"}]}, "$.inputs[0].shape"),
        ({"inputs": [tensor("features", [1]) | {"shape": [1.5]}]}, "$.inputs[0].shape[0]"),
        ({"inputs": [tensor("features", [1]) | {"name": 3}]}, "$.inputs[0].name"),
        ({"inputs": [], "id": 3}, "$.id"),
        ({"inputs": [tensor("other", [1])]}, "inputs[other]"),
        ({"inputs": [tensor("features", features(1)) | {"datatype": "FP64"}]}, "inputs[features].datatype"),
        ({"inputs": [tensor("features", features(1)) | {"shape": [1, 5]}]}, "inputs[features].shape"),
        ({"inputs": [tensor("features", features(1)) | {"data": [1]}]}, "inputs[features].data"),
        ({"inputs": [tensor("features", features(1)) | {"data": [None] * 4}]}, "inputs[features].data"),
        (GOOD | {"outputs": [{"name": "x"}]}, "outputs[x]"),
        (b'{"inputs":[{"name":"\\ud800"}]}', "body: "),
        (b'{"inputs":' + b"[" * 200_000, "body: "),
        (b'{"inputs":[],"parameters":{"a":' + b"[" * 200_000, "body: "),
        (b'{"inputs":[{"name":"features","datatype":"FP32","shape":[1,4],"data":' + b"[" * 200_000, "body: "),
    ],
)
def test_refusals_name_the_field(server, body, told):
    answer = server.ask(INFER, body)
    assert answer.status == 400
    assert list(answer.json) == ["error"]
    assert told in answer.json["error"]
    assert server.ask(INFER, GOOD).status == 200, "the next request is answered"


def test_bodies_are_bounded(tmp_path):
    with serving(mlp_artifact(tmp_path / "artifact"), "--max-body-bytes", "1000") as server:
        assert server.ask(INFER, GOOD).status == 200
        told = server.ask(INFER, b" " * 1001)
        assert (told.status, told.json["error"]) == (413, "body: expected at most 1000 bytes, found 1001")
        connection = server.connect()
        connection.request("POST", INFER, iter([b" " * 600, b" " * 600]), encode_chunked=True)
        response = connection.getresponse()
        assert response.status == 413
        connection.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"GET /v2/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Encoding: \xff\r\nContent-Length: 1\r\n\r\na",
        b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nTraceparent: \xff\r\nContent-Length: 1\r\n\r\na",
    ],
)
def test_malformed_http_is_the_client_s_fault(server, sent):
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(sent)
        assert connection.recv(64).startswith(b"HTTP/1.1 4")
    assert server.ask(INFER, GOOD).status == 200


def test_what_is_no_http_is_told_so(server):
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(b"\x00\x01\x02\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 400")
    assert server.ask(INFER, GOOD).status == 200


def test_methods_that_are_not_allowed_tell_which_is(server):
    assert server.ask(INFER).headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("headers", "parameters", "status", "told"),
    [
        ({TIMEOUT: "0"}, {}, 504, "the deadline passed"),
        ({TIMEOUT: "60000"}, {}, 200, ""),
        ({TIMEOUT: "soon"}, {}, 400, f"{TIMEOUT}: expected milliseconds, found soon"),
        ({TIMEOUT: "9" * 40}, {}, 200, ""),
        ({}, {"timeout": 60_000_000}, 200, ""),
        ({}, {"timeout": "x"}, 400, "parameters.timeout: expected microseconds, found x"),
    ],
)
def test_deadlines_are_honoured(server, headers, parameters, status, told):
    answer = server.ask(INFER, GOOD | {"parameters": parameters}, **headers)
    assert answer.status == status
    assert told in answer.body.decode()


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path):
    head = b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
    with serving(mlp_artifact(tmp_path / "artifact"), "--body-seconds", "1") as server:
        with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
            connection.sendall(head + b"abc")
            assert connection.recv(64).startswith(b"HTTP/1.1 408")
        with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
            connection.sendall(head)
            connection.settimeout(0.2)
            assert _dripped(connection).startswith(b"HTTP/1.1 408"), "a body that drips is late too"
        assert server.ask(INFER, GOOD).status == 200


def _dripped(connection):
    for _ in range(90):
        connection.sendall(b" ")
        try:
            return connection.recv(64)
        except TimeoutError:
            continue
    return b""


def test_one_line_of_json_for_each_inference_if_wanted(tmp_path):
    with serving(mlp_artifact(tmp_path / "artifact"), "--access-log") as server:
        server.ask(INFER, GOOD | {"id": "seven"})
        line = msgspec.json.decode(server.logged('"protocol"').split(maxsplit=1)[1])
        assert (line["protocol"], line["code"], line["id"]) == ("rest", "200", "seven")
        assert 0 < line["computeMilliseconds"] <= line["milliseconds"]


def test_clients_that_go_away_leave_nothing_behind(server):
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(b"POST " + INFER.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
        _wait_in_flight(server, 1)
    _wait_in_flight(server, 0)
    assert server.ask(INFER, GOOD).status == 200


def test_answers_are_never_mixed_up(server):
    def ask(number):
        asked = features(1 + number % 5, seed=number)
        answer = server.ask(INFER, {"id": str(number), "inputs": [tensor("features", asked)]}).json
        assert answer["id"] == str(number)
        got = np.reshape(answer["outputs"][0]["data"], answer["outputs"][0]["shape"])
        np.testing.assert_allclose(got, scores(asked), rtol=1e-4, atol=1e-6)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(200)))


def test_metrics_count_by_model_and_code(server):
    before = metrics(server)
    server.ask(INFER, GOOD)
    server.ask(INFER, {"inputs": []})
    after = metrics(server)
    for code in ("200", "400"):
        for name in ("modelport_requests_total", "modelport_request_duration_seconds_count"):
            labels = f'{name}{{code="{code}",model="{MODEL}",protocol="rest"}}'
            assert after[labels] == before.get(labels, 0) + 1
    for stage in ("parse", "queue", "compute", "encode"):
        labels = f'modelport_request_stage_duration_seconds_count{{model="{MODEL}",stage="{stage}"}}'
        assert after[labels] == before[labels] + 1, "stages are those of requests that were answered"
    assert after[f'modelport_model_ready{{model="{MODEL}"}}'] == 1
    assert after[f'modelport_model_load_duration_seconds{{model="{MODEL}"}}'] > 0


def metrics(server):
    text = server.ask("/metrics").body.decode()
    return {name: float(value) for name, value in re.findall(r"^(\w+\{[^}]*\}) (\S+)$", text, re.MULTILINE)}


def _wait_in_flight(server, expected):
    while metrics(server)[f'modelport_requests_in_flight{{model="{MODEL}"}}'] != expected:
        pass


def test_every_answer_is_json(server):
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", f"/v2/models/{MODEL}", f"/v2/models/{MODEL}/ready"):
        answer = server.ask(path)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        msgspec.json.decode(answer.body)
