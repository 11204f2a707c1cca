"""What the chart installed: the operator and its settings, the store; how tests change them and put them back."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from e2e.kube.cluster import Body, Cluster
from e2e.kube.diagnostics import OPERATOR, SYSTEM

STORE = "app.kubernetes.io/name=modelport,app.kubernetes.io/component=store"
LEASE = "modelport-operator"
RECONCILED = '"message": "reconciled"'
"""In the line that the operator logs, at level DEBUG, for each reconciliation."""


def clear(cluster: Cluster, namespace: str) -> None:
    """Delete all resources of a namespace, and wait until nothing of them is left."""
    names = [body["metadata"]["name"] for body in cluster.find("ModelConversion", namespace)]
    for name in names:
        cluster.delete("ModelConversion", name, namespace)
    for name in names:
        cluster.wait_no_children(name, namespace)


def kill_operator(cluster: Cluster) -> None:
    """Kill the operator without a farewell; its Deployment makes another one."""
    for pod in cluster.find("Pod", SYSTEM, selector=OPERATOR):
        cluster.delete("Pod", pod["metadata"]["name"], SYSTEM, grace=0)


def kill_leader(cluster: Cluster) -> str:
    """Kill the operator that works without a farewell, and return the name of its pod."""
    pod = wait_leader(cluster)
    cluster.delete("Pod", pod, SYSTEM, grace=0)
    return pod


def operator_pods(cluster: Cluster) -> dict[str, str]:
    """Return uid and name of the operator's pods that stay: those that end may still be there for some seconds."""
    pods = [pod["metadata"] for pod in cluster.find("Pod", SYSTEM, selector=OPERATOR)]
    return {each["uid"]: each["name"] for each in pods if "deletionTimestamp" not in each}


def wait_leader(cluster: Cluster) -> str:
    """Return the name of the operator's pod that works, as soon as it is one that stays."""

    def stays(lease: Body | None) -> bool:
        return _holder(lease) in operator_pods(cluster).values()

    return _holder(cluster.wait_for("Lease", LEASE, SYSTEM, stays, what="that an operator works which stays"))


def _holder(lease: Body | None) -> str:
    """Return the name of the pod that holds the Lease, or nothing."""
    return str((lease or {}).get("spec", {}).get("holderIdentity") or "").partition("_")[0]


@contextmanager
def operators(cluster: Cluster, count: int) -> Iterator[None]:
    """Let so many operators run while the block does."""
    deployment = operator_deployment(cluster)
    body = cluster.get("Deployment", deployment, SYSTEM)
    assert body
    try:
        _scale(cluster, deployment, count)
        yield
    finally:
        _scale(cluster, deployment, body["spec"]["replicas"])


def _scale(cluster: Cluster, deployment: str, count: int) -> None:
    cluster.kubectl("scale", "-n", SYSTEM, f"deployment/{deployment}", f"--replicas={count}")
    wait_rollout(cluster, deployment)


def operator_deployment(cluster: Cluster) -> str:
    """Return the name of the operator's Deployment."""
    name: str = cluster.find("Deployment", SYSTEM, selector=OPERATOR)[0]["metadata"]["name"]
    return name


@contextmanager
def operator_down(cluster: Cluster) -> Iterator[None]:
    """Stop the operator while the block runs."""
    deployment = operator_deployment(cluster)
    found = cluster.get("Deployment", deployment, SYSTEM)
    assert found
    pods = [pod["metadata"]["name"] for pod in cluster.find("Pod", SYSTEM, selector=OPERATOR)]
    try:
        cluster.patch("Deployment", deployment, SYSTEM, {"spec": {"replicas": 0}})
        for pod in pods:
            cluster.wait_gone("Pod", pod, SYSTEM)
        yield
    finally:
        cluster.patch("Deployment", deployment, SYSTEM, {"spec": {"replicas": found["spec"]["replicas"]}})
        wait_rollout(cluster, deployment)


@contextmanager
def resync(cluster: Cluster, seconds: str) -> Iterator[None]:
    """Let the operator look again every few seconds, and say so, while the block runs."""
    deployment = operator_deployment(cluster)
    settings = (f"MODELPORT_RESYNC_SECONDS={seconds}", "MODELPORT_LOG_LEVEL=DEBUG")
    try:
        cluster.kubectl("set", "env", "-n", SYSTEM, f"deployment/{deployment}", *settings)
        wait_rollout(cluster, deployment)
        yield
    finally:
        cluster.kubectl("rollout", "undo", "-n", SYSTEM, f"deployment/{deployment}")
        wait_rollout(cluster, deployment)


@contextmanager
def reverifications(cluster: Cluster, at_once: int) -> Iterator[None]:
    """Let so many artifacts at once be verified by a newer server image, while the block runs."""
    deployment = operator_deployment(cluster)
    try:
        _set_reverifications(cluster, deployment, at_once)
        yield
    finally:
        _set_reverifications(cluster, deployment, 0)


def _set_reverifications(cluster: Cluster, deployment: str, at_once: int) -> None:
    setting = f"MODELPORT_REVERIFICATIONS={at_once}"
    cluster.kubectl("set", "env", "-n", SYSTEM, f"deployment/{deployment}", setting)
    wait_rollout(cluster, deployment)


def wait_rollout(cluster: Cluster, deployment: str) -> None:
    """Wait until the newest template of the operator runs, and works: the one before may do so while it ends."""
    cluster.kubectl("rollout", "status", "-n", SYSTEM, f"deployment/{deployment}", "--timeout=90s", seconds=100)
    wait_leader(cluster)


def wait_reconciles(cluster: Cluster, name: str, times: int) -> None:
    """Follow the operator's log until it has looked at a resource so many times more."""
    target = f"pod/{wait_leader(cluster)}"
    command = cluster.kubectl_command("logs", "-f", "--tail=0", "-n", SYSTEM, target)
    seen = 0
    with subprocess.Popen(command, env=cluster.access.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            seen += RECONCILED in line and name in line
            if seen >= times:
                break
        process.terminate()
    assert seen >= times, f"the operator's log ended after {seen} of {times} reconciliations of {name}"


@contextmanager
def images(cluster: Cluster, changed: dict[str, str]) -> Iterator[None]:
    """Give the operator other images while the block runs."""
    config = images_config(cluster)
    name, right = config["metadata"]["name"], config["data"]["images.json"]
    try:
        _set_images(cluster, name, json.dumps(json.loads(right) | changed))
        yield
    finally:
        _set_images(cluster, name, right)


def images_config(cluster: Cluster) -> Body:
    """Return the ConfigMap with the operator's images."""
    maps = cluster.find("ConfigMap", SYSTEM, selector="app.kubernetes.io/name=modelport")
    return next(item for item in maps if "images.json" in item.get("data", {}))


def _set_images(cluster: Cluster, config: str, catalogue: str) -> None:
    cluster.patch("ConfigMap", config, SYSTEM, {"data": {"images.json": catalogue}})
    deployment = operator_deployment(cluster)
    cluster.kubectl("rollout", "restart", "-n", SYSTEM, f"deployment/{deployment}")
    wait_rollout(cluster, deployment)


@contextmanager
def store_down(cluster: Cluster) -> Iterator[None]:
    """Stop the chart's store while the block runs."""
    kind, name = next(
        (kind, item["metadata"]["name"])
        for kind in ("StatefulSet", "Deployment")
        for item in cluster.find(kind, SYSTEM, selector=STORE)
    )
    cluster.patch(kind, name, SYSTEM, {"spec": {"replicas": 0}})
    for pod in cluster.find("Pod", SYSTEM, selector=STORE):
        cluster.wait_gone("Pod", pod["metadata"]["name"], SYSTEM)
    try:
        yield
    finally:
        cluster.patch(kind, name, SYSTEM, {"spec": {"replicas": 1}})
        cluster.wait_for(kind, name, SYSTEM, lambda body: _ready_replicas(body) == 1, what="that it is back")


def _ready_replicas(body: Body | None) -> int:
    replicas: int = (body or {}).get("status", {}).get("readyReplicas") or 0
    return replicas


def helm(cluster: Cluster, *arguments: str, text: str | None = None) -> str:
    """Run Helm for the release's namespace and return what it prints."""
    context = ["--kube-context", cluster.access.context] if cluster.access.context else []
    command = [cluster.access.helm, *context, "--namespace", SYSTEM, *arguments]
    done = subprocess.run(
        command,
        env=cluster.access.environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
    return done.stdout


def installed(cluster: Cluster) -> str:
    """Return the name of the chart's release."""
    releases = [each for each in json.loads(helm(cluster, "list", "--output=json")) if "modelport-" in each["chart"]]
    assert len(releases) == 1, f"expected one release of the chart in {SYSTEM}, found {releases}"
    name: str = releases[0]["name"]
    return name
