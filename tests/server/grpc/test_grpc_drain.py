"""The end of a server, as clients of gRPC see it: no request is lost, and none is answered that was not asked."""

import signal
import threading

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from server.grpc.grpc_places import request, slow_artifact, stub_at
from server.models import endless_artifact, features, mlp_artifact
from server.processes import MODEL, serving, starting

CHECK = "/grpc.health.v1.Health/Check"


def test_a_server_that_warms_up_or_drains_says_so(tmp_path):
    with starting(endless_artifact(tmp_path / "endless")) as server:
        server.listening()
        with stub_at(f"127.0.0.1:{server.grpc_port}") as stub:
            live = stub.ServerLive(service_pb2.ServerLiveRequest(), wait_for_ready=True, timeout=30)
            assert live.live
            not_ready(stub)
            with pytest.raises(grpc.RpcError, match="the model is not ready") as caught:
                stub.ModelInfer(request(rounds=np.array(1)))
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        health(server, b"\x08\x02")
    with serving(mlp_artifact(tmp_path / "mlp"), "--drain-seconds", "600") as server:
        health(server, b"\x08\x01")
        server.process.send_signal(signal.SIGTERM)
        server.logged("draining")
        health(server, b"\x08\x02")
        with stub_at(f"127.0.0.1:{server.grpc_port}") as stub:
            not_ready(stub)
            stub.ModelInfer(request(features=features(1)))


def not_ready(stub):
    assert not stub.ServerReady(service_pb2.ServerReadyRequest()).ready
    assert not stub.ModelReady(service_pb2.ModelReadyRequest(name=MODEL)).ready


def health(server, answer):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        assert channel.unary_unary(CHECK)(b"", wait_for_ready=True, timeout=30) == answer


def test_requests_under_way_are_answered(tmp_path):
    with serving(slow_artifact(tmp_path / "artifact"), "--drain-seconds", "0") as server:
        with stub_at(f"127.0.0.1:{server.grpc_port}") as stub:
            under_way = [stub.ModelInfer.future(request(rounds=np.array(300_000))) for _ in range(4)]
            stream = stub.ModelStreamInfer(
                _then_nothing(request(rounds=np.array(300_000)), stopped := threading.Event())
            )
            while f'modelport_requests_in_flight{{model="{MODEL}"}} 5.0' not in server.ask("/metrics").body.decode():
                pass
            server.process.send_signal(signal.SIGTERM)
            for each in under_way:
                assert each.result(timeout=60).raw_output_contents[0] == np.float32(300_000).tobytes()
            assert not next(stream).error_message
            # a client that still sends when the connection ends may be told by its own side
            with pytest.raises(grpc.RpcError, match=r"the server stops|GOAWAY received") as caught:
                next(stream)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            stopped.set()
        assert server.ended()[0] == 0


def _then_nothing(first, stopped):
    yield first
    stopped.wait(60)


def test_no_request_is_lost_when_a_server_goes(tmp_path):
    codes, stop = [], threading.Event()

    def ask(stub, number):
        while not stop.is_set():
            try:
                answer = stub.ModelInfer(request(features=features(1, seed=number)))
                codes.append((grpc.StatusCode.OK, len(answer.raw_output_contents)))
            except grpc.RpcError as error:
                codes.append((error.code(), error.details()))
                return

    artifact = mlp_artifact(tmp_path / "artifact")
    with (
        serving(artifact, "--drain-seconds", "0.5") as server,
        stub_at(f"127.0.0.1:{server.grpc_port}") as stub,
    ):
        threads = [threading.Thread(target=ask, args=(stub, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        while len(codes) < 100:
            pass
        server.process.send_signal(signal.SIGTERM)
        assert server.ended()[0] == 0
        for thread in threads:
            thread.join(30)
    failed = [found for found in codes if found[0] != grpc.StatusCode.OK]
    assert len(failed) == 8
    for code, told in failed:  # the client found nobody there; it had sent nothing
        assert code == grpc.StatusCode.UNAVAILABLE
        assert "onnect" in told, told
