"""The demo itself: the real PNet, converted, served, and asked beside PyTorch."""

import subprocess
import sys
from pathlib import Path

from e2e.kube.cluster import Cluster
from e2e.tenants.conversions import is_ready

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMESPACE = "modelport-demo"


def test_demo_ends_with_the_right_prediction(cluster: Cluster) -> None:
    cluster.delete("ModelConversion", "pnet", NAMESPACE)
    cluster.wait_gone("ModelConversion", "pnet", NAMESPACE)
    cluster.wait_no_children("pnet", NAMESPACE)
    kubectl = cluster.kubectl_command()
    command = [sys.executable, str(EXAMPLES / "demo.py"), "--kubectl", " ".join(kubectl)]
    done = subprocess.run(
        [*command, "--kubeconfig", str(cluster.access.kubeconfig)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The same answers" in done.stdout
    assert is_ready(cluster.get("ModelConversion", "pnet", NAMESPACE))
