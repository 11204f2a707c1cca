"""From start to end: not ready before the golden samples agree, and no request lost on the way out."""

import json
import signal

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport.jobs.results import StepResult
from modelport.storage.manifests import MANIFEST, ArtifactManifest
from server.models import endless_artifact, features, mlp_artifact, stateful_artifact
from server.processes import INFER, MODEL, read, serving, starting, tensor

GOOD = {"inputs": [tensor("features", features(1))]}
READY = ("/v2/health/ready", f"/v2/models/{MODEL}/ready")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return mlp_artifact(tmp_path_factory.mktemp("lifecycle") / "artifact")


def test_readiness_goes_at_once_while_new_connections_are_answered(artifact):
    with serving(artifact, "--drain-seconds", "600") as server:
        kept = server.connect()
        kept.request("GET", READY[0])
        assert read(kept).status == 200
        server.process.send_signal(signal.SIGTERM)
        server.logged("draining")
        for path in READY:
            assert server.ask(path).status == 503
        for path in ("/v2", "/v2/health/live", f"/v2/models/{MODEL}", "/metrics"):
            assert server.ask(path).status == 200, path
        answer = server.ask(INFER, GOOD)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        kept.request("POST", INFER, json.dumps(GOOD))
        answer = read(kept)
        assert (answer.status, answer.headers["connection"]) == (200, "close"), "kept connections end with an answer"
        server.process.send_signal(signal.SIGTERM)
        assert server.ended()[0] == 128 + signal.SIGTERM


def test_requests_under_way_are_finished(artifact):
    with serving(artifact, "--drain-seconds", "0") as server:
        body = json.dumps(GOOD).encode()
        connection = begun(server, body)
        server.process.send_signal(signal.SIGTERM)
        server.logged("finishing requests under way")
        connection.send(body[10:])
        answer = read(connection)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        status, log = server.ended()
        assert (status, log) == (0, "")


def test_a_second_signal_waits_for_nothing(artifact):
    with serving(artifact, "--drain-seconds", "600") as server:
        connection = begun(server, json.dumps(GOOD).encode())
        server.process.send_signal(signal.SIGTERM)
        server.logged("draining")
        server.process.send_signal(signal.SIGTERM)
        assert server.ended()[0] == 128 + signal.SIGTERM
        connection.close()


def begun(server, body):
    """Return a connection with a request of which ten bytes are there, and the server at it."""
    connection = server.connect()
    connection.putrequest("POST", INFER)
    connection.putheader("content-length", str(len(body)))
    connection.endheaders()
    connection.send(body[:10])
    while f'modelport_requests_in_flight{{model="{MODEL}"}} 1.0' not in server.ask("/metrics").body.decode():
        pass
    return connection


def test_idle_connections_do_not_hold_the_server(artifact):
    with serving(artifact, "--drain-seconds", "0") as server:
        idle = server.connect()
        idle.connect()
        server.process.send_signal(signal.SIGTERM)
        assert server.ended()[0] == 0
        idle.close()


def test_alive_but_not_ready_while_it_warms_up_and_stops_when_told(tmp_path):
    with starting(endless_artifact(tmp_path / "artifact")) as server:
        server.listening()
        assert server.ask("/v2/health/live").status == 200
        assert server.ask("/v2").status == 200
        for path in READY:
            assert server.ask(path).status == 503
        assert server.ask(INFER, GOOD).status == 503
        server.process.send_signal(signal.SIGTERM)
        assert server.ended()[0] == 0


def test_other_answers_than_the_verified_ones_are_never_served(tmp_path):
    status, log, failure = failed_start(mlp_artifact(tmp_path / "artifact", wrong=0.5), tmp_path)
    assert status == 1
    assert failure.reason == Reason.GOLDEN_MISMATCH
    assert "GoldenMismatch: golden sample 0: output scores differs" in log
    assert "is ready" not in log


def test_states_are_fed_back_before_a_model_is_served(tmp_path):
    with serving(stateful_artifact(tmp_path / "right", second=2)) as server:
        assert server.ask(READY[0]).status == 200
    log = failed_start(stateful_artifact(tmp_path / "wrong", second=1), tmp_path)[1]
    assert "GoldenMismatch: golden sample 0, call 2: output y differs" in log


def _cut(folder):
    (folder / "model/model.onnx").write_bytes((folder / "model/model.onnx").read_bytes()[:-1])


def _garbage(folder):
    size = (folder / "model/model.onnx").stat().st_size
    (folder / "model/model.onnx").write_bytes(b"\xff" * size)


def _other_runtime(folder):
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=ArtifactManifest)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, runtime="other")))


@pytest.mark.parametrize(
    ("spoil", "reason", "told"),
    [
        (lambda folder: (folder / MANIFEST).unlink(), Reason.SOURCE_NOT_FOUND, "manifest.json"),
        (lambda folder: (folder / MANIFEST).write_text("{}"), Reason.SOURCE_CORRUPT, "manifest.json"),
        (lambda folder: (folder / "model/model.onnx").unlink(), Reason.SOURCE_CORRUPT, "model/model.onnx"),
        (_cut, Reason.SOURCE_CORRUPT, "model/model.onnx"),
        (_garbage, Reason.RUNTIME_UNSUPPORTED, "ONNX Runtime does not load"),
        (_other_runtime, Reason.SERVER_CRASHED, "found other"),
    ],
)
def test_what_is_no_artifact_is_told(tmp_path, spoil, reason, told):
    folder = mlp_artifact(tmp_path / "artifact")
    spoil(folder)
    status, _, failure = failed_start(folder, tmp_path)
    assert (status, failure.reason) == (1, reason)
    assert told in failure.message


def failed_start(folder, tmp_path):
    """Return exit status, log, and the failure in the termination message, as the operator reads it."""
    message = tmp_path / "termination-log"
    message.touch()
    with starting(folder, MODELPORT_TERMINATION_LOG=str(message)) as server:
        status, log = server.ended()
    assert message.read_bytes(), log
    failure = msgspec.json.decode(message.read_bytes(), type=StepResult).failure
    assert failure
    return status, log, failure


def test_a_port_is_not_shared_with_another_server(artifact):
    with serving(artifact) as first, starting(artifact, "--http-port", str(first.port)) as second:
        status, log = second.ended()
        assert status == 1
        assert f"127.0.0.1:{first.port}: expected a free port" in log
        assert first.ask(INFER, GOOD).status == 200
