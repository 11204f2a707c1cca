"""Tensors of the protocol and arrays: types, JSON data, and what does not fit.

JSON has no NaN and no infinity; `null` stands for NaN, the strings "Infinity" and "-Infinity" for the two infinities,
in both directions, because an answer with one such element is still an answer.
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
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, None: math.nan}


def to_array(tensor: RequestTensor) -> Array:
    """Return the array that a request's tensor describes. Raises BadRequestError, naming the field."""
    field = f"inputs[{tensor.name}]"
    dtype = DATATYPES.get(tensor.datatype)
    if dtype is None:
        raise BadRequestError(f"{field}.datatype: expected one of {', '.join(DATATYPES)}, found {tensor.datatype[:32]}")
    if len(tensor.shape) > MAX_DIMENSIONS or any(length < 0 for length in tensor.shape):
        raise BadRequestError(f"{field}.shape: expected at most {MAX_DIMENSIONS} lengths of 0 or more")
    if not bytes(tensor.data):
        raise BadRequestError(f"{field}.data: expected a list, found none")
    values = _values(bytes(tensor.data), dtype, field)
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


def _values(data: bytes, dtype: str, field: str) -> Array:
    kind = np.dtype(dtype)
    decoder = _DECODERS.get(kind.kind, _INTEGERS)
    try:
        values = decoder.decode(data)
    except msgspec.ValidationError:
        values = _flattened(data, kind, field)
    except msgspec.DecodeError as error:
        raise BadRequestError(f"{field}.data: expected JSON, found: {error}") from error
    if kind.kind in "iu" and values:
        limits = np.iinfo(kind)
        if min(values) < limits.min or max(values) > limits.max:
            raise BadRequestError(f"{field}.data: expected integers from {limits.min} to {limits.max}")
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=kind)


def _flattened(data: bytes, kind: np.dtype[Any], field: str) -> list[Any]:
    """Return nested lists, or floats with null and spelled-out infinities, as one list."""
    flat: list[Any] = []
    waiting: list[Any] = _ANY.decode(data) if data.lstrip()[:1] == b"[" else [data]
    waiting.reverse()
    allowed = (float, int) if kind.kind == "f" else (bool,) if kind.kind == "b" else (int,)
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(reversed(value))
        elif kind.kind == "f" and (value is None or isinstance(value, str)) and value in _SPECIAL:
            flat.append(_SPECIAL[value])
        elif isinstance(value, allowed) and (kind.kind == "b" or not isinstance(value, bool)):
            flat.append(value)
        else:
            raise BadRequestError(f"{field}.data: expected elements of {NAMES[kind.name]}, found {str(value)[:40]}")
    return flat


def _spelled(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
