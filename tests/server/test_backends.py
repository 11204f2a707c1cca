"""What runs models: the answers, and the logits that verification compares before a final softmax."""

import numpy as np
import pytest

from modelport.contract import ModelportError
from modelport_server import backends
from server.models import features, identity, identity_artifact, logits, mlp_artifact, scores


def test_answers_and_logits_are_those_of_numpy(tmp_path):
    folder = mlp_artifact(tmp_path / "artifact")
    asked = {"features": features(3, seed=5)}
    answers = backends.load("onnxruntime", folder, ["model.onnx"], 1).infer(asked)
    assert list(answers) == ["scores"]
    np.testing.assert_allclose(answers["scores"], scores(asked["features"]), rtol=1e-4, atol=1e-6)
    before = backends.load_logits("onnxruntime", folder, ["model.onnx"])(asked)
    assert list(before) == ["scores"]
    np.testing.assert_allclose(before["scores"], logits(asked["features"]), rtol=1e-4, atol=1e-5)


def test_a_model_without_a_final_softmax_has_no_logits(tmp_path):
    folder = identity_artifact(tmp_path / "artifact", identity(("a", "float32", ["n"])))
    assert backends.load_logits("onnxruntime", folder, ["model.onnx"])({"a": np.ones(2, np.float32)}) == {}


@pytest.mark.parametrize("files", [[], ["a.txt"], ["a.onnx", "b.onnx"]])
def test_one_model_is_expected(tmp_path, files):
    with pytest.raises(ModelportError, match=r"^expected one \*\.onnx file"):
        backends.load("onnxruntime", tmp_path, files, 1)


def test_a_runtime_of_another_image_is_told(tmp_path):
    with pytest.raises(ModelportError, match="expected one of onnxruntime, found tvm"):
        backends.load("tvm", tmp_path, [], 1)
