"""Names of outputs: paddle2onnx gives some another one than the program has, and the program's own one to a value within."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from converters.paddle.paddle_programs import program, write
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.paddle.exporting import cutting
from modelport_converter.frameworks.paddle.files import read_files


def exported(*_):
    """Return what paddle2onnx makes of `unbind`: parts that keep their axis have the names, and what is answered has others."""
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b"], axis=0),
        *(helper.make_node("Squeeze", [name, "axes"], [f"{name}.0"]) for name in "ab"),
    ]
    taken = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])]
    made = [helper.make_tensor_value_info(f"{name}.0", TensorProto.FLOAT, [3]) for name in "ab"]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [0])
    graph = helper.make_graph(nodes, "net", taken, made, [axes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_outputs_have_the_names_of_the_program(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "export_program", exported)
    outputs = dict.fromkeys("ab", ("float32", (3,)))
    operator = ("unbind", {"X": ["x"]}, {"Out": ["a", "b"]}, {"axis": 0})
    content = program({"x": ("float32", (2, 3))}, outputs, {}, [operator])
    files = read_files(open_tree(write(tmp_path, content, {})), "paddle")
    model = cutting.write_program(files, content, None, "paddle", {})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_outputs()] == ["a", "b"]
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    for found, right in zip(session.run(None, {"x": value}), value, strict=True):
        np.testing.assert_array_equal(found, right)
