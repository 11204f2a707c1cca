"""Tell Prometheus over HTTP which pods to ask: Debian's build of it cannot discover them in Kubernetes by itself.

They are the operator and the servers, by the labels and ports that they have on every cluster.
"""

import json
import ssl
import urllib.request
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ADDRESS = ("127.0.0.1", 9091)
LABEL = "app.kubernetes.io/name=modelport"
PORTS = {"serve": "http", "": "metrics"}
"""Name of the port with the metrics, by the value of STAGE: servers have theirs where they answer requests."""
STAGE = "modelport.dev/stage"
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PODS = f"https://kubernetes.default.svc/api/v1/pods?labelSelector={LABEL}"
_TIMEOUT_SECONDS = 4.0
Object = dict[str, Any]


def targets(pods: Iterable[Object]) -> Iterator[Object]:
    """Return what http_sd expects: addresses, with the labels that their series get."""
    for pod in pods:
        metadata, status = pod["metadata"], pod["status"]
        wanted = PORTS.get(metadata["labels"].get(STAGE, ""))
        if status.get("phase") != "Running" or not status.get("podIP"):
            continue
        for container in pod["spec"]["containers"]:
            for port in container.get("ports", []):
                if port.get("name") == wanted:
                    labels = {"namespace": metadata["namespace"], "pod": metadata["name"]}
                    yield {"targets": [f"{status['podIP']}:{port['containerPort']}"], "labels": labels}


def list_pods() -> list[Object]:
    """Ask the API server, as the pod's service account."""
    headers = {"Authorization": f"Bearer {(_ACCOUNT / 'token').read_text()}"}
    context = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    request = urllib.request.Request(_PODS, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=context) as answer:
        found: list[Object] = json.load(answer)["items"]
    return found


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with the targets; Prometheus keeps the last ones where that fails."""

    def do_GET(self) -> None:
        """Answer."""
        try:
            status, body = 200, json.dumps(list(targets(list_pods())))
        except OSError as error:
            status, body = 503, f"the API server did not tell the pods: {error}"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log no request: there is one every few seconds."""


if __name__ == "__main__":
    ThreadingHTTPServer(ADDRESS, Handler).serve_forever()
