"""Hostile requests, made from good ones: whatever comes, the answer is the client's fault or right, and soon there.

What once went wrong is kept in `corpus/`, one file per request: a line with the length of the JSON, or `-`, and the body.
"""

import copy
import json
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.models import identity, identity_artifact
from server.processes import INFER, read, serving

CORPUS = Path(__file__).parent / "corpus"
SIGNATURE = identity(
    ("f", "float32", ["n", 3]), ("i", "int64", ["n"]), ("b", "bool", ["n", "k"]), ("s", "string", ["n"])
)
GOOD = {
    "id": "1",
    "inputs": [
        {"name": "f", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6.5]},
        {"name": "i", "shape": [2], "datatype": "INT64", "data": [7, -8]},
        {"name": "b", "shape": [2, 1], "datatype": "BOOL", "data": [[True], [False]]},
        {"name": "s", "shape": [2], "datatype": "BYTES", "data": ["a", "é"]},
    ],
    "outputs": [{"name": "f_out"}, {"name": "s_out", "parameters": {"binary_data": True}}],
    "parameters": {"p": 1},
}
LONG = {"name": "f", "shape": [3000, 3], "datatype": "FP32", "data": [0.5] * 9000}
NESTED = LONG | {"data": [[0.5] * 3 for _ in range(3000)]}  # each row its own: what changes one changes no other
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, -0.0]),
    st.sampled_from(
        ["", "f", "NaN", "Infinity", "FP32", "BF16", "BYTES", "\0", "é" * 99, "\ud7ff", "data", '"data":[']
    ),
    st.lists(st.integers(-2, 2), max_size=4),
    st.just([[], [[]]]),
    st.just({"binary_data_size": 4}),
    st.just({"binary_data_size": -1}),
    st.just({"data": [1] * 9000}),
)


def places(value, path=()):
    """Return the paths to all members of a document."""
    found = [path]
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(member, (*path, key))
    return found


@st.composite
def documents(draw):
    document = copy.deepcopy(GOOD)
    if draw(st.integers(0, 9)) == 0:
        document["inputs"][0] = copy.deepcopy(NESTED if draw(st.booleans()) else LONG)
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from([path for path in places(document) if path][:200]))
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        match draw(st.sampled_from(["set", "set", "delete", "copy", "more"])):
            case "set":
                holder[path[-1]] = copy.deepcopy(draw(VALUES))
            case "delete":
                del holder[path[-1]]
            case "copy" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[path[-1]]))
            case "more" if isinstance(holder, dict):
                holder[draw(st.sampled_from(["data", "x", "parameters", "id"]))] = copy.deepcopy(draw(VALUES))
    return document


@st.composite
def requests(draw):
    """Return a body and what the header tells of its JSON's length."""
    text = json.dumps(draw(documents())).encode("utf-8", "surrogatepass")
    raw = draw(st.sampled_from([b"", b"", bytes(4), bytes(24), b"\xff" * 7]))
    length = str(len(text)) if raw else None
    body = text + raw
    match draw(st.integers(0, 9)):
        case 0:
            length = draw(st.sampled_from([None, "0", "-1", "1", "99999999999999999999", "x", "1.0"]))
        case 1 if body:
            at = draw(st.integers(0, len(body) - 1))
            body = body[:at] + draw(st.binary(max_size=4)) + body[at + draw(st.integers(0, 4)) :]
        case 2:
            body = body[: draw(st.integers(0, len(body)))]
    return body, length


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    """Return a connection to a server that nothing must end."""
    with serving(identity_artifact(tmp_path_factory.mktemp("fuzz") / "artifact", SIGNATURE)) as server:
        connected = HTTPConnection("127.0.0.1", server.port, timeout=20)
        yield connected
        connected.close()
        assert server.process.poll() is None


def check(connection, body, length):
    headers = {} if length is None else {"inference-header-content-length": length}
    connection.request("POST", INFER, body, headers)
    answer = read(connection)
    if answer.status != 200:
        assert 400 <= answer.status < 500, answer
        assert 5 < len(answer.json["error"]) <= 700
    mark = len(body) % (1 << 20)  # the next one gets what is its own, and nothing of this one
    asked = {"name": "f", "shape": [1, 3], "datatype": "FP32", "data": [mark, 1, 2]}
    others = [
        {"name": name, "shape": shape, "datatype": kind, "data": data}
        for name, shape, kind, data in (
            ("i", [1], "INT64", [mark]),
            ("b", [1, 0], "BOOL", []),
            ("s", [1], "BYTES", ["z"]),
        )
    ]
    connection.request("POST", INFER, json.dumps({"inputs": [asked, *others]}))
    right = read(connection)
    assert right.status == 200, right
    told = {output["name"]: output["data"] for output in right.json["outputs"]}
    assert told == {"f_out": [mark, 1, 2], "i_out": [mark], "b_out": [], "s_out": ["z"]}


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(request_=requests())
def test_what_is_made_from_good_requests(connection, request_):
    check(connection, *request_)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*")), ids=lambda path: path.stem)
def test_what_once_went_wrong(connection, path):
    length, body = path.read_bytes().split(b"\n", 1)
    check(connection, body, None if length == b"-" else length.decode())


def test_the_good_request_is_good(connection):
    connection.request("POST", INFER, json.dumps(GOOD))
    answer = read(connection)
    assert answer.status == 200
    told = json.loads(answer.body[: int(answer.headers["inference-header-content-length"])])
    assert np.reshape(told["outputs"][0]["data"], told["outputs"][0]["shape"]).tolist() == [[1, 2, 3], [4, 5, 6.5]]
