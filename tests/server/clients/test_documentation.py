"""What docs/serving.md shows is run as it stands, with a real curl and a real client."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from serving.models.artifacts import write_artifact

from modelport.api.status import Signature, Tensor
from modelport.verification.verdict.golden import Golden
from server.processes import serving

PAGE = Path(__file__).parents[3] / "docs" / "serving.md"
SIGNATURE = Signature(
    inputs=[Tensor(name="x", dtype="float32", shape=["n", 3])],
    outputs=[Tensor(name="y", dtype="float32", shape=["n", 3])],
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server of a model that gives back what it gets, under the name and with the tensors of the page."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "page", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    ones = np.ones((1, 3), np.float32)
    folder = tmp_path_factory.mktemp("page") / "artifact"
    write_artifact(folder, model.SerializeToString(), SIGNATURE, [Golden(({"x": ones},), ({"y": ones},), {"y": 1e-4})])
    with serving(folder, "--model-name", "model") as running:
        yield running


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def run(command, script, server):
    ported = script.replace(":8080", f":{server.port}").replace(":8081", f":{server.grpc_port}")
    return subprocess.run([*command, ported], check=True, stdout=subprocess.PIPE, timeout=60).stdout


def test_curl_with_json_and_with_raw_tensors(server):
    with_json, raw = blocks("sh")
    assert b'"data":[1.0,2.0,3.0]' in run(("sh", "-c"), with_json, server)
    assert run(("sh", "-c"), raw, server).endswith(np.array([1, 2, 3], np.float32).tobytes())


def test_the_client_library(server):
    (script,) = blocks("python")
    assert run((sys.executable, "-c"), script, server).split() == [b"[[1.", b"2.", b"3.]]"]
