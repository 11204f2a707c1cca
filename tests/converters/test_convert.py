"""`modelport convert`, whole: it does what the manifest that it prints does."""

import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from converters.conftest import RUN_SECONDS
from converters.nets import NETS
from modelport_cli.artifacts import check_artifact

pytestmark = pytest.mark.converters


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
