"""Elements to arrays and back, as JSON and raw: what is taken, what is refused, and what the refusal says."""

import math
import tracemalloc

import msgspec
import numpy as np
import orjson
import pytest

from modelport_server.errors import BadRequestError
from modelport_server.protocol.datatypes import BYTES, DATATYPES, Datatype
from modelport_server.protocol.json_data import JsonPayload, to_json_data
from modelport_server.protocol.payloads import RawPayload, to_raw
from server.models import BY_NAME


def read(datatype: str, shape: list[int], data: str) -> np.ndarray:
    payload = JsonPayload(f"before {data} after".encode(), 7, 7 + len(data.encode()))
    return payload.read(BY_NAME[datatype], shape, math.prod(shape), "inputs[x]").reshape(shape)


def written(array: np.ndarray, *, exactly: bool = False) -> str:
    return orjson.dumps(to_json_data(array, exactly=exactly), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def extremes(datatype: Datatype) -> np.ndarray:
    kind = datatype.numpy
    if datatype.is_string:
        return np.array(["", "é", '"', "long" * 9], object)
    if datatype.name == "BF16":
        return np.array([-3.0e38, 3.0e38, 0, 1], kind)
    limits = {"b": [False, True]}.get(kind.kind) or (
        [np.finfo(kind).min, np.finfo(kind).max] if kind.kind == "f" else [np.iinfo(kind).min, np.iinfo(kind).max]
    )
    return np.array([*limits, 0, 1], kind)


@pytest.mark.parametrize("datatype", DATATYPES, ids=lambda each: each.name)
@pytest.mark.parametrize("exactly", [False, True])
def test_every_type_survives_the_way_there_and_back(datatype, exactly):
    array = extremes(datatype).reshape(2, 2)
    again = read(datatype.name, [2, 2], written(array, exactly=exactly))
    assert again.dtype == datatype.numpy
    np.testing.assert_array_equal(again, array)


@pytest.mark.parametrize("datatype", DATATYPES, ids=lambda each: each.name)
def test_every_type_survives_raw(datatype):
    array = extremes(datatype).reshape(2, 2)
    again = RawPayload(bytes(to_raw(array))).read(datatype, [2, 2], 4, "inputs[x]").reshape(2, 2)
    assert again.dtype == datatype.numpy
    np.testing.assert_array_equal(again, array)
    with pytest.raises(BadRequestError, match=r"^inputs\[x\]: expected"):
        RawPayload(bytes(to_raw(array))[:-1]).read(datatype, [2, 2], 4, "inputs[x]")
    with pytest.raises(BadRequestError, match=r"^inputs\[x\]: expected"):
        RawPayload(bytes(to_raw(array))).read(datatype, [5], 5, "inputs[x]")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x01\x00\x00", "a length of 4 bytes, found 3"),
        (b"\x05\x00\x00\x00abc", "an element of 5 bytes, found 3"),
        (b"\xff\xff\xff\xffabc", "an element of 4294967295 bytes"),
        (b"\x00\x00\x00\x00" * 2, "1 elements of BYTES, found 2"),
    ],
)
def test_raw_strings_that_are_refused(content, told):
    with pytest.raises(BadRequestError) as caught:
        RawPayload(content).read(BYTES, [1], 1, "inputs[x]")
    assert str(caught.value).startswith(f"inputs[x]: expected {told}")


def test_raw_truth_values_are_0_or_1():
    with pytest.raises(BadRequestError, match="expected bytes 0 and 1"):
        RawPayload(b"\x00\x02").read(BY_NAME["BOOL"], [2], 2, "inputs[x]")


def test_raw_numbers_are_not_copied():
    content = bytes(16)
    array = RawPayload(memoryview(content)[4:12]).read(BY_NAME["FP32"], [2], 2, "inputs[x]")
    assert array.__array_interface__["data"][0] == np.frombuffer(content, np.uint8).__array_interface__["data"][0] + 4


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
    np.testing.assert_array_equal(read(datatype, shape, data), np.array(expected))


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "told"),
    [
        ("BYTES", [1], "[1]", "inputs[x].data: expected elements of BYTES, found 1"),
        ("BF16", [1], "[1e39]", "inputs[x].data: expected numbers that BF16 holds"),
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
        read(datatype, shape, data)
    assert str(caught.value).startswith(told)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("datatype", "shape", "element"),
    [("FP32", [1], "1.5,"), ("BOOL", [2], "true,"), ("FP64", [1, 1], "[],"), ("INT8", [9, 2], "[1,2],")],
)
def test_more_than_the_shape_has_is_refused_before_it_becomes_objects(datatype, shape, element):
    data = f"[{element * 200_000}{element[:-1]}]"
    tracemalloc.start()
    try:
        with pytest.raises(BadRequestError, match=r"elements for shape .* found more"):
            read(datatype, shape, data)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()


def test_long_lists_without_elements():
    assert read("FP32", [10_000, 0], f"[{'[],' * 9_999}[]]").shape == (10_000, 0)


def test_what_json_cannot_say_is_spelled_out_so_that_numpy_reads_it():
    array = np.array([math.nan, math.inf, -math.inf, 1.5], np.float32)
    assert written(array) == "[null,null,null,1.5]", "the mark by which the encoder of bodies notices"
    data = msgspec.json.decode(written(array, exactly=True))
    assert data == ["NaN", "Infinity", "-Infinity", 1.5]
    np.testing.assert_array_equal(np.array(data, np.float32), array)


def test_long_lists_of_numbers_are_those_of_python():
    values = np.random.default_rng(0).standard_normal(200_000)
    text = msgspec.json.encode(values.tolist()).decode()
    for datatype in ("FP64", "FP32"):
        expected = values.astype(BY_NAME[datatype].numpy)
        np.testing.assert_array_equal(read(datatype, [200_000], text), expected)
