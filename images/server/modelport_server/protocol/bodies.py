"""Bodies of REST: JSON, or JSON followed by raw tensors (the protocol's binary tensor data extension).

With the extension, a header tells how long the JSON is, `binary_data_size` of a tensor's parameters tells how many of
the bytes after it are its elements, in the order of the tensors, and a client asks for raw outputs one by one with
`binary_data`, or all with `binary_data_output`.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import orjson

from modelport_server.errors import BadRequestError
from modelport_server.protocol import cutting
from modelport_server.protocol.datatypes import datatype_of
from modelport_server.protocol.json_data import JsonPayload, to_json_data
from modelport_server.protocol.messages import InferenceRequest, InputTensor, RestTensor
from modelport_server.protocol.payloads import Array, Buffer, RawPayload, to_raw

LENGTH_HEADER = "inference-header-content-length"
_DECODER = msgspec.json.Decoder(InferenceRequest)


class Body(msgspec.Struct, frozen=True, gc=False):
    """A request, read."""

    request: InferenceRequest
    inputs: list[InputTensor]
    wanted: list[str]


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """An answer: `json_length` is None if there is nothing but JSON."""

    pieces: list[Buffer]
    json_length: int | None


def decode(body: Buffer, json_length: str | None) -> Body:
    """Read a body; `json_length` is the header's text. Raises BadRequestError, naming the field."""
    if json_length is None:
        request, lists = _decode(body)
        inputs = [_from_json(tensor, lists) for tensor in request.inputs]
    else:
        stop = _length(json_length, len(body))
        request, lists = _decode(body[:stop])
        inputs = _with_raw(request.inputs, lists, memoryview(body)[stop:])
    return Body(request, inputs, [output.name for output in request.outputs])


def encode(body: Body, named: bytes, outputs: Sequence[tuple[str, Array]]) -> Encoded:
    """Write an answer: `named` are the fields that tell which model answered, as `naming` gives them."""
    request = body.request
    pieces: list[Buffer] = [named]
    if request.id is not None:
        pieces += (b',"id":', orjson.dumps(request.id))
    if request.parameters:
        pieces += (b',"parameters":', orjson.dumps(request.parameters))
    if request.outputs or "binary_data_output" in request.parameters:
        raw_names = _raw_names(request, [name for name, _ in outputs])
        raw = {name: to_raw(array) for name, array in outputs if name in raw_names}
    else:
        raw = {}
    mark = b',"outputs":['
    for name, array in outputs:
        pieces += (mark, _head(name, datatype_of(array).name, array.shape))
        content = raw.get(name)
        pieces.append(
            _data(name, array) if content is None else b'"parameters":{"binary_data_size":%d}}' % len(content)
        )
        mark = b","
    pieces.append(b"]}")
    return Encoded([*pieces, *raw.values()], sum(map(len, pieces))) if raw else Encoded(pieces, None)


def naming(model: str, version: str) -> bytes:
    """Return the fields that tell which model answers, as the beginning of all answers."""
    return orjson.dumps({"model_name": model, "model_version": version})[:-1]


@lru_cache(256)
def _head(name: str, datatype: str, shape: tuple[int, ...]) -> bytes:
    """Return what stands before the elements of an output."""
    return orjson.dumps({"name": name, "datatype": datatype, "shape": shape})[:-1] + b","


def _data(name: str, array: Array) -> bytes:
    try:
        text = orjson.dumps(to_json_data(array, exactly=False), option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError as error:  # bytes that are no text; looking at each beforehand would cost more
        told = "holds bytes that are no UTF-8, for which JSON has no place; ask for binary_data_output"
        raise BadRequestError(f"outputs[{name}]: {told} (the binary tensor data extension)") from error
    if b"null" in text:  # elements that JSON cannot say; looking at each beforehand would cost more
        text = orjson.dumps(to_json_data(array, exactly=True))
    return b'"data":%b}' % text


def _raw_names(request: InferenceRequest, names: Sequence[str]) -> set[str]:
    """Return the outputs that the client wants raw."""
    everywhere = request.parameters.get("binary_data_output") is True
    told = {output.name: output.parameters.get("binary_data", everywhere) for output in request.outputs}
    return {name for name in names if told.get(name, everywhere) is True}


def _decode(text: Buffer) -> tuple[InferenceRequest, cutting.Lists | None]:
    short, lists = cutting.cut(text)
    try:
        if lists is not None:
            request = _decoded_without(short, lists)
            if request is not None:
                return request, lists
        return _DECODER.decode(text), None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"body: {error}"[:500]) from error
    except RecursionError as error:
        raise BadRequestError("body: expected less nesting") from error


def _decoded_without(short: Buffer, lists: cutting.Lists) -> InferenceRequest | None:
    """Return what is left of a request without its long lists; None if they were not what they seemed to be."""
    try:
        request = _DECODER.decode(short)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return request if lists.are_all_of([bytes(tensor.data) for tensor in request.inputs]) else None


def _from_json(tensor: RestTensor, lists: cutting.Lists | None) -> InputTensor:
    text = bytes(tensor.data)
    place = None if lists is None else lists.place_of(text)
    payload = JsonPayload(text) if lists is None or place is None else JsonPayload(lists.text, *place)
    return InputTensor(tensor.name, tensor.datatype, tensor.shape, payload)


def _with_raw(tensors: Sequence[RestTensor], lists: cutting.Lists | None, raw: memoryview) -> list[InputTensor]:
    inputs: list[InputTensor] = []
    position = 0
    for tensor in tensors:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            inputs.append(_from_json(tensor, lists))
            continue
        field = f"inputs[{tensor.name[:64]}]"
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(raw) - position:
            left = len(raw) - position
            raise BadRequestError(f"{field}.parameters.binary_data_size: expected 0 to {left}, found {size!s:.32}")
        if bytes(tensor.data):
            raise BadRequestError(f"{field}: expected data or binary_data_size, found both")
        inputs.append(
            InputTensor(tensor.name, tensor.datatype, tensor.shape, RawPayload(raw[position : position + size]))
        )
        position += size
    if position != len(raw):
        raise BadRequestError(f"body: expected {position} bytes of tensors after the JSON, found {len(raw)}")
    return inputs


def _length(text: str, size: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= size):  # noqa: PLR2004 - no need of more digits
        raise BadRequestError(f"{LENGTH_HEADER}: expected a number of bytes up to the body's {size}, found {text:.32}")
    return int(text)
