"""ONNX Runtime's wheels send what runs where to their maker, from a database in the user's home, unless told not to."""

import subprocess
import sys

CODE = """
import onnx
from pathlib import Path
from modelport.asking.onnxruntime.sessions import open_session

value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
answer = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "g", [value], [answer])
onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9), "net.onnx")
open_session(Path("net.onnx"), level="all")
"""


def test_nothing_is_kept_to_be_sent(tmp_path):
    environment = {"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", CODE], check=True, cwd=tmp_path, env=environment)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
