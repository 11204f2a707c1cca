"""Models of MXNet through `modelport run`: of every age as they were stored, and those that are refused by name."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from converters.verdicts import convert_all

pytestmark = pytest.mark.converters
STORED = ["cnn-mxnet", "cnn-bare", "cnn-0.11", "cnn-0.8", "ssd-mxnet", "reading-mxnet"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return the folder of the stored models."""
    folder = tmp_path_factory.mktemp("models")
    convert_all("converter-mxnet", Path(__file__).with_name("make_models.py"), folder)
    return folder


@pytest.fixture
def convert(models, run):
    """Convert a stored model, with its inputs as they are or others."""

    def convert_one(name, inputs=None):
        stated = json.loads((models / name / "inputs.json").read_text()) if inputs is None else inputs
        source = {"uri": f"s3://models/{name}.zip", "inputs": stated}
        manifest = {
            "apiVersion": "modelport.dev/v1alpha1",
            "kind": "ModelConversion",
            "metadata": {"name": "model"},
            "spec": {"source": source},
        }
        return run(manifest, models / name / "source")

    return convert_one


@pytest.mark.parametrize("name", STORED)
def test_models_of_every_age_answer_as_before_they_were_stored(models, convert, name):
    status = convert(name)
    assert "failure" not in status
    (path,) = Path(status["artifact"]["uri"].removeprefix("file://")).rglob("*.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    right = np.load(models / name / "right.npz")
    (found,) = session.run(None, {"data": right["data"]})
    np.testing.assert_allclose(found, right["right"], rtol=1e-4, atol=1e-5)


def test_a_batch_of_one_stays_an_axis_where_squeeze_names_none(models, convert):
    status = convert("squeezed-mxnet")
    assert "failure" not in status
    (caveat,) = status["verification"]["caveats"]
    assert "layers flat leave out only axes that always have the length 1" in caveat
    (path,) = Path(status["artifact"]["uri"].removeprefix("file://")).rglob("*.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    right = np.load(models / "squeezed-mxnet" / "right.npz")
    for rows in (slice(1), slice(2)):
        (found,) = session.run(None, {"data": right["data"][rows]})
        np.testing.assert_allclose(found, right["right"][rows], rtol=1e-4, atol=1e-5)


def test_half_precision_is_computed_in_float32(convert):
    assert "failure" not in convert("half")


@pytest.mark.parametrize(
    ("name", "inputs", "reason", "told"),
    [
        ("missing", None, "WeightsMismatch", "found none for fc_weight"),
        ("cnn-mxnet", [], "InputsNeeded", "expected the shapes of data"),
        ("cnn-mxnet", [{"name": "image", "shape": [1, 3, 17, 17]}], "InputsNeeded", "variables without values: data"),
        ("cnn-mxnet", [{"name": "data", "shape": ["batch", 3, 99, 17]}], "InputsNeeded", "fit the weights"),
        ("random", None, "ConversionFailed", "_random_normal"),
        ("int8", None, "ConversionFailed", "int8; give the model that was quantized"),
    ],
)  # fmt: skip
def test_refusals_name_what_is_wrong(convert, name, inputs, reason, told):
    failure = convert(name, inputs)["failure"]
    assert failure["reason"] == reason
    assert told in failure["message"]
