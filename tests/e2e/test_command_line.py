"""What the command line prints for a cluster is applied as it is."""

import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from e2e.kube.cluster import Access
from e2e.sources.models import onnx_mlp
from e2e.tenants.tenant import ONE, Tenant

MODEL = onnx_mlp(61)


def test_the_manifest_of_one_line_is_applied(a: Tenant, access: Access, run_id: str, tmp_path: Path) -> None:
    path = tmp_path / f"line-{run_id}.onnx"
    path.write_bytes(MODEL.content)
    command = [sys.executable, "-m", "modelport_cli", "convert", str(path), "--manifest", "--namespace", a.namespace]
    environment = {**access.environment, "KUBECTL": access.kubectl}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr
    manifest = YAML(typ="safe", pure=True).load(ended.stdout)
    assert manifest["spec"]["source"]["digest"] == a.store.upload("model.onnx", MODEL.content).digest
    name = manifest["metadata"]["name"]
    a.apply(name, manifest["spec"]["source"], target=manifest["spec"]["target"], serving=ONE)
    a.ready(name)
    a.check(name, MODEL)
