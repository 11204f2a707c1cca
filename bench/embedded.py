"""The embedded cluster as benchmarks use it: kubectl, watches, and the real PNet in a namespace of tests."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from devcluster.paths import find_paths

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))
NAMESPACE = "e2e-b"
PATHS = find_paths()
KUBECTL = [str(PATHS.binaries / "kubectl"), "--kubeconfig", str(PATHS.admin_kubeconfig)]
ENVIRONMENT = {**os.environ, "KUBECONFIG": str(PATHS.admin_kubeconfig), "KUBECTL": KUBECTL[0]}
Object = dict[str, Any]


def kubectl(*arguments: str, stdin: Object | None = None) -> str:
    """Run kubectl and return what it prints."""
    text = json.dumps(stdin) if stdin else None
    return subprocess.run([*KUBECTL, *arguments], input=text, check=True, stdout=subprocess.PIPE, text=True).stdout


def get(*arguments: str) -> Object:
    """Return an object or a list."""
    found: Object = json.loads(kubectl("get", *arguments, "-o", "json"))
    return found


def watch(holds: Callable[[Object], bool], *arguments: str) -> float:
    """Wait until an object is as wanted, or one of several, by a watch; return the time of it."""
    command = [*KUBECTL, "get", *arguments, "--watch", "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        text = ""
        for line in process.stdout:
            text += line
            if line == "}\n":
                if holds(json.loads(text)):
                    process.terminate()
                    return time.monotonic()
                text = ""
    raise RuntimeError(f"the watch of {' '.join(arguments)} ended early")


def is_ready(resource: Object) -> bool:
    """Whether the resource is Ready; a failure ends the benchmark."""
    conditions = {each["type"]: each for each in resource.get("status", {}).get("conditions", [])}
    if conditions.get("Stalled", {}).get("status") == "True":
        raise RuntimeError(f"{resource['metadata']['name']}: {conditions['Stalled']['message']}")
    return bool(conditions.get("Ready", {}).get("status") == "True")


def resource(name: str, push: dict[str, Object]) -> Object:
    """Return PNet's manifest under another name, with the sources in this namespace's store."""
    manifest: Object = yaml.safe_load((ROOT / "examples" / "pnet.yaml").read_text())
    manifest["metadata"] = {"name": name, "namespace": NAMESPACE}
    source = manifest["spec"]["source"]
    source.update(push["source"])
    source["code"].update(push["code"])
    return manifest


def push(path: Path) -> Object:
    """Upload into the namespace's store; return uri and digest."""
    command = [str(Path(sys.executable).parent / "modelport"), "push", str(path), "--namespace", NAMESPACE]
    found = subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True).stdout
    loaded: Object = yaml.safe_load(found)
    return loaded


def push_pnet() -> dict[str, Object]:
    """Upload weights and code, fetched once."""
    from prepare_pnet import prepare  # type: ignore[import-not-found]  # in examples/, which is no package

    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "modelport" / "examples"
    weights, code = prepare(cache / "pnet")
    return {"source": push(weights), "code": push(code)}


def clear() -> None:
    """Delete all resources of the namespace and wait until their pods are gone, so that nothing is reused."""
    kubectl("delete", "mconv", "--all", "-n", NAMESPACE, "--wait")
    kubectl("wait", "pods", "--all", "-n", NAMESPACE, "--for=delete", "--timeout=90s")
