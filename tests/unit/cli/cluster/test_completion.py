"""What shells complete: scripts that the shell itself can read, and names from the cluster of the moment."""

import shutil
import subprocess

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_it_can_read(cli, shell):
    script = cli("completion", shell)
    assert (script.status, script.err) == (0, "")
    for word in ("describe", "retry", "--namespace"):
        assert word in script.out
    program = shutil.which(shell)
    if program:  # bash is everywhere
        read = subprocess.run([program, "-n"], input=script.out, capture_output=True, text=True, check=False)
        assert (read.returncode, read.stderr) == (0, "")
    else:
        assert shell != "bash"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["get", ""], ["net"]),
        (["logs", "-n", "other", ""], []),
        (["retry", "net", "--namespace", ""], ["team"]),
        (["get", "net", "--context", ""], ["here"]),
        (["convert", "net.h5", "--to", ""], ["onnx", "tvm", "tflite"]),
        (["convert", "net.h5", "--from", ""], ["keras-h5", "torchscript"]),
    ],
    ids=" ".join,
)
def test_names_come_from_where_they_are(cli, served, words, expected):
    ended = cli("__complete", *words)
    _, begin, records = ended.out.partition("\x1fbegin\n")
    assert begin
    found = {line.split("\t")[0] for line in records.splitlines()}
    assert found >= set(expected)
    assert expected or not found


def test_a_cluster_that_does_not_answer_completes_nothing(cli, monkeypatch):
    monkeypatch.setattr("kubernetes.config.list_kube_config_contexts", lambda: 1 / 0)
    ended = cli("__complete", "get", "")
    assert (ended.out.splitlines()[-1], ended.err) == ("\x1fbegin", "")
