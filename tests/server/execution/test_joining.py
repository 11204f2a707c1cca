"""Batching from the manifest to the clients: joined where that was proved, told where it was not."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from server.models import features, mlp_artifact, scores, sums_artifact
from server.processes import INFER, MODEL, serving, tensor

CLIENTS, TURNS = 8, 10
BATCHING = ("--max-batch-size", "32", "--max-batch-delay-milliseconds", "20")


def ask_together(server, ask):
    """Let all clients ask at the same time, one turn after the other."""
    barrier = Barrier(CLIENTS)

    def client(number):
        for turn in range(TURNS):
            barrier.wait(60)
            ask(server, number * TURNS + turn)

    with ThreadPoolExecutor(CLIENTS) as clients:
        for asked in [clients.submit(client, number) for number in range(CLIENTS)]:
            asked.result()


def ask_rows(server, seed):
    asked = features(1 + seed % 3, seed)
    (told,) = server.ask(INFER, {"inputs": [tensor("features", asked)]}).json["outputs"]
    assert told["shape"] == [len(asked), 3]
    np.testing.assert_allclose(np.reshape(told["data"], told["shape"]), scores(asked), rtol=1e-4, atol=1e-6)


def ask_sums(server, seed):
    asked = features(1 + seed % 3, seed)
    (told,) = server.ask(INFER, {"inputs": [tensor("x", asked)]}).json["outputs"]
    np.testing.assert_allclose(np.reshape(told["data"], told["shape"]), asked.cumsum(0), rtol=1e-4, atol=1e-5)


def test_rows_that_were_proved_independent_run_together(tmp_path):
    with serving(mlp_artifact(tmp_path / "artifact"), *BATCHING) as server:
        config = server.ask("/v2").json["parameters"]
        assert config["batching"] == {"max_size": 32, "max_delay_milliseconds": 20}
        assert "batching_refused" not in config
        ask_together(server, ask_rows)
        metrics = server.ask("/metrics").body.decode()
    batches = next(line for line in metrics.splitlines() if line.startswith("modelport_batch_size_count"))
    assert float(batches.split()[-1]) < CLIENTS * TURNS, "fewer runs than requests"


def test_rows_that_were_not_run_alone_and_that_is_told(tmp_path):
    with serving(sums_artifact(tmp_path / "artifact"), *BATCHING) as server:
        config = server.ask("/v2").json["parameters"]
        assert config["batching"] is None
        assert config["batching_refused"] == "rows of this model were not proved to be independent of one another"
        ask_together(server, ask_sums)
        asked = np.ones((65, 4), np.float32)
        refused = server.ask(INFER, {"inputs": [tensor("x", asked)]})
        assert refused.status == 400
        assert refused.json == {
            "error": "inputs[x].shape: dimension time: expected at most 64, found 65: the model was verified up to 64"
        }
        parameters = server.ask(f"/v2/models/{MODEL}").json["inputs"][0]["parameters"]
        assert parameters == {"shape": "[time, 4]", "time.min": 1, "time.max": 64}
