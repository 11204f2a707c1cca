"""The command line as a user calls it: exit statuses, stdout for results, one line and a hint on stderr."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from modelport_cli.application import COMMANDS as BY_NEED

from .manifests import pnet

pytestmark = pytest.mark.processes
COMMANDS = BY_NEED["offline"] | BY_NEED["cluster"]


def modelport(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "modelport_cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "COLUMNS": "100", **variables},
    )


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "pnet.yaml"
    path.write_bytes(msgspec.json.encode(pnet()))  # JSON is YAML
    return path


def test_version():
    assert modelport("--version").stdout.strip() == __import__("modelport").__version__


def test_kubectl_finds_its_plugin():
    plugin = Path(sys.executable).with_name("kubectl-modelport")
    ended = subprocess.run([plugin, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout == modelport("--version").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_describes_each_parameter(command):
    ended = modelport(command, "--help")
    assert ended.returncode == 0
    assert ended.stderr == ""
    usage, _, text = ended.stdout.partition("\n")
    assert usage.startswith(f"Usage: modelport {command}")
    assert f"modelport {command}" in text, "an example"


def test_the_list_has_a_summary_for_each_command_and_help_has_more():
    listed = modelport("--help").stdout
    assert all(summary in listed for summary in COMMANDS.values())
    assert "port-forward" in modelport("push", "--help").stdout


def test_plan_prints_path_steps_and_keys(manifest):
    ended = modelport("plan", manifest)
    assert ended.returncode == 0
    assert "pytorch-state-dict → onnx" in ended.stdout
    assert "pytorch-state-dict-to-onnx (opset: 17)" in ended.stdout
    assert [line.split()[1] for line in ended.stdout.splitlines() if line.startswith(("Import ", "Convert "))] == [
        *("fetch", "inspect", "keep", "stage", "ask", "hop-1", "try", "judge", "publish")
    ]


def test_plan_and_formats_as_json(manifest):
    plan = msgspec.json.decode(modelport("plan", manifest, "--json").stdout)
    assert plan["path"] == ["pytorch-state-dict", "onnx"]
    assert plan["runtime"]["image"] == "server-onnxruntime"
    catalogue = msgspec.json.decode(modelport("formats", "--json").stdout)
    assert {each["name"] for each in catalogue["formats"]} >= {"onnx", "pytorch-state-dict"}
    assert {option["name"] for each in catalogue["converters"] for option in each["options"]} >= {"opset"}


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["plan"], "requires an argument", "modelport plan --help"),
        (["plan", "none.yaml"], "none.yaml: No such file", "manifest"),
        (["convert"], "convert", "--help"),
        (["get", "--watch"], "--watch: expected the NAME", ""),
        (["diff", "none.yaml"], "none.yaml: No such file", "manifest"),
        (["render"], "requires an argument", "modelport render --help"),
        (["completion", "tcsh"], "tcsh", "modelport completion --help"),
        (["logs", "net", "-p", "-f"], "--previous: expected no --follow", ""),
        (["run", "none.yaml"], "--output", "modelport run --help"),
    ],
)
def test_wrong_arguments_end_with_2_and_one_line(arguments, message, hint):
    ended = modelport(*arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    first, *rest = ended.stderr.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert hint in " ".join(rest)


def test_what_the_schema_cannot_tell_ends_with_2(tmp_path):
    path = tmp_path / "pnet.yaml"
    path.write_bytes(msgspec.json.encode(pnet(**{"spec.target.options": {"opsett": 17}})))
    ended = modelport("plan", path)
    assert ended.returncode == 2
    assert "spec.target.options.opsett: unknown option" in ended.stderr
    assert "did you mean opset?" in ended.stderr


def test_no_cluster_is_said_in_one_line():
    ended = modelport("get")
    assert ended.returncode == 1
    assert "no Kubernetes cluster is configured" in ended.stderr
    assert "KUBECONFIG" in ended.stderr
