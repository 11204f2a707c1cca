"""JSON data to arrays and back: what is taken, what is refused, and what the refusal says."""

import math

import msgspec
import numpy as np
import pytest

from modelport_server.errors import BadRequestError
from modelport_server.protocol.messages import RequestTensor
from modelport_server.protocol.tensors import DATATYPES, to_array, to_tensor


def given(datatype: str, shape: list[int], data: str) -> RequestTensor:
    return RequestTensor(name="x", shape=shape, datatype=datatype, data=msgspec.Raw(data.encode()))


@pytest.mark.parametrize("datatype", DATATYPES)
def test_every_type_survives_the_way_there_and_back(datatype):
    kind = np.dtype(DATATYPES[datatype])
    limits = {"b": [False, True]}.get(kind.kind) or (
        [np.finfo(kind).min, np.finfo(kind).max] if kind.kind == "f" else [np.iinfo(kind).min, np.iinfo(kind).max]
    )
    array = np.array([*limits, 0, 1], kind).reshape(2, 2)
    message = to_tensor("x", array)
    assert (message.datatype, message.shape) == (datatype, [2, 2])
    again = to_array(given(datatype, message.shape, msgspec.json.encode(message.data).decode()))
    assert again.dtype == kind
    np.testing.assert_array_equal(again, array)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "expected"),
    [
        ("FP32", [2, 2], "[[1, 2], [3, 4.5]]", [[1, 2], [3, 4.5]]),
        ("INT8", [1, 2, 2], "[[[1, -2], [3, 4]]]", [[[1, -2], [3, 4]]]),
        ("BOOL", [2, 1], "[[true], [false]]", [[True], [False]]),
        ("FP32", [2], " [1, 2] ".strip(), [1, 2]),
        ("FP32", [], "[3]", 3),
        ("FP64", [0, 4], "[]", np.zeros((0, 4))),
        ("FP32", [3], '["NaN", "-Infinity", 1]', [math.nan, -math.inf, 1]),
        ("FP16", [1, 1], '[["Infinity"]]', [[math.inf]]),
    ],
)
def test_taken(datatype, shape, data, expected):
    np.testing.assert_array_equal(to_array(given(datatype, shape, data)), np.array(expected))


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "told"),
    [
        ("FP33", [1], "[1]", "inputs[x].datatype: expected one of BOOL"),
        ("BYTES", [1], '["a"]', "inputs[x].datatype"),
        ("FP32", [-1], "[1]", "inputs[x].shape"),
        ("FP32", [1] * 17, "[1]", "inputs[x].shape"),
        ("FP32", [2], "[1]", "inputs[x].data: expected 2 elements for shape [2], found 1"),
        ("FP32", [1 << 80], "[1]", "inputs[x].data: expected 1208925819614629174706176 elements"),
        ("FP32", [1], "", "inputs[x].data: expected a list, found none"),
        ("FP32", [1], "3", "inputs[x].data: expected a list, found 3"),
        ("FP32", [1], "null", "inputs[x].data: expected a list, found null"),
        ("FP32", [2], "[1, null]", "inputs[x].data: expected elements of FP32, found null"),
        ("FP32", [1], '["1"]', 'inputs[x].data: expected elements of FP32, found "1"'),
        ("FP32", [1], "[true]", "inputs[x].data: expected elements of FP32, found true"),
        ("FP32", [1], '[{"a": 1}]', "inputs[x].data: expected elements of FP32, found {"),
        ("FP32", [1], "[1e39]", "inputs[x].data: expected numbers of FP32"),
        ("FP32", [2], '["Infinity", 1e39]', "inputs[x].data: expected numbers of FP32"),
        ("FP16", [1], "[70000]", "inputs[x].data: expected numbers of FP16, from -65504"),
        ("FP64", [1, 1], f"[[{'9' * 400}]]", "inputs[x].data: expected numbers of FP64"),
        ("INT8", [1], "[128]", "inputs[x].data: expected numbers of INT8, from -128 to 127"),
        ("UINT64", [1], "[-1]", "inputs[x].data: expected numbers of UINT64"),
        ("INT64", [1], f"[{1 << 63}]", "inputs[x].data: expected numbers of INT64"),
        ("INT32", [1], "[1.5]", "inputs[x].data: expected elements of INT32, found 1.5"),
        ("INT32", [1], '["NaN"]', 'inputs[x].data: expected elements of INT32, found "NaN"'),
        ("BOOL", [1], "[1]", "inputs[x].data: expected elements of BOOL, found 1"),
        ("INT32", [2, 2], "[[1, 2, 3], [4]]", "inputs[x].data: expected a flat list, or lists nested as shape [2, 2]"),
        ("INT32", [2, 2], "[[1, 2], 3, 4]", "inputs[x].data: expected a flat list, or lists nested"),
        ("INT32", [2], "[[1], [2]]", "inputs[x].data: expected a flat list, or lists nested"),
        ("INT32", [2, 1], "[[1], [[2]]]", "inputs[x].data: expected a flat list, or lists nested"),
        ("INT32", [], "[[1]]", "inputs[x].data: expected one element"),
        ("INT32", [1], f"{'[' * 100_000}1{']' * 100_000}", "inputs[x].data: expected less nesting"),
    ],
)
def test_refused(datatype, shape, data, told):
    with pytest.raises(BadRequestError) as caught:
        to_array(given(datatype, shape, data))
    assert str(caught.value).startswith(told)
    assert len(str(caught.value)) < 400


def test_what_json_cannot_say_is_spelled_out_so_that_numpy_reads_it():
    array = np.array([math.nan, math.inf, -math.inf, 1.5], np.float32)
    data = msgspec.json.decode(msgspec.json.encode(to_tensor("y", array).data))
    assert data == ["NaN", "Infinity", "-Infinity", 1.5]
    np.testing.assert_array_equal(np.array(data, np.float32), array)
