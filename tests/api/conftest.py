"""How these tests reach the cluster that CLUSTER names."""

import os
import shutil

import pytest

from devcluster.paths import find_paths


@pytest.fixture(scope="session")
def kubectl() -> list[str]:
    """Return the command of kubectl for it."""
    kind = os.environ.get("CLUSTER", "embedded")
    if kind == "embedded":
        paths = find_paths()
        return [str(paths.binaries / "kubectl"), f"--kubeconfig={paths.admin_kubeconfig}"]
    return [shutil.which("kubectl") or "kubectl", *(["--context=kind-modelport"] if kind == "kind" else [])]
