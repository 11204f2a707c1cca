"""TorchScript, programs of torch.export and generated modules: what they answer, and what is refused by name."""

import io
from pathlib import Path

import pytest
import yaml

from converters.verdicts import printed_by
from mutations import packages

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[3] / "examples"
pytestmark = [pytest.mark.converters, pytest.mark.timeout(1800)]  # the first one asks all
OTHERWISE = {
    # ONNX Runtime's coordinates of aligned corners are those of the whole length, and ours
    "test_resize_downsample_scales_linear_align_corners (weights)",
    "test_resize_downsample_scales_cubic_align_corners (weights)",
    # PyTorch has no maximum of nothing
    "test_reduce_max_empty_set (weights)",
    "test_reduce_max_empty_set_bool (weights)",
    "test_reduce_min_empty_set (weights)",
}
REFUSED = (
    "AveragePool with",
    "BatchNormalization in training mode",
    "DequantizeLinear with blocks",
    "Dropout in training mode",
    "LpPool with",
    "MaxPool of integers",
    "MaxPool whose indices",
    "QuantizeLinear with blocks",
    "Resize of a region",
    "Resize with antialias",
    "Resize that keeps the ratio",
)
"""What ONNX's own tests ask and has no code."""
NOT_CONSTANT = ("that is no constant", "that are no constants", "expected operator set 7 or newer")
"""What is refused where all inputs of a test are given, and no model has: axes and weights that are asked anew each time."""


@pytest.fixture(scope="module")
def nodes():
    return printed_by(HERE / "onnx_nodes.py")


def test_generated_modules_answer_as_onnx_says_each_operator_does(nodes):
    wrong = {name: told for name, told in nodes["found"].items() if told and "refused" not in told}
    assert wrong.keys() <= OTHERWISE, wrong
    assert len(nodes["found"]) > 1300
    assert nodes["left"] == ["Not"], "of operator set 1; a trap has it"


def test_what_has_no_code_is_refused_by_name(nodes):
    told = [each["refused"] for each in nodes["found"].values() if "refused" in each]
    assert not [each for each in told if not any(words in each for words in (*REFUSED, *NOT_CONSTANT))]
    assert all(any(words in each for each in told) for words in REFUSED)


def test_what_converters_get_wrong_is_right_in_every_form_at_every_length():
    found = printed_by(HERE / "onnx_traps.py")
    assert not {name: told for name, told in found.items() if told}
    assert len(found) > 200


def test_types_signs_names_and_lengths_are_what_onnx_runtime_makes_of_them():
    found = printed_by(HERE / "onnx_exact.py")
    assert not {name: told for name, told in found.items() if told}
    assert len(found) > 40


def test_models_of_pytorch_keep_their_lengths_free_or_are_refused():
    found = printed_by(HERE / "own_models.py")
    assert found.pop("values: torchscript").startswith("doubtful")  # the hop refuses it, or tells of it
    assert "GuardOnDataDependentSymNode" in found.pop("values: program")
    # a trace has the loop of its example, which the gate sees by other lengths
    assert "raised: " in found.pop("looping: torchscript")
    told = found.pop("looping: program")
    assert "spec.target.shapes: expected fixed lengths, because torch.export cannot keep these free (it fixes" in told
    assert "state for example shapes: {x: [1, 7, 4]}" in told
    assert "aten::Bool depends on values" in found.pop("branching: program")
    assert not {name: told for name, told in found.items() if told}


def converted(run, path, target, name="onnx_to_pt2.yaml", **source):
    body = yaml.safe_load((EXAMPLES / name).read_text())
    body["spec"]["source"] |= {"uri": f"s3://models/{path.name}"} | source
    body["spec"]["target"] = {"format": target}
    body["spec"].pop("serving", None)
    return run(body, path)


@pytest.mark.parametrize("target", ["torchscript", "pytorch-export", "pytorch-module"])
def test_a_classifier_of_files_becomes_each_form(run, tmp_path, target):
    path = tmp_path / "types.onnx"
    path.write_bytes(packages.read_member(packages.MAGIKA, "magika/models/standard_v3_3/model.onnx"))
    trust = {"trust": "Trusted"} if target == "pytorch-module" else {}
    status = converted(run, path, target, **trust)
    assert "failure" not in status, status["failure"]
    assert status["artifact"]["format"] == target


def test_a_branch_by_values_is_torchscript_and_no_program(run, tmp_path):
    path = tmp_path / "vad.onnx"
    path.write_bytes(packages.read_member(packages.SILERO, "silero_vad/data/silero_vad.onnx"))
    rate = {"name": "sr", "dtype": "int64", "shape": [], "values": {"range": [16000, 16000]}}
    inputs = [{"name": "input", "shape": ["batch", 576]}, {"name": "state", "shape": [2, "batch", 128]}, rate]
    status = converted(run, path, "torchscript", inputs=inputs)
    assert "failure" not in status, status["failure"]
    failure = converted(run, path, "pytorch-export", inputs=inputs)["failure"]
    assert failure["reason"] == "ConversionFailed"
    assert "no branch or loop that depends on values: If" in failure["message"]


def test_operators_without_code_are_named_with_their_nodes(run, tmp_path):
    onnx = pytest.importorskip("onnx")
    nodes = [
        onnx.helper.make_node("Det", ["x"], ["y"], "determinant"),
        onnx.helper.make_node("Unique", ["y"], ["z"], "distinct"),
    ]
    tensors = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 2, 2])]
    outputs = [onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["m"])]
    graph = onnx.helper.make_graph(nodes, "net", tensors, outputs)
    path, content = tmp_path / "net.onnx", io.BytesIO()
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), content)
    path.write_bytes(content.getvalue())
    failure = converted(run, path, "torchscript")["failure"]
    assert failure["reason"] == "ConversionFailed", failure
    assert "Det: determinant; Unique: distinct" in failure["message"]
