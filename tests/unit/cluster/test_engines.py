"""The engines' manifests: brought together whole, and fit for what the operator makes."""

import runpy
from pathlib import Path

import pytest
import yaml

from devcluster.deployment import deploy
from devcluster.engines import assembly, programs
from devcluster.errors import InvalidInputError
from devcluster.kubernetes.certificates import make_certificates
from devcluster.paths import find_paths
from modelport_operator import names
from modelport_operator.plan.progress import Stage
from modelport_operator.plan.serving import network

PROMETHEUS = f"localhost/modelport/prometheus@sha256:{'0' * 64}"


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Return a cluster's folders with its certificates, and stand-ins for the folders of Go modules."""
    modules = tmp_path / "modules"
    for engine, (_, manifests) in assembly._MODULES.items():
        (modules / engine / manifests / "base").mkdir(parents=True)
        (modules / engine / manifests / "base" / "deployment.yaml").write_text(f"name: {engine}\n")
        (modules / engine / manifests / "README.md").touch()
    folders = {module: modules / engine for engine, (module, _) in assembly._MODULES.items()}
    monkeypatch.setattr(programs, "source_folder", folders.__getitem__)
    paths = find_paths({"MODELPORT_CLUSTER_DIR": str(tmp_path / "state")}, home=tmp_path)
    for folder in (paths.pki, paths.kubeconfigs):
        folder.mkdir(parents=True)
    make_certificates(paths)
    return paths


def assembled(paths):
    folder = paths.state / "engines"
    assembly.assemble(folder, paths, tag="abc", prometheus=PROMETHEUS)
    return folder, {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}


def test_everything_lies_in_one_folder_for_root_alone(paths):
    folder, files = assembled(paths)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {"modules/keda/config/base/deployment.yaml", "modules/metrics-server/manifests/base/deployment.yaml"} <= set(
        files
    )
    assert not [name for name in files if name.endswith((".md", ".mod", "Dockerfile"))]
    for engine in ("keda", "metrics-server"):
        assert "PRIVATE KEY" in files[f"{engine}/tls.key"].read_text()
        assert "CERTIFICATE" in files[f"{engine}/tls.crt"].read_text()
    for name in ("keda", "metrics-server", "prometheus"):
        images = yaml.safe_load(files[f"{name}/kustomization.yaml"].read_text())["images"]
        assert all(image["newName"].startswith("localhost/") for image in images)
        assert {image.get("newTag", image.get("digest")) for image in images} <= {"abc", f"sha256:{'0' * 64}"}


def test_what_is_there_is_replaced_and_certificates_stay(paths):
    folder, files = assembled(paths)
    certificate = files["keda/tls.crt"].read_text()
    (folder / "stale.yaml").touch()
    _, again = assembled(paths)
    assert "stale.yaml" not in again
    assert again["keda/tls.crt"].read_text() == certificate
    assert not Path(f"{folder}.new").exists()


def pod(labels, *ports, phase="Running"):
    containers = [{"name": "main", "ports": [{"name": name, "containerPort": port} for name, port in ports]}]
    metadata = {"name": "any", "namespace": "ml", "labels": labels}
    return {"metadata": metadata, "spec": {"containers": containers}, "status": {"phase": phase, "podIP": "10.0.0.7"}}


def test_prometheus_finds_servers_and_operator_by_the_labels_and_ports_that_they_have():
    discovery = runpy.run_path(str(programs.ENGINES / "prometheus" / "discovery.py"))
    label, _, value = discovery["LABEL"].partition("=")
    serve, job = (names.labels("any", stage) for stage in (Stage.SERVE, Stage.CONVERT))
    assert serve[label] == value
    assert discovery["STAGE"] == names.STAGE_LABEL
    ports = tuple(network.PORTS.items())
    found = discovery["targets"](
        [
            pod(serve, *ports),
            pod({label: value}, ("metrics", 9090), ("liveness", 8080)),
            pod(serve, *ports, phase="Pending"),
            pod(job, *ports),
        ]
    )
    labels = {"namespace": "ml", "pod": "any"}
    assert list(found) == [
        {"targets": [f"10.0.0.7:{network.PORTS['http']}"], "labels": labels},
        {"targets": ["10.0.0.7:9090"], "labels": labels},
    ]


def test_engines_are_for_the_embedded_cluster_alone(paths):
    with pytest.raises(InvalidInputError, match="expected --cluster embedded with --engines, found kind"):
        deploy(paths, "kind", namespace="any", engines=True)
