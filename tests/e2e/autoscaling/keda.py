"""KEDA as tests need it: there, gone for a while, and told what waits by a queue outside of the pods."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from e2e.kube.cluster import Body, Cluster
from e2e.pods.client import pod
from e2e.tenants.conversions import is_running

NAMESPACE = "keda"
OPERATOR = "app=keda-operator"
CRD = "scaledobjects.keda.sh"
QUEUE = "e2e-queue"
_PORT = 8000
_FILE = "/queue/queue.json"
_TIME_OUT = 90


class Queue:
    """A server that says how many wait; KEDA asks it over HTTP."""

    def __init__(self, cluster: Cluster, namespace: str, image: str) -> None:
        """Start the server, with nothing that waits."""
        self._cluster = cluster
        self._namespace = namespace
        program = f"echo '{_waiting(0)}' > {_FILE} && exec python3 -m http.server {_PORT} --directory /queue"
        service: Body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": QUEUE, "namespace": namespace}}
        cluster.apply({**service, "spec": {"selector": {"app": QUEUE}, "ports": [{"port": 80, "targetPort": _PORT}]}})
        cluster.apply(
            pod(
                QUEUE,
                namespace,
                image,
                ["sh", "-c", program],
                volumeMounts=[{"name": "queue", "mountPath": "/queue"}],
                volumes=[{"name": "queue", "emptyDir": {"sizeLimit": "1Mi"}}],
                readinessProbe={"httpGet": {"path": "/queue.json", "port": _PORT}, "periodSeconds": 1},
            )
        )
        cluster.wait_for("Pod", QUEUE, namespace, is_running, what="that the queue answers")

    @property
    def trigger(self) -> Body:
        """Return the trigger of KEDA's that asks the queue: one pod for each that waits."""
        url = f"http://{QUEUE}.{self._namespace}.svc/queue.json"
        return {"type": "metrics-api", "metadata": {"url": url, "valueLocation": "waiting", "targetValue": "1"}}

    def put(self, waiting: int) -> None:
        """Let so many wait."""
        write = f"echo '{_waiting(waiting)}' > {_FILE}.new && mv {_FILE}.new {_FILE}"
        self._cluster.kubectl("exec", "-n", self._namespace, QUEUE, "--", "sh", "-c", write)

    def stop(self) -> None:
        """Remove the server."""
        for kind in ("Pod", "Service"):
            self._cluster.delete(kind, QUEUE, self._namespace, grace=0)


def _waiting(number: int) -> str:
    return json.dumps({"waiting": number})


@contextmanager
def uninstalled(cluster: Cluster) -> Iterator[None]:
    """Let the cluster have no ScaledObjects while the block runs."""
    definition = cluster.get("CustomResourceDefinition", CRD)
    assert definition, f"expected {CRD}, found none; run `make engines`"
    del definition["status"]
    definition["metadata"] = {key: definition["metadata"][key] for key in ("name", "labels", "annotations")}
    try:
        cluster.delete("CustomResourceDefinition", CRD)
        cluster.wait_gone("CustomResourceDefinition", CRD, None)
        yield
    finally:
        cluster.wait_gone("CustomResourceDefinition", CRD, None)
        cluster.create(definition)
        cluster.wait_for("CustomResourceDefinition", CRD, None, _is_established, what="that it is established")
        for old in cluster.find("Pod", NAMESPACE, selector=OPERATOR):  # so that it need not wait to look again
            cluster.delete("Pod", old["metadata"]["name"], NAMESPACE)
            cluster.wait_gone("Pod", old["metadata"]["name"], NAMESPACE)
        arguments = ("rollout", "status", "-n", NAMESPACE, "deployment/keda-operator", f"--timeout={_TIME_OUT}s")
        cluster.kubectl(*arguments, seconds=_TIME_OUT + 10)


def _is_established(definition: Body | None) -> bool:
    conditions = (definition or {}).get("status", {}).get("conditions") or []  # null just after it was made
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
