"""How long clients of gRPC are waited for that send nothing more."""

import threading

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

from modelport_server.transport.limits import Limits
from server.grpc.grpc_places import near, request
from server.models import features, mlp_artifact


def test_a_stream_may_rest_and_other_requests_not(tmp_path):
    with near(mlp_artifact(tmp_path / "artifact"), Limits(body_seconds=0.5)) as place:
        ask(f"127.0.0.1:{place.port}")


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
