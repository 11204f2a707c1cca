"""An HTTP server inside the cluster, for sources that are read over http://."""

import base64
from typing import Any

from e2e.kube.cluster import Cluster
from e2e.pods.client import pod
from e2e.tenants.conversions import is_running

NAME = "e2e-web"
PORT = 8000


def start(cluster: Cluster, namespace: str, image: str, files: dict[str, bytes]) -> str:
    """Serve files (from a ConfigMap) by `python -m http.server`; return the URL of the folder."""
    metadata = {"name": NAME, "namespace": namespace}
    encoded = {name: base64.b64encode(content).decode() for name, content in files.items()}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": encoded})
    ports = [{"port": 80, "targetPort": PORT}]
    service: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
    cluster.apply({**service, "spec": {"selector": {"app": NAME}, "ports": ports}})
    cluster.apply(
        pod(
            NAME,
            namespace,
            image,
            ["python3", "-m", "http.server", str(PORT), "--directory", "/files"],
            volumeMounts=[{"name": "files", "mountPath": "/files"}],
            volumes=[{"name": "files", "configMap": {"name": NAME}}],
            readinessProbe={"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
        )
    )
    cluster.wait_for("Pod", NAME, namespace, is_running, what="that the web server is ready")
    return f"http://{NAME}.{namespace}.svc"


def stop(cluster: Cluster, namespace: str) -> None:
    """Remove the server."""
    for kind in ("Pod", "Service", "ConfigMap"):
        cluster.delete(kind, NAME, namespace, grace=0)
