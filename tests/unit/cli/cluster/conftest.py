"""A namespace `team` where the operator has done its work, and the command line as a user calls it there."""

import asyncio
from types import SimpleNamespace

import pytest
import yaml

from modelport.api.base import API_VERSION, KIND
from modelport_cli.__main__ import call
from unit.operator.operating import Scene

from .api import Api, serving


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def api(scene):
    return Api(scene.kube.objects)


@pytest.fixture
def cli(api, tmp_path, monkeypatch, capsys):
    """Return a function that calls the command line: exit status, and what was printed."""
    with serving(api, tmp_path) as kubeconfig:
        # the client library read the environment when it was imported
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))

        def run(*arguments):
            capsys.readouterr()
            status = call([str(each) for each in arguments])
            told = capsys.readouterr()
            return SimpleNamespace(status=status, out=told.out, err=told.err)

        yield run


@pytest.fixture
def manifest(tmp_path):
    """Return a function that writes the manifest of resource net."""

    def write(spec, name="net"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            yaml.safe_dump({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec})
        )
        return path

    return write


@pytest.fixture
def served(scene):
    """Have a resource that serves."""
    asyncio.run(scene.serve())
    return scene


@pytest.fixture
def failed(scene):
    """Have a resource whose Import failed for good."""
    scene.kube.apply_resource({"source": {"uri": "s3://models/net.onnx"}})
    asyncio.run(scene.reconcile())
    told = '{"step":"fetch","failure":{"reason":"DigestMismatch","message":"expected this, found that"}}'
    scene.kube.run_job("net-import", failing=told)
    asyncio.run(scene.reconcile())
    return scene
