"""Long lists are taken out of requests, and nothing is read otherwise for it."""

import json
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport_server.errors import BadRequestError
from modelport_server.protocol import bodies, cutting, json_data
from modelport_server.protocol.datatypes import BY_DTYPE
from server.models import BY_NAME

LONG = [0.25, -3, 1e-7] * 4000


def read(body, dtype="float32"):
    """Return the elements of each input."""
    return [
        tensor.payload.read(BY_DTYPE[dtype], tensor.shape, int(np.prod(tensor.shape)), tensor.name).tolist()
        for tensor in bodies.decode(body, None).inputs
    ]


def tensor(data, shape=None, **more):
    return {"name": "x", "shape": shape or [len(data)], "datatype": "FP32", "data": data, **more}


def request(*tensors, **more):
    return json.dumps({"inputs": tensors, **more}).encode()


def test_a_long_list_is_taken_out_and_read():
    nested = np.reshape(LONG, (20, -1, 3))
    body = request(tensor(LONG), tensor([1, 2]), tensor(nested.tolist(), nested.shape), tensor(LONG[::-1]))
    short, lists = cutting.cut(body)
    assert len(short) < 500
    assert len(lists.places) == 3
    expected = np.float32(LONG).tolist()
    assert read(body) == [expected, [1, 2], expected, expected[::-1]]


def test_many_lists_are_not_looked_at_one_by_one():
    body = b'{"inputs":[' + b'{"data":[]},' * 100 + json.dumps({"data": LONG}).encode() + b"]}"
    assert cutting.cut(body) == (body, None)


@pytest.mark.parametrize(
    "body",
    [
        request(tensor([[each] for each in LONG], [len(LONG), 1])),
        request(tensor(["NaN" if each == -3 else each for each in LONG])),
        request(tensor(LONG), parameters={"note": '"data":[1]'}),
        request(tensor(LONG, parameters={"data": "[1, 2"})),
        request(tensor(LONG)).replace(b'"data": [', b'"data"\n:\t ['),
    ],
)
def test_what_looks_alike_is_read_as_it_is(body):
    values = np.float32([float("nan") if each == -3 and b"NaN" in body else each for each in LONG])
    np.testing.assert_array_equal(np.float32(read(body)[0]), values)


def test_strings_with_brackets_are_read_as_they_are():
    words = ["a]", '"data":[', "[[", "\\", '"'] * 3000
    assert read(request(tensor(words)), "string") == [words]


def test_brackets_in_strings_of_two_inputs_do_not_make_one_list():
    body = request(tensor(["see [1" + "x" * 20_000]), tensor(LONG), tensor(["end]"]))
    _, lists = cutting.cut(body)
    assert len(lists.places) == 1
    first, second, third = bodies.decode(body, None).inputs
    string, number = BY_DTYPE["string"], BY_DTYPE["float32"]
    assert first.payload.read(string, [1], 1, "x").tolist() == ["see [1" + "x" * 20_000]
    assert second.payload.read(number, [len(LONG)], len(LONG), "x").tolist() == np.float32(LONG).tolist()
    assert third.payload.read(string, [1], 1, "x").tolist() == ["end]"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (request(tensor(LONG), parameters={"data": LONG}), "body: Expected"),
        (request(tensor(LONG))[:-1], "body: Input data was truncated"),
        (request(tensor(LONG)).replace(b"]", b""), "body: "),
        (request(tensor(LONG)).replace(b"-3", b"-x", 1), "x.data: JSON is malformed"),
        (b'{"inputs":[' + b'{"data":[' * 200_000, "body: "),
        (b'"data":' + b" " * 1_000_000 + b"[", "body: "),
    ],
)
def test_what_is_wrong_is_told_as_ever(body, told):
    with pytest.raises(BadRequestError) as caught:
        read(body)
    assert told in str(caught.value)


@st.composite
def tensors(draw):
    """Return a tensor of numbers, flat or nested, or of strings that look like something else."""
    if draw(st.booleans()):
        words = draw(st.lists(st.text('[]",:\\x', max_size=9), min_size=1, max_size=3))
        return {"name": "s", "shape": [len(words)], "datatype": "BYTES", "data": words}
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    values = np.arange(np.prod(shape)) / 2
    data = values.reshape(shape).tolist() if draw(st.booleans()) else values.tolist()
    return {"name": "x", "shape": shape, "datatype": draw(st.sampled_from(["FP32", "FP64", "FP16"])), "data": data}


@st.composite
def whole_bodies(draw):
    """Return a request, often with a mistake somewhere."""
    more = draw(st.sampled_from([{}, {"id": ']"'}, {"parameters": {"data": [1, 2, [3]]}}]))
    body = request(*draw(st.lists(tensors(), min_size=1, max_size=4)), **more)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(body) - 1))
        body = body[:at] + draw(st.text('[],: "', max_size=3)).encode() + body[at + draw(st.integers(0, 3)) :]
    return body


def outcome(body, *, long):
    """Return what is read when lists are long from so many bytes; None if it is refused."""
    with patch.object(cutting, "LONG", long), patch.object(json_data, "_LONG", long):
        try:
            return [
                each.payload.read(BY_NAME[each.datatype], each.shape, int(np.prod(each.shape)), "x").tolist()
                for each in bodies.decode(body, None).inputs
            ]
        except (BadRequestError, KeyError):  # KeyError: a type that does not exist, which the data plane looks for
            return None


@settings(max_examples=10 * settings.default.max_examples, deadline=None)
@given(whole_bodies())
def test_the_same_is_read_with_and_without_it(body):
    assert outcome(body, long=4) == outcome(body, long=1 << 30)
