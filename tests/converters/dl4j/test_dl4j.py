"""DL4J models through `modelport run`: files that its developers saved, and networks that its builders make."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from converters.dl4j.dl4j_models import REAL, SHARED, arrays, chain, dense, make, stored, vector, write
from converters.verdicts import serve
from modelport.storage.manifests import MODEL, ArtifactManifest

pytestmark = pytest.mark.converters


def manifest(**source):
    return {
        "apiVersion": "modelport.dev/v1alpha1",
        "kind": "ModelConversion",
        "metadata": {"name": "net"},
        "spec": {"source": {"uri": "s3://models/model.zip", **source}, "target": {"format": "onnx"}},
    }


def answers(status, questions):
    """Return what the artifact answers to one array for each input."""
    folder = Path(status["artifact"]["uri"].removeprefix("file://"))
    found = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=ArtifactManifest)
    infer = serve(found, folder / MODEL)
    named = zip(found.signature.inputs, questions, strict=True)
    answer = infer({each.name: array.astype(each.dtype) for each, array in named})
    return [answer[each.name] for each in found.signature.outputs]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"files of DL4J's own tests are not there: {SHARED}")
@pytest.mark.parametrize("name", REAL)
def test_files_of_several_versions_answer_as_their_version_did(run, name):
    model, *rest = REAL[name]
    status = run(manifest(), SHARED / model)
    assert "failure" not in status, status["failure"]
    assert all(float(each["excess"]) < 1 for each in status["verification"]["outputs"])
    if rest:
        question, right = (stored(SHARED / each) for each in rest)
        np.testing.assert_allclose(answers(status, [question])[0], right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["lenet", "residual", "mask-zero", "graves-bidirectional-0", "separable-nhwc-0", "half-lstm", "double-lstm"],
)
def test_networks_become_onnx_that_answers_as_they_do(run, tmp_path, name):
    folder = make(tmp_path / "made", name) / name
    status = run(manifest(), folder / "model.zip")
    assert "failure" not in status, status["failure"]
    near = 1e-2 if name.startswith("half") else 1e-5
    for found, right in zip(answers(status, arrays(folder, "in")), arrays(folder, "out"), strict=True):
        np.testing.assert_allclose(found, right, rtol=near, atol=near)


def test_what_the_file_does_not_tell_is_asked_for(run, tmp_path):
    """Of the second input, which is merged with something at once, no layer tells the features."""
    folder = make(tmp_path / "made", "seq-to-seq") / "seq-to-seq"
    failure = run(manifest(), folder / "model.zip")["failure"]
    assert (failure["reason"], "state it under inputs" in failure["message"]) == ("InputsNeeded", True)
    inputs = [{"name": "a", "shape": ["batch", 4, "time"]}, {"name": "b", "shape": ["batch", 3, "steps"]}]
    status = run(manifest(inputs=inputs), folder / "model.zip")
    assert "failure" not in status, status["failure"]
    np.testing.assert_allclose(answers(status, arrays(folder, "in"))[0], arrays(folder, "out")[0], rtol=1e-5, atol=1e-6)


def test_a_layer_that_is_not_converted_is_named(run, tmp_path):
    path = write(tmp_path / "model.zip", chain(dense(3, 2), {"@class": "CapsuleLayer"}), vector(np.zeros(8)))
    failure = run(manifest(), path)["failure"]
    assert failure["reason"] == "ConversionFailed"
    assert "layer 1.layer: a layer CapsuleLayer is not converted; replace it" in failure["message"]
