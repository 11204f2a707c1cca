"""The way to a store inside the cluster, with a program in kubectl's place that does what kubectl does on stdout."""

import os
import stat

import pytest

from modelport_cli.access.cluster import Cluster
from modelport_cli.access.forwarding import inside_target, reachable
from modelport_cli.errors import CommandError

CLUSTER = Cluster(connection=None, namespace="vision", context="home")
ENDPOINT = "http://modelport-store.modelport-system.svc.cluster.local:8333"


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    def install(body):
        program = tmp_path / "kubectl"
        program.write_text(f'#!/bin/sh\necho $$ "$@" > {tmp_path}/call\n{body}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("KUBECTL", str(program))
        return tmp_path / "call"

    return install


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [
        (ENDPOINT, ("modelport-store", "modelport-system", 8333)),
        ("http://s3.ml.svc", ("s3", "ml", 80)),
        ("https://s3.ml.svc:443", ("s3", "ml", 443)),
        ("https://s3.eu-central-1.amazonaws.com", None),
        ("http://127.0.0.1:9000", None),
    ],
)
def test_targets(endpoint, target):
    assert inside_target(endpoint) == target


def test_an_outer_endpoint_is_left_alone(kubectl):
    call = kubectl("exit 1")
    with reachable("https://s3.example", CLUSTER) as endpoint:
        assert endpoint == "https://s3.example"
    assert not call.exists()


def test_the_child_lives_as_long_as_the_context(kubectl):
    call = kubectl('echo "Forwarding from 127.0.0.1:40123 -> 8333"; exec sleep 600')
    with reachable(ENDPOINT, CLUSTER) as endpoint:
        assert endpoint == "http://127.0.0.1:40123"
        pid, *arguments = call.read_text().split()
        os.kill(int(pid), 0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert arguments == [
        "--context",
        "home",
        "port-forward",
        "--namespace",
        "modelport-system",
        "--address",
        "127.0.0.1",
        "service/modelport-store",
        ":8333",
    ]


def test_a_refusal_is_told(kubectl):
    kubectl("echo 'error: services \"modelport-store\" not found' >&2; exit 1")
    with pytest.raises(CommandError, match=r"modelport-store.*not found"), reachable(ENDPOINT, CLUSTER):
        pass


def test_a_missing_kubectl_is_told(monkeypatch):
    monkeypatch.delenv("KUBECTL", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CommandError, match="kubectl is not there"), reachable(ENDPOINT, CLUSTER):
        pass
