"""Elements of a tensor as JSON.

Long lists of numbers go from text into an array by compiled code, without an object for each, short ones and those of UINT64,
BOOL and BYTES by msgspec. What neither takes (words for what JSON cannot say, nested lists that are short or of other elements,
and all that is wrong) is read element by element, which finds the message to give.

JSON has no NaN and no infinity: the strings "NaN", "Infinity" and "-Infinity" stand for them, in both directions,
because an answer with one such element is still an answer. `null` is refused: it is what careless encoders make of a
missing value.
"""

import itertools
import math
import operator
from typing import Any

import msgspec
import numpy as np

from modelport_server.errors import BadRequestError
from modelport_server.protocol.datatypes import Datatype, datatype_of
from modelport_server.protocol.numbers import is_compiled, read_numbers
from modelport_server.protocol.payloads import Array, Buffer
from modelport_server.strings import strings

np.seterr(over="ignore")  # numbers that do not fit are found here, and told to the client
_ANY = msgspec.json.Decoder(list[Any])
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_WORDS = {value: word for word, value in _SPECIAL.items() if word != "NaN"}
_LISTS: dict[str, msgspec.json.Decoder[Any]] = {
    **dict.fromkeys("fV", msgspec.json.Decoder(list[float])),
    **dict.fromkeys("iu", msgspec.json.Decoder(list[int])),
    "b": msgspec.json.Decoder(list[bool]),
    "O": msgspec.json.Decoder(list[str]),
}
"""What reads flat lists, by numpy's kind of type; "V" is bfloat16."""
_LONG = 1 << 14
"""Bytes from which compiled code is quicker."""
_FOR_A_THREAD = 1 << 18
_WIDE = {
    "FP16": "float64",
    "BF16": "float64",
    "FP32": "float32",
    "FP64": "float64",
    **dict.fromkeys(("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32"), "int64"),
}
"""As which type compiled code reads elements."""
_ELEMENTS: dict[str, tuple[type, ...]] = {"f": (float, int), "V": (float, int), "b": (bool,), "O": (str,)}
"""What an element may be, by numpy's kind of type."""


class JsonPayload:
    """A JSON list, inside of a larger text."""

    __slots__ = ("_start", "_stop", "_text")

    def __init__(self, text: Buffer, start: int = 0, stop: int | None = None) -> None:
        """Take a text, and where in it the list is."""
        self._text, self._start, self._stop = text, start, len(text) if stop is None else stop

    @property
    def is_for_a_thread(self) -> bool:
        """Whether reading takes longer than to hand it over; numbers are then read without the interpreter."""
        return self._stop - self._start >= _FOR_A_THREAD and is_compiled()

    def read(self, datatype: Datatype, shape: list[int], count: int, field: str) -> Array:
        """Return the elements. Raises BadRequestError."""
        array = self._quickly(datatype, shape, count, field)
        if array is None:
            array = _elements(bytes(self._text[self._start : self._stop]), datatype, shape, f"{field}.data")
        if array.size != count:
            raise _wrong_count(field, shape, str(array.size))
        return array

    def _quickly(self, datatype: Datatype, shape: list[int], count: int, field: str) -> Array | None:
        """Return the elements of a flat list, or of a long one of numbers that is nested, if all fit; else None."""
        if self._stop - self._start >= _LONG:
            array = self._numbers(datatype, [count])
            if array is None and len(shape) > 1:
                array = self._numbers(datatype, shape)
            if array is not None:
                return array
            if not datatype.is_string:
                self._check_commas(shape, field)
        return self._flat(datatype)

    def _numbers(self, datatype: Datatype, lengths: list[int]) -> Array | None:
        wide = read_numbers(self._text, self._start, self._stop, _WIDE.get(datatype.name, ""), lengths)
        return None if wide is None else _narrowed(wide, datatype)

    def _flat(self, datatype: Datatype) -> Array | None:
        try:
            values = _LISTS[datatype.numpy.kind].decode(self._text[self._start : self._stop])
            array = np.array(values, datatype.numpy)
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
            return None
        if datatype.is_float and np.count_nonzero(np.isfinite(array)) != array.size:
            return None
        return array

    def _check_commas(self, shape: list[int], field: str) -> None:
        """Raise BadRequestError for more elements than the shape has, before each of them becomes an object."""
        # as many as there are elements, or lists if those have none
        most = max([1, *itertools.accumulate(shape, operator.mul)])
        if bytes(self._text[self._start : self._stop]).count(b",") >= most:
            raise _wrong_count(field, shape, "more")


def _wrong_count(field: str, shape: list[int], found: str) -> BadRequestError:
    return BadRequestError(f"{field}.data: expected {math.prod(shape)} elements for shape {shape}, found {found}"[:500])


def _narrowed(wide: Array, datatype: Datatype) -> Array | None:
    if wide.dtype == datatype.numpy:
        return wide
    array = wide.astype(datatype.numpy)
    fits = np.isfinite(array) if datatype.is_float else array == wide
    return array if np.count_nonzero(fits) == array.size else None


def to_json_data(array: Array, *, exactly: bool) -> Any:
    """Return what the encoder writes as a list.

    That is the array itself where it can be: the encoder writes `null` for what JSON cannot say. With `exactly` such
    elements are spelled out.
    """
    flat = array.ravel()
    datatype = datatype_of(flat)
    if datatype.is_string:
        return flat.tolist()
    if datatype.name == "BF16":
        flat = flat.astype(np.float32)
    if exactly and datatype.is_float:
        return [_spelled(value) for value in flat.tolist()]
    return flat


def _elements(data: bytes, datatype: Datatype, shape: list[int], field: str) -> Array:
    if data[:1] != b"[":
        raise BadRequestError(f"{field}: expected a list, found {data[:40].decode(errors='replace') or 'none'}")
    kind = datatype.numpy
    values = _spelled_out(_flattened(data, shape, field), datatype, field)
    if datatype.is_string:
        return strings(values)
    with np.errstate(over="ignore"):
        try:
            array = np.asarray(values, dtype=kind)
        except OverflowError as error:  # an integer that not even a float of 64 bits holds, or this kind of integer
            raise BadRequestError(f"{field}: {_limits(datatype)}") from error
    infinite = np.count_nonzero(np.isinf(array)) if kind.kind in "fV" else 0
    if infinite and infinite != sum(map(math.isinf, values)):
        raise BadRequestError(f"{field}: {_limits(datatype)}")
    return array


def _limits(datatype: Datatype) -> str:
    kind = datatype.numpy
    if kind.kind == "V":
        return f"expected numbers that {datatype.name} holds, found one beyond"
    limits = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    return f"expected numbers of {datatype.name}, from {limits.min} to {limits.max}, found one beyond"


def _flattened(data: bytes, shape: list[int], field: str) -> list[Any]:
    """Return nested lists as one list, if they are nested as the shape says; a flat list as it is."""
    try:
        level: list[Any] = _ANY.decode(data)
    except RecursionError as error:
        raise BadRequestError(f"{field}: expected less nesting") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"{field}: {error}"[:500]) from error
    if not any(isinstance(value, list) for value in level):
        return level
    for depth, length in enumerate(shape):
        if depth:
            level = [value for each in level for value in each]
        nested = depth < len(shape) - 1
        expected = math.prod(shape[: depth + 1])
        if len(level) != expected or any(
            isinstance(value, list) != nested or (nested and len(value) != shape[depth + 1]) for value in level
        ):
            raise BadRequestError(
                f"{field}: expected a flat list, or lists nested as shape {shape} says; "
                f"axis {depth} of length {length} is not"
            )
    if not shape:
        raise BadRequestError(f"{field}: expected one element for shape [], found nested lists")
    return level


def _spelled_out(values: list[Any], datatype: Datatype, field: str) -> list[Any]:
    """Return the values with "NaN" and the infinities as numbers. Raises BadRequestError for any other element."""
    kind = datatype.numpy.kind
    allowed = _ELEMENTS.get(kind, (int,))
    numbers = []
    for value in values:
        number = _SPECIAL.get(value) if kind in "fV" and isinstance(value, str) else value
        if not isinstance(number, allowed) or (isinstance(number, bool) and kind != "b"):
            told = msgspec.json.encode(value).decode()[:40]
            raise BadRequestError(f"{field}: expected elements of {datatype.name}, found {told}")
        numbers.append(number)
    return numbers


def _spelled(value: float) -> float | str:
    return "NaN" if math.isnan(value) else _WORDS.get(value, value)
