"""From requests to answers, with a real runtime and no transport."""

import asyncio
from typing import get_args

import msgspec
import numpy as np
import pytest

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.status import Signature, Tensor
from modelport.errors import ModelportError
from modelport.storage.manifests import Lengths
from modelport_server.backends.base import How
from modelport_server.dataplane.calls import Call, clock
from modelport_server.dataplane.plane import DataPlane
from modelport_server.errors import BadRequestError, InferenceError, NotFoundError
from modelport_server.execution import loading
from modelport_server.execution.running import Execution, guarded
from modelport_server.protocol import bodies
from modelport_server.serving.local_artifact import open_artifact
from server.models import features, identity, identity_artifact, mlp_artifact, scores
from server.processes import tensor


def plane_of(folder):
    artifact = open_artifact(folder)
    infer = loading.load(artifact.manifest.runtime, artifact.model_folder, artifact.model_files, How())
    return plane_around(infer, artifact.manifest.signature)


def plane_around(infer, signature, lengths=None):
    execution = Execution(guarded(infer), runs=1, max_queue=1)
    return DataPlane(
        name="net", platform="numpy", signature=signature, lengths=lengths or {}, takes_bytes=True, runner=execution
    )


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


PAIR = Signature(
    inputs=[
        Tensor(name="x", dtype="float32", shape=["batch", "time"]),
        Tensor(name="mask", dtype="int64", shape=["batch", "time"]),
    ],
    outputs=[
        Tensor(name="y", dtype="float32", shape=["batch", "time", 2]),
        Tensor(name="found", dtype="int64", shape=["found_0"]),
    ],
)
Y, FOUND = np.zeros((3, 5, 2), np.float32), np.zeros(7, np.int64)


def ask_pair(plane, rows=3, length=5, outputs=()):
    x, mask = np.ones((rows, length)), np.ones((rows, length), int)
    return infer(plane, inputs=[tensor("x", x), tensor("mask", mask, "INT64")], outputs=[{"name": n} for n in outputs])


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        ({"y": Y[:2]}, "outputs[y]: {}: expected FP32 [3, 5, 2], found FP32 [2, 5, 2]"),
        ({"y": Y[:, :4]}, "outputs[y]: {}: expected FP32 [3, 5, 2], found FP32 [3, 4, 2]"),
        ({"y": Y[:, :, :1]}, "outputs[y]: {}: expected FP32 [3, 5, 2], found FP32 [3, 5, 1]"),
        ({"y": Y[0]}, "outputs[y]: {}: expected FP32 [3, 5, 2], found FP32 [5, 2]"),
        ({"y": Y[None]}, "outputs[y]: {}: expected FP32 [3, 5, 2], found FP32 [1, 3, 5, 2]"),
        ({"y": Y.astype(np.float64)}, "outputs[y]: {}: expected FP32 [3, 5, 2], found FP64 [3, 5, 2]"),
        ({"found": FOUND.astype(np.int32)}, "outputs[found]: {}: expected INT64 [found_0], found INT32 [7]"),
        ({"found": FOUND[:, None]}, "outputs[found]: {}: expected INT64 [found_0], found INT64 [7, 1]"),
    ],
)
def test_answers_that_do_not_fit_the_signature_are_never_given(outputs, told):
    plane = plane_around(lambda _inputs: {"y": Y, "found": FOUND} | outputs, PAIR)
    with pytest.raises(InferenceError) as caught:
        ask_pair(plane)
    assert str(caught.value) == told.format("the model answers otherwise than its signature says")
    assert (caught.value.status, caught.value.grpc_status.name) == (500, "INTERNAL")


def test_lengths_that_follow_from_data_alone_are_free():
    plane = plane_around(lambda _inputs: {"y": Y, "found": FOUND}, PAIR)
    assert [each["shape"] for each in ask_pair(plane)["outputs"]] == [[3, 5, 2], [7]]


def test_outputs_that_nobody_wants_are_not_looked_at():
    plane = plane_around(lambda _inputs: {"y": Y[:1], "found": FOUND}, PAIR)
    assert ask_pair(plane, outputs=["found"])["outputs"][0]["shape"] == [7]


LENGTHS = {"batch": Lengths(min=1), "time": Lengths(min=2, max=64)}


@pytest.mark.parametrize(("rows", "length"), [(1, 2), (3, 64), (1000, 3)])
def test_lengths_that_were_verified_are_answered(rows, length):
    def double(inputs):
        return {"y": np.stack([inputs["x"]] * 2, -1), "found": FOUND}

    shape = ask_pair(plane_around(double, PAIR, LENGTHS), rows, length)["outputs"][0]["shape"]
    assert shape == [rows, length, 2]


@pytest.mark.parametrize(
    ("rows", "length", "told"),
    [
        (3, 65, "dimension time: expected at most 64, found 65: the model was verified up to 64"),
        (3, 1, "dimension time: expected at least 2, found 1: shorter ones were not verified"),
        (0, 5, "dimension batch: expected at least 1, found 0: shorter ones were not verified"),
    ],
)
def test_lengths_that_were_not_verified_are_refused(rows, length, told):
    with pytest.raises(BadRequestError) as caught:
        ask_pair(plane_around(None, PAIR, LENGTHS), rows, length)
    assert str(caught.value) == f"inputs[x].shape: {told}"


def test_metadata_tell_names_and_verified_lengths():
    metadata = msgspec.to_builtins(plane_around(None, PAIR, LENGTHS).model_metadata())
    limits = {"batch.min": 1, "time.min": 2, "time.max": 64}
    assert metadata["inputs"] == [
        {"name": name, "datatype": datatype, "shape": [-1, -1], "parameters": {"shape": "[batch, time]"} | limits}
        for name, datatype in (("x", "FP32"), ("mask", "INT64"))
    ]
    assert metadata["outputs"] == [
        {"name": "y", "datatype": "FP32", "shape": [-1, -1, 2], "parameters": {"shape": "[batch, time, 2]"}},
        {"name": "found", "datatype": "INT64", "shape": [-1], "parameters": {"shape": "[found_0]"}},
    ]


@pytest.mark.parametrize("dtype", get_args(Dtype))
def test_models_of_every_element_type_have_metadata(dtype):
    signature = identity(("x", dtype, ["n", 2]))
    metadata = msgspec.to_builtins(plane_around(None, signature).model_metadata())
    assert metadata["inputs"][0]["datatype"] == metadata["outputs"][0]["datatype"] == NAMES[dtype]


NAMES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "bfloat16": "BF16",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}


@pytest.mark.parametrize("dtype", ["complex64", "object"])
def test_element_types_without_a_place_in_the_protocol_are_no_model_to_serve(dtype):
    signature = Signature(inputs=[Tensor(name="x", dtype=dtype, shape=["n"])])
    with pytest.raises(ModelportError, match=f"^x: expected an element type of bool, .* found {dtype}$") as caught:
        plane_around(None, signature)
    assert caught.value.reason == Reason.RUNTIME_UNSUPPORTED
