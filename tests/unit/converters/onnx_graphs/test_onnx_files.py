"""ONNX files as they leave a hop."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from modelport_converter.frameworks.onnx.answering import make_run
from modelport_converter.onnx_graphs import files as onnx_files
from modelport_converter.onnx_graphs.graphs import has_external_data


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
    assert has_external_data(kept)
    answer = make_run(kept, tmp_path / "model.onnx")({"x": np.ones((1, 3), np.float32)})
    assert np.all(answer["y"] == 3)


def test_weights_in_constants_lie_beside_a_large_graph_too(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "MAX_FILE_BYTES", 1)
    weight = numpy_helper.from_array(np.ones((3, 2000), np.float32))
    model = linear(output="y", shape=("batch", 2000))
    del model.graph.initializer[:]
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=weight))
    onnx_files.write_model(model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx.data").stat().st_size >= 3 * 2000 * 4
    answer = make_run(onnx.load(str(tmp_path / "model.onnx"), load_external_data=False), tmp_path / "model.onnx")
    assert np.all(answer({"x": np.ones((1, 3), np.float32)})["y"] == 3)


def test_an_exported_file_is_computed_in_float32_where_asked(tmp_path):
    path = tmp_path / "model.onnx"
    model = linear(output="y")
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.elem_type = TensorProto.DOUBLE
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((3, 2), 1 / 3), "w"))
    path.write_bytes(model.SerializeToString())
    onnx_files.finish_model(path, simplify=False, precision="float32")
    found = onnx.load(str(path))
    assert found.graph.initializer[0].data_type == TensorProto.FLOAT
    answer = make_run(found, path)({"x": np.ones((1, 3))})["y"]
    assert answer.dtype == np.float64
    np.testing.assert_allclose(answer, 1, rtol=1e-6)
