"""ONNX files as they leave a hop, and the logits of a graph."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport.contract import ModelportError
from modelport_converter.converters import onnx_files
from modelport_converter.converters.job import the_one_file
from modelport_converter.converters.onnx_asking import make_run, read_inputs


def linear(*nodes, output="scores", shape=("batch", 2)) -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"]), *nodes],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, list(shape))],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=13)


def test_the_file_version_is_lowered_and_the_rest_kept(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear(output="y").SerializeToString())
    onnx_files.finish_model(path, simplify=False)
    model = onnx.load(str(path))
    assert model.ir_version == onnx_files.MAX_IR_VERSION
    assert onnx_files.read_opset(path) == 17


def test_large_weights_lie_beside_the_graph(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "MAX_FILE_BYTES", 1)
    # onnx itself leaves tensors of less than a kilobyte inside
    model = linear(output="y")
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((3, 2000), np.float32), "w"))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2000
    onnx_files.write_model(model, tmp_path / "model.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "model.onnx.data"}
    kept = onnx.load(str(tmp_path / "model.onnx"), load_external_data=False)
    assert onnx_files.has_external_data(kept)
    answer = make_run(kept, tmp_path)({"x": np.ones((1, 3), np.float32)})
    assert np.all(answer.outputs["y"] == 3)


def test_an_unnamed_first_axis_is_the_batch():
    (found,) = read_inputs(linear(output="y"), [])
    assert (found.name, found.dtype, found.shape) == ("x", "float32", ["batch", 3])


@pytest.mark.parametrize(
    ("nodes", "shape", "expected"),
    [
        ([("Softmax", {"axis": -1})], ("batch", 2), (1, 2)),
        ([("Sigmoid", {}), ("Transpose", {"perm": [1, 0]})], (2, "batch"), (2, 1)),
        ([("Sigmoid", {}), ("Identity", {}), ("Flatten", {"axis": 0})], (1, "n"), (1, 2)),
        ([("Relu", {})], ("batch", 2), None),
        ([("Sigmoid", {}), ("Neg", {})], ("batch", 2), None),
    ],
)
def test_logits_have_the_shape_of_their_output(nodes, shape, expected):
    names = ["y", *(f"t{number}" for number in range(len(nodes) - 1)), "scores"]
    chain = [
        helper.make_node(op, [names[number]], [names[number + 1]], **attributes)
        for number, (op, attributes) in enumerate(nodes)
    ]
    answer = make_run(linear(*chain, shape=shape), Path())({"x": np.array([[1, 2, 3]], np.float32)})
    if expected is None:
        assert answer.logits == {}
    else:
        assert answer.logits["scores"].shape == answer.outputs["scores"].shape == expected
        assert sorted(answer.logits["scores"].ravel()) == [16, 22]


def test_the_one_file_is_found_or_the_choice_is_told(tmp_path):
    for name in ("a.onnx", "manifest.json", "notes.txt"):
        (tmp_path / name).write_text("")
    assert the_one_file(tmp_path, (".onnx",)).name == "a.onnx"
    (tmp_path / "b.onnx").write_text("")
    with pytest.raises(ModelportError, match=r"a\.onnx, b\.onnx"):
        the_one_file(tmp_path, (".onnx",))
