"""Every element type of the protocol, through a real server, in all ways that REST has."""

import gzip
import math
import zlib

import msgspec
import numpy as np
import pytest
import tritonclient.http as triton

from modelport_server.protocol.datatypes import BY_DTYPE, DATATYPES
from server.models import identity, identity_artifact
from server.processes import INFER, MODEL, serving, tensor

NAMES = [each.dtype for each in DATATYPES if each.name != "BF16"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    signature = identity(*((name, name, ["n", 2]) for name in NAMES))
    with serving(identity_artifact(tmp_path_factory.mktemp("types") / "artifact", signature)) as running:
        yield running


def arrays():
    """Return two rows of each type."""
    found = {name: np.array([[0, 1], [1, 0]]).astype(BY_DTYPE[name].numpy) for name in NAMES}
    found["float32"][0, 0] = np.nan
    found["string"] = np.array([["", "é"], ["a" * 300, "\0"]], object)
    return found


def test_metadata_name_every_type(server):
    told = server.ask(f"/v2/models/{MODEL}")
    assert told.status == 200
    names = [BY_DTYPE[name].name for name in NAMES]
    assert [each["datatype"] for each in told.json["inputs"]] == names
    assert [each["datatype"] for each in told.json["outputs"]] == names


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("algorithm", [None, "gzip", "deflate"])
def test_tritonclient_and_all_types(server, binary_in, binary_out, algorithm):
    inputs, wanted = [], []
    for name, array in arrays().items():
        given = triton.InferInput(name, array.shape, BY_DTYPE[name].name)
        # its JSON has neither halves nor NaN
        given.set_data_from_numpy(_bytes(array), binary_data=binary_in or name in {"float16", "float32"})
        inputs.append(given)
        wanted.append(triton.InferRequestedOutput(f"{name}_out", binary_data=binary_out))
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        answer = client.infer(
            MODEL,
            inputs,
            outputs=wanted,
            request_id="types",
            request_compression_algorithm=algorithm,
            response_compression_algorithm=algorithm,
        )
    assert answer.get_response()["id"] == "types"
    for name, array in arrays().items():
        np.testing.assert_array_equal(_text(answer.as_numpy(f"{name}_out")), array, err_msg=name)


def test_bfloat16_raw_and_as_json(tmp_path):
    array = np.array([[1.5, -3e38], [0, np.nan]], BY_DTYPE["bfloat16"].numpy)
    signature = identity(("x", "bfloat16", ["n", 2]), ("y", "float32", ["m"]))
    with serving(identity_artifact(tmp_path / "artifact", signature)) as server:
        given = triton.InferInput("x", array.shape, "BF16")
        given.set_data_from_numpy(array)
        other = triton.InferInput("y", [1], "FP32")
        other.set_data_from_numpy(np.ones(1, np.float32))
        with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            answer = client.infer(MODEL, [given, other])
        np.testing.assert_array_equal(answer.as_numpy("x_out").astype(np.float32), array.astype(np.float32))
        data = [[1.5, float(array[0, 1])], [0, "NaN"]]
        told = server.ask(INFER, {"inputs": [tensor("x", data, "BF16") | {"data": data}, tensor("y", [1])]}).json
        assert told["outputs"][0] == {
            "name": "x_out",
            "datatype": "BF16",
            "shape": [2, 2],
            "data": [*data[0], *data[1]],
        }


def _bytes(array):
    return array if array.dtype != object else np.vectorize(str.encode, otypes=[object])(array)


def _text(array):
    return array if array.dtype != object else np.vectorize(_decoded, otypes=[object])(array)


def _spelled(value):
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def _decoded(value):
    return value.decode() if isinstance(value, bytes) else value


def test_json_and_binary_tensors_in_one_request(server):
    given = arrays()
    inputs, raw = [], b""
    for number, (name, array) in enumerate(given.items()):
        if name in {"string", "float32"} or number % 2:
            data = [[_spelled(value) for value in row] for row in array.tolist()]
            inputs.append(tensor(name, array, BY_DTYPE[name].name) | {"data": data})
        else:
            inputs.append(
                {
                    "name": name,
                    "shape": [2, 2],
                    "datatype": BY_DTYPE[name].name,
                    "parameters": {"binary_data_size": array.nbytes},
                }
            )
            raw += array.tobytes()
    head = msgspec.json.encode({"inputs": inputs, "parameters": {"binary_data_output": True}})
    answer = server.ask(INFER, head + raw, **{"inference-header-content-length": str(len(head))})
    assert answer.status == 200, answer.body
    length = int(answer.headers["inference-header-content-length"])
    told, rest = msgspec.json.decode(answer.body[:length]), answer.body[length:]
    assert answer.headers["content-type"] == "application/octet-stream"
    for output in told["outputs"]:
        name = output["name"].removesuffix("_out")
        size = output["parameters"]["binary_data_size"]
        content, rest = rest[:size], rest[size:]
        if name != "string":
            np.testing.assert_array_equal(np.frombuffer(content, given[name].dtype).reshape(2, 2), given[name])
    assert rest == b""


@pytest.mark.parametrize(
    ("encoding", "body", "status", "told"),
    [
        ("br", b"", 415, "content-encoding: expected gzip, deflate or identity, found br"),
        ("gzip", b"{}", 400, "body: expected gzip"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-3], 400, "body: expected gzip, found it cut off"),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"x", 400, "after its end"),
        ("deflate", zlib.compress(b"{}"), 400, "missing required field `inputs`"),
        (
            "gzip",
            lambda: gzip.compress(bytes(300 << 20)),
            413,
            "when decompressed",
        ),  # takes seconds: not while collecting
    ],
)
def test_compressed_bodies_that_are_refused(server, encoding, body, status, told):
    answer = server.ask(INFER, body() if callable(body) else body, **{"content-encoding": encoding})
    assert answer.status == status
    assert told in answer.json["error"]


HEAD = {"name": "int8", "shape": [1, 2], "datatype": "INT8"}


@pytest.mark.parametrize(
    ("parameters", "raw", "length", "told"),
    [
        ({"binary_data_size": 2}, b"abc", None, "body: expected 2 bytes of tensors after the JSON, found 3"),
        ({"binary_data_size": 3}, b"ab", None, "inputs[int8].parameters.binary_data_size: expected 0 to 2, found 3"),
        ({"binary_data_size": -1}, b"ab", None, "binary_data_size: expected 0 to 2, found -1"),
        ({"binary_data_size": 1 << 80}, b"ab", None, "$.inputs[0].parameters"),
        ({"binary_data_size": True}, b"ab", None, "binary_data_size: expected 0 to 2, found True"),
        ({"binary_data_size": "2"}, b"ab", None, "binary_data_size: expected 0 to 2, found 2"),
        ({"binary_data_size": 1}, b"a", None, "inputs[int8]: expected 2 bytes for 2 elements of INT8, found 1"),
        ({}, b"", None, "inputs[int8].data: expected a list, found none"),
        ({}, b"", "x", "inference-header-content-length: expected a number of bytes"),
        ({}, b"", "-1", "inference-header-content-length: expected a number of bytes"),
        ({}, b"", "9" * 30, "inference-header-content-length: expected a number of bytes"),
        ({}, b"", "10", "body: Input data was truncated"),
    ],
)
def test_binary_tensors_that_are_refused(server, parameters, raw, length, told):
    head = msgspec.json.encode({"inputs": [HEAD | {"parameters": parameters}]})
    answer = server.ask(INFER, head + raw, **{"inference-header-content-length": length or str(len(head))})
    assert answer.status == 400
    assert told in answer.json["error"]
