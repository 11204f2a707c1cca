"""Messages of the Open Inference Protocol v2, as its specification names them.

Tensors' data stay raw JSON here: they become arrays once their type is known (`protocol.tensors`).
"""

from typing import Any

import msgspec

Parameters = dict[str, Any]


class RequestTensor(msgspec.Struct, frozen=True, kw_only=True):
    """One input of an inference request."""

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
    """The body of POST …/infer."""

    inputs: list[RequestTensor]
    id: str | None = None
    parameters: Parameters = {}
    outputs: list[RequestedOutput] = []


class ResponseTensor(msgspec.Struct, frozen=True, kw_only=True):
    """One output of an inference response."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class InferenceResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What POST …/infer answers."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: Parameters = {}
    outputs: list[ResponseTensor]


class TensorMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """Name, type and shape of an input or output; -1 is a free dimension."""

    name: str
    datatype: str
    shape: list[int]


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


class ErrorMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What every failed request is answered with."""

    error: str
