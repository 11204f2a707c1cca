"""KServe's own client against a server: run by the interpreter of an environment that has it, with two ports."""

import asyncio
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

MODEL = "net"
FEATURES = np.array([[1, 2, 3, 4], [0.5, 0, -1, 9]], np.float32)


def request(*, binary: bool) -> InferRequest:
    """Return an inference of two rows."""
    features = InferInput("features", list(FEATURES.shape), "FP32")
    features.set_data_from_numpy(FEATURES, binary_data=binary)
    return InferRequest(MODEL, [features], request_id="kserve", parameters={"a": 1})


async def ask_rest(port: int) -> list[np.ndarray]:
    """Ask over REST, with JSON and with raw tensors."""
    client, base = InferenceRESTClient(RESTConfig(protocol="v2")), f"http://127.0.0.1:{port}"
    assert await client.is_server_live(base)
    assert await client.is_server_ready(base)
    assert await client.is_model_ready(base, MODEL)
    answers = [await client.infer(base, request(binary=binary), model_name=MODEL) for binary in (False, True)]
    assert [answer.id for answer in answers] == ["kserve"] * 2
    return [answer.outputs[0].as_numpy() for answer in answers]


async def ask_grpc(port: int) -> list[np.ndarray]:
    """Ask over gRPC, with raw tensors and with typed contents."""
    client = InferenceGRPCClient(url=f"127.0.0.1:{port}")
    assert await client.is_server_live()
    assert await client.is_server_ready()
    assert await client.is_model_ready(MODEL)
    answers = [await client.infer(request(binary=binary)) for binary in (False, True)]
    await client.close()
    assert [answer.id for answer in answers] == ["kserve"] * 2
    return [answer.outputs[0].as_numpy() for answer in answers]


async def main() -> None:
    """Print all answers."""
    http_port, grpc_port = map(int, sys.argv[1:])
    for answer in [*await ask_rest(http_port), *await ask_grpc(grpc_port)]:
        sys.stdout.write(f"{answer.reshape(-1).tolist()}\n")


asyncio.run(main())
