"""One question to a model in the three forms of the protocol, made and read by tritonclient, and asked once to check.

The bytes that are checked here are the bytes that the load generators send.
"""

import http.client
import json
from pathlib import Path
from typing import Any, NamedTuple

import grpc  # type: ignore[import-untyped]  # ships no types
import numpy as np
import numpy.typing as npt
import tritonclient.http as triton  # type: ignore[import-untyped]  # ships no types
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]  # ships no types
from tritonclient.utils import np_to_triton_dtype  # type: ignore[import-untyped]  # ships no types

from serving.contestants.servers import INFER, NAME, Server
from serving.models.served import Model
from serving.places import BenchError

SECONDS = 60
CALL = "inference.GRPCInferenceService.ModelInfer"
LENGTH_HEADER = "Inference-Header-Content-Length"
RELATIVE, ABSOLUTE = 1e-3, 1e-4
Outputs = dict[str, npt.NDArray[Any]]


class Request(NamedTuple):
    """A body, in memory and in a file; `headers` are REST's, gRPC has none."""

    body: bytes
    file: Path
    headers: dict[str, str]
    is_grpc: bool = False


def as_json(model: Model, scratch: Path) -> Request:
    """Return the question as JSON tensors."""
    body, _ = _rest_body(model, binary=False)
    return Request(body, _write(scratch / f"{model.name}.json", body), {"Content-Type": "application/json"})


def as_nested_json(model: Model, scratch: Path) -> Request:
    """Return the question as JSON tensors in lists of lists, which is what `tolist` of an array gives."""
    told = json.loads(_rest_body(model, binary=False)[0])
    for tensor in told["inputs"]:
        tensor["data"] = model.inputs[tensor["name"]].tolist()
    body = json.dumps(told).encode()
    return Request(body, _write(scratch / f"{model.name}.nested.json", body), {"Content-Type": "application/json"})


def as_binary(model: Model, scratch: Path) -> Request:
    """Return the question by the binary tensor extension, which asks for a binary answer."""
    body, length = _rest_body(model, binary=True)
    headers = {"Content-Type": "application/octet-stream", LENGTH_HEADER: str(length)}
    return Request(body, _write(scratch / f"{model.name}.binary", body), headers)


def as_grpc(model: Model, scratch: Path) -> Request:
    """Return the question as a message with raw tensors."""
    message = service_pb2.ModelInferRequest(model_name=NAME)
    for name, values in model.inputs.items():
        message.inputs.add(name=name, datatype=np_to_triton_dtype(values.dtype), shape=values.shape)
        message.raw_input_contents.append(values.tobytes())
    body = message.SerializeToString()
    return Request(body, _write(scratch / f"{model.name}.grpc", body), {}, is_grpc=True)


def check(server: Server, model: Model, request: Request) -> None:
    """Raise BenchError if the server does not answer as ONNX Runtime does in this process."""
    try:
        found = ask_grpc(server.grpc_port, request) if request.is_grpc else ask_rest(server.http_port, request)
    except (BenchError, OSError, http.client.HTTPException, grpc.RpcError) as error:
        raise server.failed(f"{request.file.name}: expected an answer, found {error}") from error
    for name, expected in model.outputs.items():
        if name not in found or not np.allclose(found[name].reshape(expected.shape), expected, RELATIVE, ABSOLUTE):
            raise server.failed(f"{request.file.name}: expected {name} {expected.ravel()[:4]}, found {found}")


def ask_rest(port: int, request: Request) -> Outputs:
    """Ask once, on a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("POST", INFER, request.body, request.headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise BenchError(f"status {answer.status}: {content[:500]!r}")
    return read_rest(content, answer.headers.get(LENGTH_HEADER))


def read_rest(content: bytes, json_length: str | None) -> Outputs:
    """Return the outputs of an answer."""
    length = int(json_length) if json_length else None
    result = triton.InferenceServerClient.parse_response_body(content, header_length=length)
    return {each["name"]: result.as_numpy(each["name"]) for each in result.get_response()["outputs"]}


def ask_grpc(port: int, request: Request) -> Outputs:
    """Ask once, on a new connection."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return read_grpc(grpc_call(channel)(request.body, timeout=SECONDS))


def grpc_call(channel: grpc.Channel) -> Any:
    """Return the call; it takes bytes and gives a message."""
    service, _, method = CALL.rpartition(".")
    return channel.unary_unary(f"/{service}/{method}", response_deserializer=service_pb2.ModelInferResponse.FromString)


def read_grpc(message: Any) -> Outputs:
    """Return the outputs of an answer; MLServer and KServe may answer with typed contents."""
    outputs: Outputs = {}
    for number, each in enumerate(message.outputs):
        raw = message.raw_output_contents
        values = np.frombuffer(raw[number], np.float32) if raw else np.array(each.contents.fp32_contents, np.float32)
        outputs[each.name] = values.reshape(each.shape)
    return outputs


def _rest_body(model: Model, *, binary: bool) -> tuple[bytes, int | None]:
    inputs = []
    for name, values in model.inputs.items():
        inputs.append(triton.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype)))
        inputs[-1].set_data_from_numpy(values, binary_data=binary)
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in model.outputs]
    body, length = triton.InferenceServerClient.generate_request_body(inputs, outputs)
    return bytes(body), length


def _write(file: Path, body: bytes) -> Path:
    file.write_bytes(body)
    return file
