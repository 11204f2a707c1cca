"""Every layer, vertex and activation with random geometry, against DL4J itself, which makes and answers the networks."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from converters.dl4j.dl4j_models import arrays, environment, make
from converters.dl4j.old_forms import as_before_beta
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.asking import java
from modelport.errors import ModelportError
from modelport_converter.frameworks.dl4j.asking.process import Network
from modelport_converter.frameworks.dl4j.opening import open_model, read_model
from modelport_converter.frameworks.dl4j.to_onnx import write_network

TOLERANCE = {"float32": 2e-6, "float64": 2e-6, "float16": 5e-3}
"""Of the largest number, by what the network computes in."""
REFUSED = {
    "activation-of-input-shared": "DL4J changes the input, but not in training",
    "attention-vertex": "a vertex AttentionVertex is not converted",
    "batch-norm-time": "expected an input of 2 or 4 axes, found 3",
    "batch-norm-volume": "expected an input of 2 or 4 axes, found 5",
    "deconvolution": "in mode Same is not converted; DL4J moves them",
    "dense-layer-norm": "hasLayerNorm",
    "element-wise-three-subtract": "op Subtract of 3 inputs",
    "locally-connected": "a layer LocallyConnected2D is not converted",
    "lstm": "within a recurrent layer is not converted",
    "not-mini-batch-sequence": "miniBatch false",
    "pooling": r"(padding|dilation) \(",
    "reshape-f": "expected a shape in order c",
    "self-attention": "a layer SelfAttentionLayer is not converted",
    "simple-rnn": "within a recurrent layer is not converted",
    "simple-rnn-layer-norm": "hasLayerNorm",
    "space-to-batch": "a layer SpaceToBatchLayer is not converted",
}
"""What is refused, and why (a pattern): by how names begin, the longest first."""
FORBIDDEN = ("dense-behind-volume",)
"""Networks that DL4J makes, and does not answer."""
LEAST = 500
"""That are compared, of all that are made: the others are refused by DL4J, or by us."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("networks"))


def judge(folder: Path) -> str:
    """Return how ONNX Runtime's answers differ from DL4J's: nothing if they do not."""
    asked, right = arrays(folder, "in"), arrays(folder, "out")
    try:
        model = open_model(folder / "model.zip", [])
    except ModelportError as error:
        if error.reason != Reason.INPUTS_NEEDED:
            raise
        names = read_model(folder / "model.zip")[0].inputs
        model = open_model(
            folder / "model.zip",
            [Input(name=name, shape=["batch", *each.shape[1:]]) for name, each in zip(names, asked, strict=True)],
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(write_network(model).SerializeToString(), options)
    questions = {each.name: array.astype(each.dtype) for each, array in zip(model.inputs, asked, strict=True)}
    for name, found, wanted in zip(model.network.outputs, session.run(None, questions), right, strict=True):
        if found.shape != wanted.shape:
            return f"{name}: expected {wanted.shape}, found {found.shape}"
        error = np.abs(found.astype(np.float64) - wanted).max() / max(1e-3, np.abs(wanted).max())
        if not error < TOLERANCE[str(model.vector.dtype)]:
            return f"{name}: relative error {error:.2g}"
    return ""


def refusal_of(name: str) -> str:
    known = sorted((each for each in REFUSED if name.startswith(each)), key=len)
    return REFUSED[known[-1]] if known else ""


def test_all_networks(made):
    wrong, compared = {}, 0
    for folder in sorted(made.iterdir()):
        if not (folder / "model.zip").exists() or folder.name.startswith(FORBIDDEN):
            continue
        try:
            difference = judge(folder)
        except ModelportError as error:
            known = refusal_of(folder.name)
            if error.reason != Reason.CONVERSION_FAILED or not known or not re.search(known, error.message):
                wrong[folder.name] = f"{error.reason}: {error.message}"
            continue
        compared += 1
        if difference and not (folder / "error").exists():
            wrong[folder.name] = difference
    assert not wrong
    assert compared > LEAST


def test_files_of_before_beta(made, tmp_path, monkeypatch):
    monkeypatch.setattr(java.sys, "prefix", str(environment()))
    names = ("many-branches-0", "dense-in-time", "convolution-0", "graves-lstm-0", "batch-norm-image-0", "flat-image-0")
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        with zipfile.ZipFile(made / name / "model.zip") as archive, zipfile.ZipFile(folder / "model.zip", "w") as old:
            configuration = json.loads(archive.read("configuration.json"))
            old.writestr("configuration.json", json.dumps(as_before_beta(configuration)))
            old.writestr("coefficients.bin", archive.read("coefficients.bin"))
        for path in (made / name).glob("*.npy"):
            (folder / path.name).write_bytes(path.read_bytes())
        assert not judge(folder), name
    # DL4J reads what was put into the old form as it does the new one
    asked = Network(tmp_path / "many-branches-0" / "model.zip", is_graph=True)
    for found, right in zip(asked.answer(arrays(made / names[0], "in")), arrays(made / names[0], "out"), strict=True):
        np.testing.assert_array_equal(found, right)


def test_a_convolution_in_time_of_before_beta7_is_refused(made, tmp_path):
    with zipfile.ZipFile(made / "convolution-1d-softmax" / "model.zip") as archive:
        configuration, coefficients = archive.read("configuration.json"), archive.read("coefficients.bin")
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as old:
        old.writestr("configuration.json", configuration.replace(b'"rnnDataFormat"', b'"other"'))
        old.writestr("coefficients.bin", coefficients)
    with pytest.raises(ModelportError, match="DL4J has read its weights in another order"):
        write_network(open_model(tmp_path / "model.zip", []))


# --- the process ------------------------------------------------------------------------------------------------------


@pytest.fixture
def answering(made, monkeypatch):
    monkeypatch.setattr(java.sys, "prefix", str(environment()))
    return Network(made / "lstm-0" / "model.zip", is_graph=False), made / "lstm-0"


def test_a_question_that_dl4j_refuses_leaves_it_answering(answering):
    asked, folder = answering
    with pytest.raises(ModelportError, match="DL4J refuses what the model is asked"):
        asked.answer([np.zeros((2, 3), np.float32)])
    np.testing.assert_array_equal(asked.answer(arrays(folder, "in"))[0], arrays(folder, "out")[0])


def test_every_number_of_rows_is_answered(answering):
    asked, folder = answering
    whole = arrays(folder, "out")[0]
    for rows in (1, 2, 5):
        found = asked.answer([arrays(folder, "in")[0][:rows]])[0]
        np.testing.assert_allclose(found, whole[:rows], rtol=1e-5, atol=1e-6)


def test_a_process_that_ends_or_hangs_is_told(answering, monkeypatch):
    asked, folder = answering
    monkeypatch.setattr(java, "SECONDS", 0)
    with pytest.raises(ModelportError, match="expected an answer of DL4J within 0 s"):
        asked.answer(arrays(folder, "in"))
    monkeypatch.setattr(java, "SECONDS", 60)
    with pytest.raises((ModelportError, MemoryError), match="java"):
        asked.answer(arrays(folder, "in"))


def test_a_model_that_dl4j_refuses_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(java.sys, "prefix", str(environment()))
    (tmp_path / "model.zip").write_bytes(b"no archive")
    with pytest.raises(ModelportError, match="DL4J refuses the model"):
        Network(tmp_path / "model.zip", is_graph=False)
