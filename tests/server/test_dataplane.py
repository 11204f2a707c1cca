"""From requests to answers, with a real runtime and no transport."""

import asyncio

import msgspec
import numpy as np
import pytest

from modelport_server import backends
from modelport_server.artifact import open_artifact
from modelport_server.calls import Call, clock
from modelport_server.dataplane import DataPlane, guarded
from modelport_server.errors import BadRequestError, InferenceError, NotFoundError
from modelport_server.execution import Execution
from modelport_server.protocol import bodies
from server.models import features, identity, identity_artifact, mlp_artifact, scores
from server.processes import tensor


def plane_of(folder):
    artifact = open_artifact(folder)
    backend = backends.load(artifact.manifest.runtime, folder, artifact.model_files, 1)
    execution = Execution(guarded(backend.infer), threads=1, max_queue=1)
    return DataPlane(name="net", platform=backend.platform, signature=artifact.manifest.signature, runner=execution)


@pytest.fixture(scope="module")
def mlp(tmp_path_factory):
    return plane_of(mlp_artifact(tmp_path_factory.mktemp("mlp") / "artifact"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    signature = identity(("a", "float32", ["batch", "time"]), ("b", "int64", ["batch", 2]))
    return plane_of(identity_artifact(tmp_path_factory.mktemp("pair") / "artifact", signature))


def infer(plane, **request):
    """Return the outputs as JSON says them."""
    body = bodies.decode(msgspec.json.encode(request), None)
    outputs = asyncio.run(plane.read(body.inputs, body.wanted, Call(clock())).outputs())
    return msgspec.json.decode(b"".join(bodies.encode(body, bodies.naming("net", "1"), outputs).pieces))


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_answers_are_those_of_numpy(mlp, batch):
    asked = features(batch, seed=batch)
    answer = infer(mlp, inputs=[tensor("features", asked)])["outputs"][0]
    data = answer.pop("data")
    assert answer == {"name": "scores", "datatype": "FP32", "shape": [batch, 3]}
    np.testing.assert_allclose(np.reshape(data, (batch, 3)), scores(asked), rtol=1e-4, atol=1e-6)


def test_id_and_parameters_are_echoed(mlp):
    asked = [tensor("features", features(1))]
    answer = infer(mlp, id="42", parameters={"trace": "on", "n": 1}, inputs=asked)
    assert answer | {"outputs": 0} == {
        "id": "42",
        "parameters": {"trace": "on", "n": 1},
        "model_name": "net",
        "model_version": "1",
        "outputs": 0,
    }
    assert set(infer(mlp, inputs=asked)) == {"model_name", "model_version", "outputs"}


def test_outputs_come_as_asked_for(pair):
    inputs = [tensor("b", np.ones((3, 2), int), "INT64"), tensor("a", np.ones((3, 5)))]
    for wanted, expected in (
        ([], ["a_out", "b_out"]),
        (["b_out"], ["b_out"]),
        (["b_out", "a_out"], ["b_out", "a_out"]),
    ):
        answer = infer(pair, inputs=inputs, outputs=[{"name": name} for name in wanted])
        assert [output["name"] for output in answer["outputs"]] == expected


A, B = tensor("a", np.ones((3, 5))), tensor("b", np.ones((3, 2), int), "INT64")


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"inputs": []}, "inputs: expected a, b, found no a, b"),
        ({"inputs": [A]}, "inputs: expected a, b, found no b"),
        ({"inputs": [A, B, A]}, "inputs[a]: expected once"),
        ({"inputs": [A, B | {"name": "c"}]}, "inputs[c]: expected one of a, b"),
        ({"inputs": [A, B | {"datatype": "INT32"}]}, "inputs[b].datatype: expected INT64, found INT32"),
        ({"inputs": [A, B | {"shape": [3, 3]}]}, "inputs[b].shape: expected [batch, 2], found [3, 3]"),
        ({"inputs": [A, B | {"shape": [3]}]}, "inputs[b].shape: expected [batch, 2], found [3]"),
        ({"inputs": [A, B | {"shape": [2, 2]}]}, "inputs[b].shape: dimension batch is 3 in another place, found 2"),
        ({"inputs": [A | {"shape": [-3, -5]}, B]}, "inputs[a].shape"),
        ({"inputs": [A, B | {"data": [1]}]}, "inputs[b].data: expected 6 elements"),
        ({"inputs": [A, B], "outputs": [{"name": "x"}]}, "outputs[x]: expected one of a_out, b_out"),
        ({"inputs": [A, B], "outputs": [{"name": "a_out"}] * 2}, "outputs: expected each name once"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_field_s_name(pair, request_, told):
    with pytest.raises(BadRequestError) as caught:
        infer(pair, **request_)
    assert str(caught.value).startswith(told)


def test_other_models_and_versions_are_not_here(mlp):
    mlp.check_model("net", None)
    mlp.check_model("net", "1")
    for name, version in (("other", None), ("net", "2")):
        with pytest.raises(NotFoundError):
            mlp.check_model(name, version)


def test_a_runtime_s_failure_is_told_in_one_line():
    def fail(_inputs):
        raise RuntimeError("[ONNXRuntimeError] : 2\nof it all")

    with pytest.raises(InferenceError, match=r"^the model fails on this request: \[ONNXRuntimeError\] : 2$"):
        guarded(fail)({})
