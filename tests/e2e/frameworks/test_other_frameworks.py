"""The main job for the images of frameworks whose models no package ships: as the matrix' makers store them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tritonclient.http  # type: ignore[import-untyped]  # ships no types

from e2e.tenants.tenant import ONE, Tenant
from matrix.sources import MAKERS_BY_FRAMEWORK, make
from modelport.frameworks import framework_of

READY_SECONDS = 400
"""The JVM takes its time, and the nodes' images are large."""
KINDS = {"f": "FP32", "i": "INT64", "U": "BYTES"}
CASES = {
    "caffe → onnx": "residual/caffe",
    "caffe → caffe": "residual/caffe",
    "dl4j → onnx": "residual/dl4j",
    "mxnet → onnx": "cnn/mxnet",
    "theano-function → onnx": "mlp/theano",
    "paddle-json → onnx": "lstm/json",
    "h2o-mojo → h2o-mojo": "gbm-binomial/mojo",
    "h2o-mojo → onnx": "gbm-binomial/mojo",
    "sklearn → onnx": "mlp/pickle",
}
"""Format of the source and the target, by cells of the matrix."""


class Stored(NamedTuple):
    """A stored model, and a question with its framework's answers, in the order of its outputs."""

    path: Path
    told: dict[str, Any]
    """Fields of `spec.source`."""
    asked: dict[str, Any]
    answered: list[Any]


def stored(form: str, cell: str) -> Stored:
    """Return a cell's model, which is made if it is not there."""
    folder = make(MAKERS_BY_FRAMEWORK[framework_of(form).name], [cell])[cell]
    assert (folder / "cell.json").exists(), (folder / "error").read_text()
    (path,) = (folder / "source").iterdir()
    with np.load(folder / "right.npz") as right:
        asked = {name.removeprefix("in."): right[name] for name in right if name.startswith("in.")}
        answered = [right[f"out.{number}"] for number in range(len(right.files) - len(asked))]
    return Stored(path, json.loads((folder / "cell.json").read_text()), asked, answered)


@pytest.mark.parametrize("case", CASES)
def test_a_client_gets_what_the_models_own_framework_answers(case: str, a: Tenant, run_id: str) -> None:
    form, target = case.split(" → ")
    model = stored(form, CASES[case])
    if model.path.is_dir():
        files = {
            str(path.relative_to(model.path)): path.read_bytes() for path in model.path.rglob("*") if path.is_file()
        }
        uploaded = a.store.upload_folder(model.path.name, files).location(digest=None)
    else:
        uploaded = a.store.upload(model.path.name, model.path.read_bytes()).location()
    name = f"{form}-{target}-{run_id}"
    a.apply(name, {**uploaded, **model.told}, target={"format": target}, serving=ONE)
    status = a.ready(name, seconds=READY_SECONDS)["status"]
    assert status["source"]["format"] == form
    for output, (found, expected) in enumerate(zip(infer(a, name, model), model.answered, strict=True)):
        if expected.dtype.kind == "U":
            assert [each.decode() for each in found.flat] == expected.reshape(-1).tolist()
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4, err_msg=str(output))


def infer(a: Tenant, name: str, model: Stored) -> list[Any]:
    """Return the Service's answers, by tritonclient, in the order of the model's outputs."""
    inputs = []
    for input_, value in model.asked.items():
        inputs.append(tritonclient.http.InferInput(input_, list(value.shape), KINDS[value.dtype.kind]))
        inputs[-1].set_data_from_numpy(value.astype(object) if value.dtype.kind == "U" else value)
    with a.cluster.forwarded(f"service/{name}", a.namespace, 80) as port:
        client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{port}")
        result = client.infer(name, inputs)
        outputs = [each["name"] for each in client.get_model_metadata(name)["outputs"]]
        client.close()
    return [result.as_numpy(output) for output in outputs]
