"""Small ONNX models in TensorFlow and TensorFlow Lite answer as ONNX Runtime does: the right values of public reports."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from converters.tensorflow.operators import onnx_cases, onnx_details
from converters.verdicts import convert_all

pytestmark = [pytest.mark.converters, pytest.mark.timeout(1800)]  # the first one asks all
CASES = {case.name: case for family in (*onnx_cases.FAMILIES, *onnx_details.FAMILIES) for case in family()}
LITE = [case.name for case in CASES.values() if case.lite]


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Return the folder with the answers, and what failed."""
    root = tmp_path_factory.mktemp("cases")
    for case in CASES.values():
        folder = root / case.name
        folder.mkdir()
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        for number, question in enumerate(case.questions):
            np.savez(folder / f"question-{number}.npz", **question)
        if case.lite:
            (folder / "lite").touch()
    return root, convert_all("converter-tensorflow", Path(__file__).with_name("run_onnx_cases.py"), root)


def check(folder, case, kind):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), options)
    for number, question in enumerate(case.questions):
        with np.load(folder / f"{kind}-{number}.npz") as answers:
            found = dict(answers)
        for value, right in zip(session.get_outputs(), session.run(None, dict(question)), strict=True):
            assert found[value.name].shape == right.shape
            assert found[value.name].dtype == right.dtype
            scale = max(1.0, float(np.abs(right).max(initial=0)))
            np.testing.assert_allclose(found[value.name], right, rtol=1e-5, atol=3e-6 * scale)


@pytest.mark.parametrize("name", CASES)
def test_a_saved_model_answers_as_onnx_runtime_does(converted, name):
    folder, outcomes = converted
    assert outcomes[name] == "" or (name in LITE and (folder / name / "saved-0.npz").exists()), outcomes[name]
    check(folder / name, CASES[name], "saved")


@pytest.mark.parametrize("name", LITE)
def test_tensorflow_lite_answers_as_onnx_runtime_does(converted, name):
    folder, outcomes = converted
    assert outcomes[name] == ""
    check(folder / name, CASES[name], "lite")
