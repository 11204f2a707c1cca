"""What scaling costs: `make bench-scaling [OPTIONS="--minutes 1"]`. Prints rows of docs/performance.md, writes JSON.

On the embedded cluster with its engines, by a small ONNX model whose image is on the node: requests lost while people scale a
model between 1 and 3 under load; how long after a step of load the next replica is created, which is the autoscalers' share,
and then Ready, which is ours; how long after a queue's first entry a model without pods has answered. Seconds are what watches
and clients see.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kubernetes.client.exceptions import ApiException
from serving.places import RESULTS, machine, today

from devcluster.errors import ClusterError, ClusterNotRunningError
from devcluster.paths import find_paths
from e2e.autoscaling.keda import Queue
from e2e.autoscaling.replicas import wait_replicas
from e2e.kube import release
from e2e.kube.cluster import Access, Cluster
from e2e.pods.client import POD, Client, client_pod
from e2e.pods.loops import PACKAGES, install_packages
from e2e.sources.models import factories_archive, onnx_mlp
from e2e.tenants.conversions import is_running, jobs_selector
from e2e.tenants.stores import NamespaceStore, StorePort, secret_values
from e2e.tenants.tenant import Tenant, cleaned

NAMESPACE = "e2e-b"
HELD_SECONDS = 10
"""How long each number of replicas stays, so that requests reach all of them."""
MODEL = onnx_mlp(60)
LIGHT, HEAVY = 2, 8
"""Loops over each protocol, REST and gRPC."""
POLLING_SECONDS = 5
LONGEST_SECONDS = 300
"""How long a pod, or its end, is waited for."""
RANGE = {"minReplicas": 1, "maxReplicas": 3, "stabilizationSeconds": 0, "pollingSeconds": POLLING_SECONDS}
STEPS = {
    "cpu": {"resources": {"requests": {"cpu": "50m"}}, "autoscaling": RANGE | {"cpuUtilization": 80}},
    "requestsInFlight": {
        "batching": {"maxSize": 64, "maxDelayMilliseconds": 100},
        "autoscaling": RANGE | {"requestsInFlight": 3},
    },
}
Result = dict[str, Any]


class Start(NamedTuple):
    """When a pod was created and Ready, in seconds of the monotonic clock."""

    created: float
    ready: float


def main() -> int:
    """Measure everything; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long replicas go up and down under load (10)")
    parser.add_argument("--repeats", type=int, default=3, help="steps of load of each kind, and wakes (3)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the result (bench/results/scaling-DATE.json)")
    options = parser.parse_args()
    try:
        with _tenant() as tenant:
            result = {
                "machine": machine(),
                "date": today(),
                "minutes": options.minutes,
                "repeats": options.repeats,
                "scaled": measure_losses(tenant, options.minutes * 60),
                "steps": {name: measure_steps(tenant, name, options.repeats) for name in STEPS},
                "wakes": measure_wakes(tenant, options.repeats),
            }
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _print(result)
    file = options.output or RESULTS / f"scaling-{today()}.json"
    file.write_text(json.dumps(result, indent=2) + "\n")
    print(f"\nwritten: {file}")
    return 0


def measure_losses(tenant: Tenant, seconds: float) -> Result:
    """Scale between 1 and 3 under load for some seconds; count requests, those that failed, and how often was scaled."""
    name = "scaled"
    tenant.apply(name, tenant.source(MODEL), serving={"replicas": 1})
    tenant.ready(name)
    times = 0
    deadline = time.monotonic() + seconds
    with tenant.client.asking({name: MODEL}, together=LIGHT) as seen:
        while time.monotonic() < deadline:
            for replicas in (3, 1):
                tenant.cluster.kubectl("scale", "mconv", name, "-n", NAMESPACE, f"--replicas={replicas}")
                wait_replicas(tenant, name, replicas)
                time.sleep(HELD_SECONDS)
                times += 1
    tenant.delete(name)
    failures = [failure for loop in seen[name] for failure in loop.failures]
    found = {"requests": sum(loop.requests for loop in seen[name]), "lost": len(failures), "times": times}
    print(f"scaled {times} times: {found['lost']} of {found['requests']} requests lost", flush=True)
    return found | {"failures": failures[:10]}


def measure_steps(tenant: Tenant, name: str, repeats: int) -> Result:
    """Return what passes from a step of load to the creation of the next replica, and from there to Ready."""
    resource = name.lower()
    tenant.apply(resource, tenant.source(MODEL), serving=STEPS[name])
    tenant.ready(resource)
    found: dict[str, list[float]] = {"untilCreated": [], "untilReady": []}
    for _ in range(repeats):
        wait_replicas(tenant, resource, 1, seconds=LONGEST_SECONDS)
        started = time.monotonic()
        with _next_pod(tenant, resource) as pods, tenant.client.asking({resource: MODEL}, together=HEAVY):
            start = pods.result()
        found["untilCreated"].append(start.created - started)
        found["untilReady"].append(start.ready - start.created)
        print(f"{name}: {found['untilCreated'][-1]:.1f} s + {found['untilReady'][-1]:.1f} s", flush=True)
    tenant.delete(resource)
    return found


def measure_wakes(tenant: Tenant, repeats: int) -> Result:
    """Return what passes from a queue's first entry to a pod's creation, to Ready, and to the first answer."""
    name = "woken"
    queue = Queue(tenant.cluster, NAMESPACE, tenant.images["server-onnxruntime"])
    scaling = {"minReplicas": 0, "maxReplicas": 1, "triggers": [queue.trigger], "pollingSeconds": POLLING_SECONDS}
    found: dict[str, list[float]] = {"untilCreated": [], "untilReady": [], "untilAnswer": []}
    try:
        tenant.apply(name, tenant.source(MODEL), serving={"autoscaling": scaling | {"cooldownSeconds": 5}})
        tenant.ready(name)
        for _ in range(repeats):
            wait_replicas(tenant, name, 0, seconds=LONGEST_SECONDS)
            with _next_pod(tenant, name) as pods:
                started = time.monotonic()
                queue.put(1)
                tenant.client.wait_answer(name, MODEL, seconds=120)
                answered = time.monotonic()
            start = pods.result()
            queue.put(0)
            found["untilCreated"].append(start.created - started)
            found["untilReady"].append(start.ready - start.created)
            found["untilAnswer"].append(answered - started)
            print(f"woken in {found['untilAnswer'][-1]:.1f} s", flush=True)
        tenant.delete(name)
    finally:
        queue.stop()
    return found | {"pollingSeconds": POLLING_SECONDS}


class _Pods(threading.Thread):
    """Watches for the next pod that serves a resource."""

    def __init__(self, tenant: Tenant, name: str) -> None:
        super().__init__(daemon=True)
        self._tenant = tenant
        self._selector = f"{jobs_selector(name)},modelport.dev/stage=serve"
        self._known = {pod["metadata"]["uid"] for pod in self._find()}
        self._start: Start | None = None

    def run(self) -> None:
        created: dict[str, float] = {}
        deadline = time.monotonic() + LONGEST_SECONDS
        while self._start is None and time.monotonic() < deadline:
            try:
                self._watch(created)
            except ApiException:  # the API server's cache may lag behind what it told
                time.sleep(0.1)

    def _watch(self, created: dict[str, float]) -> None:
        watch = self._tenant.cluster.watch("Pod", NAMESPACE, seconds=10, label_selector=self._selector)
        for _, pod in watch:
            uid = pod["metadata"]["uid"]
            if uid in self._known:
                continue
            created.setdefault(uid, time.monotonic())
            if is_running(pod):
                self._start = Start(created[uid], time.monotonic())
                return

    def result(self) -> Start:
        """Wait for the pod to be Ready. Raises ClusterError where none came."""
        self.join()
        if self._start is None:
            raise ClusterError(
                f"expected a new pod of {self._selector} to be Ready within {LONGEST_SECONDS} s, found none"
            )
        return self._start

    def _find(self) -> list[Result]:
        return self._tenant.cluster.find("Pod", NAMESPACE, selector=self._selector)


@contextmanager
def _next_pod(tenant: Tenant, name: str) -> Iterator[_Pods]:
    pods = _Pods(tenant, name)
    pods.start()
    yield pods


@contextmanager
def _tenant() -> Iterator[Tenant]:
    """Yield an empty namespace with a client in it; what was applied there is deleted afterwards."""
    paths = find_paths()
    if not paths.admin_kubeconfig.exists():
        raise ClusterNotRunningError("expected the embedded cluster, found none; run `make deploy engines`")
    access = Access(str(paths.binaries / "kubectl"), str(paths.binaries / "helm"), paths.admin_kubeconfig, None)
    with tempfile.TemporaryDirectory() as scratch:
        cluster = Cluster(access, Path(scratch))
        images: dict[str, str] = json.loads(release.images_config(cluster)["data"]["images.json"])
        release.clear(cluster, NAMESPACE)
        packages = Path(scratch) / "packages"
        packages.mkdir()
        install_packages(packages)
        cluster.delete("Pod", POD, NAMESPACE, grace=0)
        cluster.wait_gone("Pod", POD, NAMESPACE)
        cluster.create(client_pod(NAMESPACE, images["server-onnxruntime"]))
        values = secret_values(cluster, NAMESPACE)
        port = StorePort(cluster, values["AWS_ENDPOINT_URL"])
        try:
            cluster.wait_for("Pod", POD, NAMESPACE, is_running, what="that the client runs")
            cluster.kubectl("cp", str(packages), f"{NAMESPACE}/{POD}:{PACKAGES}")
            store = NamespaceStore(NAMESPACE, values, port)
            factories = store.upload("factories.zip", factories_archive())
            with cleaned(
                Tenant(cluster, store, Client(cluster, NAMESPACE), factories=factories, images=images)
            ) as made:
                yield made
        finally:
            port.close()
            cluster.delete("Pod", POD, NAMESPACE, grace=0)


def _print(result: Result) -> None:
    scaled = result["scaled"]
    print("\n| what | seen |\n|---|---|")
    print(
        f"| requests lost while scaled between 1 and 3 for {result['minutes']:g} minutes "
        f"| {scaled['lost']} of {scaled['requests']:,}, scaled {scaled['times']} times |"
    )
    for name, found in result["steps"].items():
        print(
            f"| step of load → new replica created → Ready, by {name} | {_range(found, 'untilCreated', 'untilReady')} |"
        )
    wakes = result["wakes"]
    print(
        f"| queue's first entry → first answer from zero, KEDA asks every {POLLING_SECONDS} s | {_range(wakes, 'untilAnswer')} |"
    )


def _range(found: dict[str, list[float]], *names: str) -> str:
    """Return median, least and most of each."""
    return ", then ".join(
        f"{statistics.median(found[name]):.1f} s ({min(found[name]):.1f} to {max(found[name]):.1f})" for name in names
    )


if __name__ == "__main__":
    sys.exit(main())
