"""How long h2corn waits for clients of gRPC that send nothing more."""

import asyncio
import threading

import grpc
import h2corn
import pytest
from tritonclient.grpc import service_pb2_grpc

from modelport_server.grpc.application import Application
from modelport_server.grpc.policies import request_policies
from modelport_server.limits import Limits
from modelport_server.metrics import Metrics
from modelport_server.observation import Observation
from server.grpc_places import ready, request
from server.models import features, mlp_artifact
from server.processes import MODEL

LIMITS = Limits(body_seconds=0.5)


async def test_a_stream_may_rest_and_other_requests_not(tmp_path):
    with ready(mlp_artifact(tmp_path / "artifact")) as lifecycle:
        application = Application(lifecycle, Observation(Metrics(MODEL)), LIMITS)
        config = h2corn.Config(
            bind=("127.0.0.1:0",),
            lifespan="off",
            access_log=False,
            grpc=True,
            request_policies=request_policies(LIMITS),
        )
        server = h2corn.Server(application, config)
        serving = asyncio.create_task(server.serve())
        await server.wait_started()
        try:
            await asyncio.to_thread(ask, server.addresses[0])
        finally:
            server.shutdown()
            await serving


def ask(address):
    with grpc.insecure_channel(address) as channel:
        go_on = threading.Event()
        stream = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer(_with_a_rest(go_on))
        assert not next(stream).error_message
        idle = channel.stream_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError) as caught:
            idle(_nothing(go_on), timeout=20)
        assert caught.value.code() == grpc.StatusCode.CANCELLED
        go_on.set()
        assert not next(stream).error_message
        assert list(stream) == []


def _with_a_rest(go_on):
    yield request(features=features(1))
    go_on.wait(30)
    yield request(features=features(1))


def _nothing(go_on):
    go_on.wait(30)
    yield from ()
