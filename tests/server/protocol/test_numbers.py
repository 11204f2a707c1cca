"""The compiled reader of lists, beside the C library and Python, which are always right."""

import ctypes
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport_server.protocol.numbers import end_of_list, is_compiled, read_numbers

_STRTOF = ctypes.CDLL(None).strtof
_STRTOF.restype = ctypes.c_float
SEVEN_DIGITS = st.lists(st.integers(0, 9_999_999), min_size=1, max_size=6)


def test_it_is_compiled():
    assert is_compiled(), "`make install` compiles it; is there a C compiler?"


@st.composite
def numerals(draw):
    """Return a number as JSON spells it, of up to 42 digits on both sides of the point."""
    digits, places = "".join(map(str, draw(SEVEN_DIGITS))), draw(st.integers(0, 24))
    whole, fraction = (digits[:-places], f".{digits[-places:]:0>{places}}") if places else (digits, "")
    exponent = draw(st.one_of(st.just(""), st.integers(-30, 20).map(lambda power: f"e{power}")))
    return draw(st.sampled_from(["", "-"])) + (whole.lstrip("0") or "0") + fraction + exponent


@st.composite
def middles(draw):
    """Return a number that is in the middle between two of float32, or next to it: what is hardest to round."""
    first = np.float32(draw(st.floats(2.0**-20, 2.0**20, width=32)))
    middle = (float(first) + float(np.nextafter(first, np.float32(np.inf)))) / 2
    return repr(draw(st.sampled_from([middle, math.nextafter(middle, 0), math.nextafter(middle, math.inf)])))


def read(texts, dtype, separator=","):
    text = f"x[{separator.join(texts)}]y".encode()
    return read_numbers(text, 1, len(text) - 1, dtype, [len(texts)])


@settings(max_examples=5 * settings.default.max_examples)
@given(st.lists(st.one_of(numerals(), middles()), min_size=1, max_size=20))
def test_floats_are_those_of_the_c_library(texts):
    expected = [_STRTOF(text.encode(), None) for text in texts]
    found = read(texts, "float32", " ,\n")
    if not all(map(math.isfinite, expected)):
        assert found is None
    else:
        assert found.view(np.uint32).tolist() == np.array(expected, np.float32).view(np.uint32).tolist()


@pytest.mark.parametrize("places", [17, 18, 19, 22, 23, 998, 999, 1000, 1001, 1999])
@pytest.mark.parametrize("whole", ["0", "1", "123456789012345678"])
@pytest.mark.parametrize("power", ["", "e3", "e-3", "e1000", "e1010"])
def test_places_behind_the_point(places, whole, power):
    texts = [
        f"{whole}.{'0' * (places - 1)}1{power}",
        f"{whole}.{'7' * places}{power}",
        f"{whole}.{'0' * places}{power}",
    ]
    for text in texts:
        expected = float(text)
        found = read([text], "float64")
        assert found is None if math.isinf(expected) else found.tolist() == [expected]
        single = _STRTOF(text.encode(), None)
        found = read([text], "float32")
        assert found is None if math.isinf(single) else found.tolist() == [single]


@settings(max_examples=5 * settings.default.max_examples)
@given(
    st.lists(st.one_of(numerals(), st.floats(allow_nan=False, allow_infinity=False).map(repr)), min_size=1, max_size=20)
)
def test_doubles_are_those_of_python(texts):
    expected = [float(text) for text in texts]
    found = read(texts, "float64")
    if not all(map(math.isfinite, expected)):
        assert found is None
    else:
        assert found.view(np.uint64).tolist() == np.array(expected).view(np.uint64).tolist()


@settings(max_examples=2 * settings.default.max_examples)
@given(st.lists(st.integers(-(2**64), 2**64), min_size=1, max_size=10))
def test_integers_are_exact_or_refused(values):
    found = read([str(value) for value in values], "int64")
    if all(-(2**63) <= value < 2**63 for value in values):
        assert found.tolist() == values
    else:
        assert found is None


@settings(max_examples=5 * settings.default.max_examples)
@given(st.text('0123456789.eE+-,[] tnN"', max_size=30))
def test_what_is_no_list_of_numbers_is_refused_and_nothing_else_is_read(text):
    content = f"[{text}]".encode() + b"1]"
    try:
        values = [float(each) for each in text.split(",")] if text.strip() else []
    except ValueError:
        values = None
    found = read_numbers(content, 0, len(content) - 2, "float64", [len(values or [0])])
    if values is None:
        assert found is None
    elif found is not None:
        assert found.tolist() == values


@pytest.mark.parametrize(
    "text",
    [
        "[1,]",
        "[,1]",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[1e+]",
        "[--1]",
        "[1 2]",
        "[NaN]",
        "[0x1]",
        "[1]]",
        "[1",
        "1]",
        "[-]",
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_the_grammar_is_json_s(text, dtype):
    assert read_numbers(text.encode(), 0, len(text), dtype, [1]) is None


def test_the_count_is_what_was_told():
    assert read(["1", "2"], "int64").tolist() == [1, 2]
    for lengths in ([1], [3], [1 << 60], [1, 2], [2, 1], []):
        assert read_numbers(b"[1,2]", 0, 5, "int64", lengths) is None
    for lengths in ([0], [2**64, 0], [0, 2**64 + 1]):
        assert read_numbers(b"[]", 0, 2, "int64", lengths) is None
    assert read_numbers(b"[1]", 0, 3, "uint8", [1]) is None


SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@settings(max_examples=5 * settings.default.max_examples)
@given(SHAPES, SHAPES, st.sampled_from([(",", ":"), (" ,\n", ":"), ("\t,  ", ":")]))
def test_lists_in_lists_are_read_as_they_are_nested(shape, told, separators):
    values = np.arange(math.prod(shape)).reshape(shape)
    text = json.dumps(values.tolist(), separators=separators).replace("[", "[ ").replace("]", "\r]").encode()
    found = read_numbers(b"{" + text + b"]", 1, 1 + len(text), "float32", told)
    nesting = np.array(json.loads(text)).shape  # [0, 3] is written as []
    if nesting == tuple(told) and values.size:
        assert found.tolist() == values.ravel().tolist()
    else:
        assert found is None
    assert end_of_list(b"{" + text + b", [1]]", 1) == 1 + len(text)


@pytest.mark.parametrize(
    "text",
    [
        "[[1,2],[3]]",
        "[[1,2],[3,4,5]]",
        "[[1,2]]",
        "[[1,2],[3,4],[5,6]]",
        "[[1,2],[],[3,4]]",
        "[[1,2],3,4]",
        "[1,2,[3,4]]",
        "[[1,2][3,4]]",
        "[[1,2],[3,4],]",
        "[[1,2],[3,[4]]]",
        "[[1,2],[3,4]]]",
        "[[1,2],[3,4]",
    ],
)
def test_lists_of_other_lengths_are_refused(text):
    assert read_numbers(text.encode(), 0, len(text), "int64", [2, 2]) is None


@pytest.mark.parametrize(
    "text", [b"[", b"[[]", b"[[1],[2]", b"[" * 100_000, b"[" * 65 + b"]" * 65, b'["a"]', b'[1,"]"]']
)
def test_a_list_with_no_end_or_with_strings_has_none(text):
    assert end_of_list(text, 0) == 0


def test_the_end_of_a_list_is_behind_its_own_bracket():
    assert end_of_list(b'["a",[[1],[2]],3,"]]"', 5) == 14
    deep = b"[" * 64 + b"]" * 64
    assert end_of_list(deep, 0) == len(deep)
    assert end_of_list(deep, 10) == len(deep) - 10


@pytest.mark.parametrize("lengths", [[-2, -3], [-6], [6, -1, -1]])
def test_no_array_has_negative_lengths(lengths):
    assert read_numbers(b"[1,2,3,4,5,6]", 0, 13, "int64", lengths) is None
