"""What TensorFlow's and Keras' models become answers as they do, in the runtime that serves it, or is refused by name."""

import io
import os
import subprocess
from contextlib import redirect_stderr
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pytest

from converters.verdicts import PATHS, SECONDS, convert_all
from modelport.jobs.requests import ConvertRequest
from modelport.steps.handover import ARTIFACT, read_manifest
from modelport.steps.runner import Context
from modelport.storage.manifests import MODEL
from modelport_cli.local.environments import find_recipe, prepare
from modelport_converter.steps.judge import judge

pytestmark = [pytest.mark.converters, pytest.mark.timeout(2400)]
HERE = Path(__file__).parent
SERVER = HERE.parents[3] / "images" / "server"
RUNTIMES = ("tensorflow", "litert")
REFUSED = {
    "unsupported--tflite": ("ConversionFailed", "Igamma"),
    "gru-keras-h5-2--tflite": ("ShapesNeeded", "shapes: {series: [1, 64, 3]}"),
    "several-keras-3--keras-h5": ("RuntimeUnsupported", "TensorFlow does not load the model"),
    "own-class--keras": ("RuntimeUnsupported", "Could not locate class 'Net'"),
}
"""Keras 3 does not read operators on tensors from HDF5, and a class of its own only with its code."""
HALF = {"cnn-keras-3--tflite+float16"}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """Return the folder of the steps' volumes, and what came of each model."""
    folder = tmp_path_factory.mktemp("targets")
    outcomes = convert_all("converter-tensorflow", HERE / "run_targets.py", folder)
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*PATHS, SERVER]))}
    for runtime in RUNTIMES:
        python = prepare(find_recipe(f"server-{runtime}"))
        command = [python, "-W", "ignore", HERE / "try_targets.py", folder, runtime]
        ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS)
        assert ended.returncode == 0, ended.stderr[-2000:]
        outcomes |= msgspec.json.decode((folder / f"tried-{runtime}.json").read_bytes())
    return folder, outcomes


def judged(folder):
    """Judge as the step does, and return the manifest. Raises ModelportError."""
    request = msgspec.json.decode((folder / "request.json").read_bytes(), type=ConvertRequest)
    (folder / "judge" / "out").mkdir(parents=True)
    with redirect_stderr(io.StringIO()):
        judge(Context("judge", request, folder, folder))
    return read_manifest(folder / "judge" / "out" / ARTIFACT)[0]


def test_each_answers_as_its_source_or_is_refused_by_name(kinds):
    folder, outcomes = kinds
    assert {name: outcome["reason"] for name, outcome in outcomes.items() if outcome["reason"]} == {
        name: reason for name, (reason, _) in REFUSED.items()
    }
    for name, (_, words) in REFUSED.items():
        assert words in outcomes[name]["message"]
        assert len(outcomes[name]["message"]) <= 500
    for name in (name for name in outcomes if name not in REFUSED):
        manifest = judged(folder / name)
        assert manifest.format == name.rpartition("--")[2].partition("+")[0]
        right, served = np.load(folder / name / "right.npz"), np.load(folder / name / "served.npz")
        names = [each.name for each in manifest.signature.outputs]
        assert set(names) == set(served.files), name
        for number, output in enumerate(names):
            wanted = right[f"out.{number}"]
            assert (served[output].shape, served[output].dtype) == (wanted.shape, wanted.dtype), name
            error = 1e-2 if name in HALF else 1e-4
            np.testing.assert_allclose(served[output], wanted, rtol=error, atol=error / 4, err_msg=name)


def test_free_lengths_stay_free(kinds):
    folder, _ = kinds
    told = msgspec.json.decode((folder / "transformer-keras-2--tflite" / "ask" / "out" / "signature.json").read_bytes())
    assert told["inputs"][0]["shape"] == ["batch", "given_1", 8]


def test_files_are_those_that_the_format_has(kinds):
    folder, _ = kinds
    files = {
        name: sorted(path.name for path in (folder / name / "hop-1" / "out" / MODEL).iterdir())
        for name in (
            "cnn-keras-3--keras",
            "cnn-keras-3--keras-h5",
            "cnn-keras-3--keras-json-weights",
            "cnn-keras-h5-2--keras-json-weights",
            "cnn-keras-3--keras-json-weights+checkpoint",
            "cnn-keras-3--tflite",
        )
    }
    assert list(files.values()) == [
        ["model.keras"],
        ["model.h5"],
        ["model.json", "model.weights.h5"],
        ["model.h5", "model.json"],
        ["model.data-00000-of-00001", "model.index", "model.json"],
        ["model.tflite"],
    ]


def test_a_model_as_it_is_stays_so(kinds):
    folder, _ = kinds
    for name, file in (("cnn-keras-3--keras", "model.keras"), ("cnn-keras-h5-2--keras-h5", "model.h5")):
        source = (folder / name / "stage" / "out" / "source" / file).read_bytes()
        assert (folder / name / "hop-1" / "out" / MODEL / file).read_bytes() == source
    for part in ("saved_model.pb", "variables/variables.index"):
        source = folder / "plain--tensorflow-saved-model" / "stage" / "out" / "source" / part
        copied = folder / "plain--tensorflow-saved-model" / "hop-1" / "out" / MODEL / part
        assert copied.read_bytes() == source.read_bytes()


def test_weights_in_half_precision_take_half_the_room(kinds):
    folder, _ = kinds
    whole, half = (
        (folder / f"cnn-keras-3--{target}" / "hop-1" / "out" / MODEL / "model.tflite").stat().st_size
        for target in ("tflite", "tflite+float16")
    )
    assert half < whole


def test_what_a_model_was_trained_with_stays(kinds):
    folder, _ = kinds
    path = folder / "trained-2--keras-h5" / "hop-1" / "out" / MODEL / "model.h5"
    with h5py.File(path) as file:
        assert "adam" in file.attrs["training_config"].lower()
        assert "optimizer_weights" in file
