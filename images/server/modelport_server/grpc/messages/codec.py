"""Inference requests and answers as messages: ModelInferRequest and ModelInferResponse."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from modelport_server.errors import BadRequestError
from modelport_server.grpc.messages import schema, wire
from modelport_server.grpc.messages.contents import NONE, TypedPayload
from modelport_server.protocol.datatypes import datatype_of
from modelport_server.protocol.messages import InputTensor
from modelport_server.protocol.payloads import Array, Buffer, RawPayload, to_raw

_Request = schema.message("inference.ModelInferRequest")
_Response = schema.message("inference.ModelInferResponse")
_Streamed = schema.message("inference.ModelStreamInferResponse")
_STREAMED_ANSWER = 2
"""Number of the field `infer_response` in ModelStreamInferResponse."""
_SHORT = 1024
"""Largest request, without its raw tensors, that is remembered."""


class Request(NamedTuple):
    """A request, read, but for its raw tensors."""

    model: str
    version: str | None
    id: str | None
    parameters: Any
    """A map of the message; empty if there are none."""
    inputs: list[InputTensor]
    """With the elements that stand in typed fields."""
    wanted: list[str]

    @property
    def timeout(self) -> int | float | str | bool | None:
        """The parameter `timeout`."""
        if "timeout" not in self.parameters:
            return None
        value = self.parameters["timeout"]
        choice = value.WhichOneof("parameter_choice")
        return None if choice is None else getattr(value, choice)


def decode(message: bytes) -> tuple[Request, list[InputTensor]]:
    """Read a request and its tensors. Raises BadRequestError, naming the field."""
    head, raw = wire.cut(message)
    if not raw:
        request = _read(head)
        return request, request.inputs
    request = _remembered(head) if len(head) <= _SHORT else _read(head)
    if len(raw) != len(request.inputs):
        told = f"expected one for each of {len(request.inputs)} inputs, found {len(raw)}"
        raise BadRequestError(f"raw_input_contents: {told}")
    inputs = []
    for given, content in zip(request.inputs, raw, strict=True):
        if given.payload is not NONE:
            raise BadRequestError(f"inputs[{given.name[:64]}]: expected contents or raw_input_contents, found both")
        inputs.append(InputTensor(given.name, given.datatype, given.shape, RawPayload(content)))
    return request, inputs


def encode(named: bytes, request: Request, outputs: Sequence[tuple[str, Array]]) -> list[Buffer]:
    """Write an answer, as pieces of a message; `named` is what tells which model answered."""
    pieces: list[Buffer] = [named]
    if request.id is not None or request.parameters:
        echo = _Response(id=request.id)
        echo.parameters.MergeFrom(request.parameters)
        pieces.append(echo.SerializeToString())
    contents = []
    for name, array in outputs:
        pieces.append(_described(name, datatype_of(array).name, array.shape))
        contents.append(to_raw(array))
    return pieces + wire.raw_fields(contents)


def streamed(pieces: list[Buffer]) -> list[Buffer]:
    """Write an answer as one of a stream."""
    return [wire.head(_STREAMED_ANSWER, sum(map(len, pieces))), *pieces]


def streamed_error(message: str, id_: str | None) -> bytes:
    """Write what a request of a stream is answered with that failed."""
    answer: bytes = _Streamed(error_message=message, infer_response=_Response(id=id_)).SerializeToString()
    return answer


def named(model: str, version: str) -> bytes:
    """Return the fields that tell which model answers."""
    answer: bytes = _Response(model_name=model, model_version=version).SerializeToString()
    return answer


def parse(kind: Any, message: bytes) -> Any:
    """Return a message of a class from `schema`. Raises BadRequestError."""
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise BadRequestError(f"message: expected {kind.DESCRIPTOR.full_name}, found what is not") from error


@lru_cache(256)
def _described(name: str, datatype: str, shape: tuple[int, ...]) -> bytes:
    answer = _Response()
    answer.outputs.add(name=name, datatype=datatype, shape=shape)
    content: bytes = answer.SerializeToString()
    return content


def _read(head: bytes) -> Request:
    request = parse(_Request, head)
    return Request(
        request.model_name,
        request.model_version or None,
        request.id or None,
        request.parameters,
        [InputTensor(each.name, each.datatype, list(each.shape), _typed(each)) for each in request.inputs],
        [output.name for output in request.outputs],
    )


_remembered = lru_cache(256)(_read)
"""Clients ask again and again with nothing new but the elements of raw tensors."""


def _typed(tensor: Any) -> TypedPayload:
    return TypedPayload(tensor.contents) if tensor.HasField("contents") else NONE
