"""Models of TVM, compiled by the converter's environment: the runtime's own has no compiler."""

import json
import os
import subprocess
from pathlib import Path

from numpy import sort
from onnx import TensorProto, helper

from modelport.api.status import Signature, Tensor
from modelport_cli.local.environments import find_recipe, prepare
from modelport_server.backends.tvm import TYPES
from server.backends.cases import Case, identity_case, identity_of, values
from server.models import MLP, features, identity_bytes, mlp_bytes, scores

ROOT = Path(__file__).resolve().parents[4]
FILES = ["model.so", "model.json", "model.params"]


def cases(folder: Path) -> list[Case]:
    """Return a perceptron, identities of all types, and one with an output that is no view of its input."""
    questions = ({"features": features(3, 1)}, {"features": features(3, 2)})
    kinds = identity_of(sorted(TYPES))
    models = {"mlp": mlp_bytes(), "identity": identity_bytes(kinds), "sorted": _sorted_bytes()}
    for name, content in models.items():
        (folder / name).mkdir()
        (folder / name / "net.onnx").write_bytes(content)
    _compile([folder / name / "net.onnx" for name in models])
    row = [Tensor(name="x", dtype="float32", shape=["n", 3])], [Tensor(name="y", dtype="float32", shape=["n", 2])]
    asked = ({"x": values("float32", 1)}, {"x": values("float32", 2)})
    return [
        Case("mlp", folder / "mlp", FILES, MLP, questions, lambda given: {"scores": scores(given["features"])}, 1e-5),
        identity_case("identity", folder / "identity", FILES, kinds),
        Case(
            "sorted",
            folder / "sorted",
            FILES,
            Signature(inputs=row[0], outputs=row[1]),
            asked,
            lambda given: {"y": -sort(-given["x"])[:, :2]},
        ),
    ]


def _sorted_bytes() -> bytes:
    """Return the two largest of three: sorting is in a library beside the runtime."""
    nodes = [
        helper.make_node("Constant", [], ["k"], value_ints=[2]),
        helper.make_node("TopK", ["x", "k"], ["y", "places"], axis=1),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])]
    graph = helper.make_graph(nodes, "sorted", inputs, outputs)
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return content


def _compile(paths: list[Path]) -> None:
    python = prepare(find_recipe("converter-tvm"))
    code = os.pathsep.join(str(ROOT / each) for each in ("operator", "images/converter"))
    script = ROOT / "tests" / "converters" / "tvm" / "tvm_files.py"
    command = [python, script, json.dumps([str(path) for path in paths])]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": code}, capture_output=True)
