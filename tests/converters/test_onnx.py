"""ONNX through the steps: kept, moved to another operator set, simplified; and what is no ONNX."""

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from ruamel.yaml import YAML

from converters.conftest import RUN_SECONDS
from converters.nets import NETS
from modelport.storage.manifests import MODEL, ArtifactManifest, model_paths
from modelport_cli.artifacts import check_artifact
from modelport_server.backends.base import How
from modelport_server.execution import loading

pytestmark = pytest.mark.converters


@pytest.fixture
def convert(run, tmp_path):
    """Convert a model, or bytes, and return the status."""

    def convert(model, inputs=(), dimensions=None, *, shapes=None, tolerance=None, calibration=None, **target):
        path = tmp_path / "model.onnx"
        if isinstance(model, Path):
            path = model
        else:
            path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        uri = f"s3://models/{path.name}{'/' if path.is_dir() else ''}"
        source = {"uri": uri, "inputs": list(inputs), "dimensions": dimensions or {}}
        manifest = {
            "apiVersion": "modelport.dev/v1alpha1",
            "kind": "ModelConversion",
            "metadata": {"name": "net"},
            "spec": {
                "source": source,
                "target": {"format": "onnx", "options": target, "shapes": shapes or {}},
                "verification": {"tolerance": tolerance} if tolerance else {},
            },
        }
        return run(manifest, path, options=["--calibration", calibration] if calibration else [])

    return convert


@pytest.mark.parametrize("make", NETS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("target", [{}, {"opset": 21}, {"simplify": True}], ids=str)
def test_converts(convert, make, target):
    status = convert(make().model, **target)
    assert "failure" not in status, status
    for output in status["verification"]["outputs"]:
        assert float(output["relativeRms"]) < 1e-5


def artifact_of(status):
    return Path(status["artifact"]["uri"].removeprefix("file:"))


def written(status):
    return onnx.load(artifact_of(status) / MODEL / "model.onnx")


def test_fixed_shapes_are_in_the_file_and_the_only_ones_that_are_asked(convert):
    net = NETS[0]()
    name = net.model.graph.input[0].name
    free = [each.dim_param or each.dim_value for each in net.model.graph.input[0].type.tensor_type.shape.dim]
    fixed = [each if isinstance(each, int) else 16 for each in free]
    assert fixed != free
    status = convert(net.model, shapes={name: fixed})
    assert "failure" not in status, status
    manifest = msgspec.json.decode((artifact_of(status) / "manifest.json").read_bytes(), type=ArtifactManifest)
    model = written(status)
    values = [*model.graph.input, *model.graph.output]
    lengths = [[each.dim_value for each in value.type.tensor_type.shape.dim] for value in values]
    assert lengths == [each.shape for each in (*manifest.signature.inputs, *manifest.signature.outputs)]
    assert (lengths[0], manifest.lengths) == (fixed, {})
    refused = convert(net.model, shapes={name: [*fixed, 1]})
    assert refused["failure"]["reason"] == "InvalidSpec"


def test_half_precision_is_judged_in_its_own_units(convert):
    net = NETS[0]().model
    status = convert(net, precision="float16")
    assert "failure" not in status, status
    model = written(status)
    assert {tensor.data_type for tensor in model.graph.initializer} >= {TensorProto.FLOAT16}
    assert [value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)] == [
        value.type.tensor_type.elem_type for value in (*net.graph.input, *net.graph.output)
    ]
    outputs = [each for each in status["verification"]["outputs"] if each.get("comparison") != "Labels"]
    for output in outputs:
        assert float(output["relativeRms"]) < float(output["limit"]) == pytest.approx(5 * 2**-10, rel=0.01)
    assert any(float(output["relativeRms"]) > 1e-5 for output in outputs)


def test_8_bits_pass_within_a_tolerance_that_is_stated(convert):
    net = NETS[0]().model
    failure = convert(net, precision="int8")["failure"]
    assert failure["reason"] == "VerificationFailed"
    assert "rounds weights and numbers to 8 bits; state spec.verification.tolerance" in failure["message"]
    status = convert(net, precision="int8", tolerance={"relative": 0.2})
    assert "failure" not in status, status
    assert "ConvInteger" in {node.op_type for node in written(status).graph.node}


def test_what_matlab_reads_is_written_and_what_it_may_not_is_named(convert):
    status = convert(NETS[0]().model, profile="matlab")
    assert "failure" not in status, status
    model = written(status)
    assert (model.opset_import[0].version, model.ir_version) == (14, 7)
    nodes = [node("Selu", ["x"], ["y"])]
    status = convert(model_of(nodes, [value("x")], [value("y")], {}), profile="matlab")
    assert status["verification"]["caveats"] == ["MATLAB does not document that it reads Selu"]
    failure = convert(NETS[0]().model, profile="matlab", opset=17)["failure"]
    assert (failure["reason"], "at most 14 for profile matlab" in failure["message"]) == ("InvalidSpec", True)


def test_ranges_of_8_bits_are_measured_on_samples(convert, tmp_path):
    net = NETS[0]()
    (given,) = net.model.graph.input
    shape = [each.dim_value or 16 for each in given.type.tensor_type.shape.dim]
    samples = tmp_path / "calibration.npz"
    np.savez(samples, **{given.name: np.random.default_rng(1).standard_normal(shape).astype(np.float32)})
    status = convert(net.model, precision="int8", tolerance={"relative": 0.2}, calibration=samples)
    assert "failure" not in status, status
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in written(status).graph.node}
    np.savez(samples, other=np.zeros(shape, np.float32))
    failure = convert(net.model, precision="int8", tolerance={"relative": 0.2}, calibration=samples)["failure"]
    assert failure["reason"] == "InvalidSpec"
    assert failure["message"] == f"spec.target.calibration: expected the arrays {given.name}, found other"


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


# --- unusual models, with the right values ---------------------------------------------------------------------------

X = np.random.default_rng(1).standard_normal((5, 3)).astype(np.float32)
W = np.random.default_rng(2).standard_normal((3, 2)).astype(np.float32)
FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE
node = helper.make_node


def value(name, shape=("batch", 3), dtype=FLOAT):
    return helper.make_tensor_value_info(name, dtype, list(shape))


def model_of(nodes, inputs, outputs, weights):
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(
        helper.make_graph(nodes, "net", inputs, outputs, tensors), opset_imports=opsets, ir_version=8
    )


def served(status, **inputs):
    """Return what the artifact answers, loaded as its manifest says."""
    assert "failure" not in status, status
    folder = Path(status["artifact"]["uri"].removeprefix("file://"))
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=ArtifactManifest)
    return loading.load(manifest.runtime, folder / MODEL, model_paths(manifest.files), How(manifest.load_options))(
        inputs
    )


def test_what_the_runtimes_optimiser_breaks_is_loaded_without_that_rewrite(convert):
    nodes = [
        node("Identity", ["x"], ["mid"]),
        node("Sqrt", ["d"], ["s"]),
        node("Div", ["one", "s"], ["f"]),
        node("Mul", ["mid", "f"], ["y"]),
    ]
    weights = {"one": np.float32(1), "d": np.float32(16)}
    status = convert(model_of(nodes, [value("x")], [value("y")], weights))
    np.testing.assert_array_equal(served(status, x=X)["y"], X / 4)
    (caveat,) = status["verification"]["caveats"]
    assert "DivMulFusion" in caveat


def test_a_classifier_serves_probabilities_and_labels_in_place_of_maps(convert):
    labels = {"classlabels_strings": ["cat", "dog"]}
    options = {"coefficients": W.T.ravel().tolist(), "intercepts": [0.0, 0.0], "post_transform": "SOFTMAX"}
    nodes = [
        node("LinearClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml", **options, **labels),
        node("ZipMap", ["p"], ["probabilities"], domain="ai.onnx.ml", **labels),
    ]
    maps = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(FLOAT, None))
    outputs = [
        value("label", ["batch"], TensorProto.STRING),
        helper.make_value_info("probabilities", helper.make_sequence_type_proto(maps)),
    ]
    status = convert(model_of(nodes, [value("x")], outputs, {}))
    scores = np.exp(X.astype(np.float64) @ W)
    answers = served(status, x=X)
    np.testing.assert_allclose(answers["probabilities"], scores / scores.sum(1, keepdims=True), rtol=1e-5)
    assert answers["label"].tolist() == [("cat", "dog")[index] for index in scores.argmax(1)]
    assert "cat, dog" in status["verification"]["caveats"][0]


def test_a_sequence_is_refused_by_name_and_kind(convert):
    outputs = [helper.make_tensor_sequence_value_info("parts", FLOAT, None)]
    failure = convert(model_of([node("SplitToSequence", ["x"], ["parts"], axis=1)], [value("x")], outputs, {}))[
        "failure"
    ]
    assert failure["reason"] == "ConversionFailed"
    assert "output parts is a sequence of tensors" in failure["message"]


def test_files_of_constants_come_along(convert, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    nodes = [node("Constant", [], ["w"], value=numpy_helper.from_array(W)), node("MatMul", ["x", "w"], ["y"])]
    onnx.save_model(
        model_of(nodes, [value("x")], [value("y", ("batch", 2))], {}),
        folder / "model.onnx",
        save_as_external_data=True,
        location="w.bin",
        size_threshold=0,
        convert_attribute=True,
    )
    assert (folder / "w.bin").stat().st_size >= W.nbytes
    np.testing.assert_allclose(served(convert(folder), x=X)["y"], X @ W, rtol=1e-5, atol=1e-6)


def convolution():
    shape = ("batch", 3, 4, 4)
    outputs = [value("y", ("batch", 2, 4, 4), DOUBLE)]
    kernel = {"k": W.T.astype(np.float64).reshape(2, 3, 1, 1)}
    return model_of([node("Conv", ["x", "k"], ["y"], "stem")], [value("x", shape, DOUBLE)], outputs, kernel)


def test_float64_without_a_kernel_is_refused_by_node_and_type(convert):
    failure = convert(convolution())["failure"]
    assert failure["reason"] == "RuntimeUnsupported"
    assert "Conv (version 11) for float64: node stem" in failure["message"]


def test_float64_is_computed_in_float32_where_asked(convert):
    x = np.random.default_rng(3).standard_normal((5, 3, 4, 4))
    status = convert(convolution(), precision="float32")
    found = served(status, x=x)["y"]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.einsum("co,bchw->bohw", W, x), rtol=1e-4, atol=1e-5)
    # measured against float64, as float32 is: neither exact nor beyond its noise
    assert 1e-9 < float(status["verification"]["outputs"][0]["relativeRms"]) < 1e-6


def test_batch_first_layout_is_served(convert):
    weights = {"w": np.ones((1, 3, 3), np.float32) / 4, "r": np.zeros((1, 3, 3), np.float32)}
    nodes = [node("RNN", ["x", "w", "r"], ["", "h"], "cell", hidden_size=3, layout=1)]
    model = model_of(nodes, [value("x", ("batch", "time", 3))], [value("h", ("batch", 1, 3))], weights)
    status = convert(model)
    last = np.tanh(X[-1].sum() / 4)  # nothing recurs: the last step alone counts
    np.testing.assert_allclose(served(status, x=X[None])["h"], np.full((1, 1, 3), last), rtol=1e-5)
    assert "cell (RNN)" in status["verification"]["caveats"][0]


def test_one_line_makes_the_artifact_that_its_manifest_makes(tmp_path, run):
    (tmp_path / "net.onnx").write_bytes(NETS[1]().model.SerializeToString())
    command = [sys.executable, "-m", "modelport_cli", "convert", "net.onnx", "--option", "opset=21"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
    assert ended.returncode == 0, ended.stderr
    result, _, manifest = ended.stdout.partition("The same on a cluster:\n")
    assert "onnx → onnx: 8 samples agree\n" in result
    assert check_artifact(tmp_path / "net-onnx").format == "onnx"
    (digest,) = [line.split()[1] for line in result.splitlines() if line.startswith("artifact ")]
    status = run(YAML(typ="safe", pure=True).load(manifest), tmp_path / "net.onnx")
    assert status["artifact"]["digest"] == digest
