"""Programs of these tests: HELM and PROMTOOL name them, or Helm is the one of `make deploy`, and promtool Debian's."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, IMAGES, NAMESPACE, Body
from devcluster import binaries
from devcluster.machine.packages import file_of_package
from devcluster.paths import find_paths


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs Helm, with values of a dict."""
    program = os.environ.get("HELM")
    if not program:
        paths = find_paths()
        paths.make()
        binaries.build(paths, binaries.HELM)
        program = str(paths.binaries / "helm")

    def run(*arguments: str, values: Body | None = None) -> subprocess.CompletedProcess[str]:
        command = [program, f"--namespace={NAMESPACE}", *arguments, "--values=-"]  # the last one counts
        return subprocess.run(command, input=json.dumps(values or {}), capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def promtool() -> Callable[..., str]:
    """Return what runs promtool on a file and returns what it prints."""
    program = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if not program:
        program = str(file_of_package("prometheus", "usr/bin/promtool", find_paths().cache / "binaries"))

    def run(*arguments: str) -> str:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def render(helm: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., list[Body]]:
    """Return what renders the chart with values beside the images; no cluster is asked."""

    def run(*options: str, chart: Path = CHART, **values: Any) -> list[Body]:
        values = {"images": IMAGES, **values}
        done = helm("template", "modelport", str(chart), "--kube-version=1.34.0", *options, values=values)
        assert done.returncode == 0, done.stderr
        return [body for body in yaml.load_all(done.stdout, yaml.CSafeLoader) if body]

    return run


@pytest.fixture(scope="session")
def cluster_options() -> list[str]:
    """Return options of kubectl for the cluster that CLUSTER names."""
    kind = os.environ.get("CLUSTER", "embedded")
    if kind == "embedded":
        return [f"--kubeconfig={find_paths().admin_kubeconfig}"]
    return ["--context=kind-modelport"] if kind == "kind" else []


@pytest.fixture(scope="session")
def kubectl(cluster_options: list[str]) -> Callable[..., str]:
    """Return what runs kubectl and returns what it prints."""
    embedded = os.environ.get("CLUSTER", "embedded") == "embedded"
    program = str(find_paths().binaries / "kubectl") if embedded else (shutil.which("kubectl") or "kubectl")

    def run(*arguments: str, body: Body | None = None) -> str:
        text = json.dumps(body) if body else None
        command = [program, *cluster_options, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    return run


@pytest.fixture
def namespace(kubectl: Callable[..., str]) -> Iterator[str]:
    """Return a namespace of the test's own that enforces Pod Security restricted."""
    name = f"chart-{os.urandom(3).hex()}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl(
        "create",
        "-f",
        "-",
        body={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
    )
    yield name
    kubectl("delete", "namespace", name, "--wait=false")
