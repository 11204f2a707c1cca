"""Messages of the Open Inference Protocol v2, as its specification names them.

Tensors' elements stay as they came: they become arrays once their type is known to fit (`protocol.payloads`).
"""

from typing import Annotated, Any

import msgspec

from modelport_server.protocol.payloads import Payload

Parameters = dict[str, bool | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | float | str]
"""What the specification calls `$parameters`; larger integers have no place in gRPC and in most clients."""


class InputTensor(msgspec.Struct, frozen=True, gc=False):
    """One input of an inference request, whatever transport brought it."""

    name: str
    datatype: str
    shape: list[int]
    payload: Payload


class RestTensor(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a request in JSON."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw()
    parameters: Parameters = {}


class RequestedOutput(msgspec.Struct, frozen=True, kw_only=True):
    """One output that the client wants."""

    name: str
    parameters: Parameters = {}


class InferenceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of POST …/infer."""

    inputs: list[RestTensor]
    id: str | None = None
    parameters: Parameters = {}
    outputs: list[RequestedOutput] = []


class TensorMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Name, type and shape of an input or output; -1 is a free dimension."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Parameters = {}
    """Names of the dimensions as `shape`, and the lengths that were verified: `NAME.min`, `NAME.max`."""


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What GET /v2/models/NAME answers."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What GET /v2 answers."""

    name: str
    version: str
    extensions: list[str]
    parameters: dict[str, Any]
    """Beyond the specification: how the server is configured just now."""


class ErrorMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What every failed request is answered with."""

    error: str
