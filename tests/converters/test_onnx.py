"""ONNX through the steps: kept, moved to another operator set, simplified; and what is no ONNX."""

import onnx
import pytest

from mutations.nets import NETS

pytestmark = pytest.mark.converters


@pytest.fixture
def convert(run, tmp_path):
    """Convert a model, or bytes, and return the status."""

    def convert(model, inputs=(), dimensions=None, **target):
        path = tmp_path / "model.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        source = {"uri": "s3://models/model.onnx", "inputs": list(inputs), "dimensions": dimensions or {}}
        manifest = {
            "apiVersion": "modelport.dev/v1alpha1",
            "kind": "ModelConversion",
            "metadata": {"name": "net"},
            "spec": {"source": source, "target": {"format": "onnx", "options": target}},
        }
        return run(manifest, path)

    return convert


@pytest.mark.parametrize("make", NETS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("target", [{}, {"opset": 21}, {"simplify": True}], ids=str)
def test_converts(convert, make, target):
    status = convert(make().model, **target)
    assert "failure" not in status, status
    for output in status["verification"]["outputs"]:
        assert float(output["relativeRms"]) < 1e-5


def test_a_newer_file_version_becomes_one_that_runtimes_know(convert):
    model = NETS[1]().model
    model.ir_version = 13
    assert "failure" not in convert(model)


def test_a_truncated_file_is_corrupt(convert):
    failure = convert(NETS[0]().model.SerializeToString()[:-500])["failure"]
    assert failure["reason"] == "SourceCorrupt"


def test_chance_is_named(convert):
    model = NETS[4]().model
    noise = onnx.helper.make_node("RandomNormalLike", ["row"], ["noise"], name="jitter")
    jittered = onnx.helper.make_node("Add", ["row", "noise"], ["jittered"])
    for node in model.graph.node:
        node.input[:] = ["jittered" if each == "row" else each for each in node.input]
    for position, node in enumerate((noise, jittered)):
        model.graph.node.insert(position, node)
    failure = convert(model)["failure"]
    assert failure["reason"] == "NonDeterministic"
    assert "jitter (RandomNormalLike)" in failure["message"]


def test_an_input_that_the_model_lacks_is_told(convert):
    failure = convert(NETS[4]().model, inputs=[{"name": "rows", "shape": ["batch", 10]}])["failure"]
    assert failure["reason"] == "InvalidSpec"
    assert "it has row" in failure["message"]
