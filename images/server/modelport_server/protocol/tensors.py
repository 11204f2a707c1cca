"""Tensors of the protocol and arrays: types, JSON data, and what does not fit.

JSON has no NaN and no infinity: the strings "NaN", "Infinity" and "-Infinity" stand for them, in both directions,
because an answer with one such element is still an answer, and numpy reads these strings as numbers. `null` is refused:
it is what careless encoders make of a missing value.
"""

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from modelport_server.errors import BadRequestError
from modelport_server.protocol.messages import RequestTensor, ResponseTensor

Array = npt.NDArray[Any]

DATATYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
}
"""Types of the protocol and of numpy. BYTES needs a model that takes strings, which no converter makes yet."""
NAMES = {dtype: name for name, dtype in DATATYPES.items()}

MAX_DIMENSIONS = 16
_INTEGERS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[int])
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "f": msgspec.json.Decoder(list[float]),
    "b": msgspec.json.Decoder(list[bool]),
}
_ANY = msgspec.json.Decoder(list[Any])
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_array(tensor: RequestTensor) -> Array:
    """Return the array that a request's tensor describes. Raises BadRequestError, naming the field."""
    field = f"inputs[{tensor.name}]"
    dtype = DATATYPES.get(tensor.datatype)
    if dtype is None:
        raise BadRequestError(f"{field}.datatype: expected one of {', '.join(DATATYPES)}, found {tensor.datatype[:32]}")
    if len(tensor.shape) > MAX_DIMENSIONS or any(length < 0 for length in tensor.shape):
        raise BadRequestError(f"{field}.shape: expected at most {MAX_DIMENSIONS} lengths of 0 or more")
    values = _values(tensor, np.dtype(dtype), field)
    expected = math.prod(tensor.shape)
    if values.size != expected:
        raise BadRequestError(
            f"{field}.data: expected {expected} elements for shape {tensor.shape}, found {values.size}"
        )
    return values.reshape(tensor.shape)


def to_tensor(name: str, array: Array) -> ResponseTensor:
    """Return a response's tensor."""
    flat = array.ravel()
    data = flat.tolist()
    if array.dtype.kind == "f" and not np.isfinite(flat).all():
        data = [_spelled(value) for value in data]
    return ResponseTensor(name=name, shape=list(array.shape), datatype=NAMES[array.dtype.name], data=data)


def _values(tensor: RequestTensor, kind: np.dtype[Any], field: str) -> Array:
    data = bytes(tensor.data)
    if data[:1] != b"[":
        raise BadRequestError(f"{field}.data: expected a list, found {data[:40].decode(errors='replace') or 'none'}")
    try:
        values = _DECODERS.get(kind.kind, _INTEGERS).decode(data)
    except msgspec.ValidationError:
        values = _spelled_out(_flattened(data, tensor.shape, field), kind, field)
    with np.errstate(over="ignore"):
        try:
            array = np.asarray(values, dtype=kind)
        except OverflowError as error:  # an integer that not even a float of 64 bits holds, or this kind of integer
            raise BadRequestError(f"{field}.data: {_limits(kind)}") from error
    infinite = np.count_nonzero(np.isinf(array)) if kind.kind == "f" else 0
    if infinite and infinite != sum(map(math.isinf, values)):
        raise BadRequestError(f"{field}.data: {_limits(kind)}")
    return array


def _limits(kind: np.dtype[Any]) -> str:
    limits = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
    return f"expected numbers of {NAMES[kind.name]}, from {limits.min} to {limits.max}, found one beyond"


def _flattened(data: bytes, shape: list[int], field: str) -> list[Any]:
    """Return nested lists as one list, if they are nested as the shape says; a flat list as it is."""
    try:
        level: list[Any] = _ANY.decode(data)
    except RecursionError as error:
        raise BadRequestError(f"{field}.data: expected less nesting") from error
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
                f"{field}.data: expected a flat list, or lists nested as shape {shape} says; "
                f"axis {depth} of length {length} is not"
            )
    if not shape:
        raise BadRequestError(f"{field}.data: expected one element for shape [], found nested lists")
    return level


def _spelled_out(values: list[Any], kind: np.dtype[Any], field: str) -> list[Any]:
    """Return the values with "NaN" and the infinities as numbers. Raises BadRequestError for any other element."""
    allowed = {"f": (float, int), "b": (bool,)}.get(kind.kind, (int,))
    numbers = []
    for value in values:
        number = _SPECIAL.get(value) if kind.kind == "f" and isinstance(value, str) else value
        if not isinstance(number, allowed) or (isinstance(number, bool) and kind.kind != "b"):
            told = msgspec.json.encode(value).decode()[:40]
            raise BadRequestError(f"{field}.data: expected elements of {NAMES[kind.name]}, found {told}")
        numbers.append(number)
    return numbers


def _spelled(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
