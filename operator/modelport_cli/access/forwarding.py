"""A way to the store inside the cluster: `kubectl port-forward` as a child, for as long as a command needs it.

The address that a client signs (AWS signature 4 covers the Host header) is the one that it connects to, 127.0.0.1; an
S3 server checks the header that arrives, so the forwarded address works without any rewriting.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple
from urllib.parse import SplitResult, urlsplit

from modelport_cli.access.cluster import Cluster
from modelport_cli.console import progress
from modelport_cli.errors import CommandError

_LISTENING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")
_CLUSTER_HOST = re.compile(r"^(?P<service>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc(\..*)?$")


class Target(NamedTuple):
    """A Service of the cluster."""

    service: str
    namespace: str
    port: int


def inside_target(endpoint: str) -> Target | None:
    """Return the Service that an endpoint names, or None where the endpoint is reachable from outside."""
    parts = urlsplit(endpoint)
    matched = _CLUSTER_HOST.match(parts.hostname or "")
    if matched is None:
        return None
    return Target(matched["service"], matched["namespace"], parts.port or (443 if parts.scheme == "https" else 80))


@contextmanager
def reachable(endpoint: str, cluster: Cluster) -> Iterator[str]:
    """Give an endpoint that this machine reaches: the same, or a forwarded port while the context lasts."""
    target = inside_target(endpoint)
    if target is None:
        yield endpoint
        return
    child = subprocess.Popen(
        _command(target, cluster), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )  # a session of its own: Ctrl-C reaches us alone, and we end it below
    try:
        with progress(f"Way to Service {target.namespace}/{target.service}"):
            port = _wait_for_port(child, target)
        yield SplitResult(urlsplit(endpoint).scheme, f"127.0.0.1:{port}", "", "", "").geturl()
    finally:
        child.terminate()
        child.wait()
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def _command(target: Target, cluster: Cluster) -> list[str]:
    kubectl = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if kubectl is None:
        message = (
            f"the store is Service {target.namespace}/{target.service} inside the cluster, and kubectl is not there"
        )
        raise CommandError(message, "Install kubectl, or set KUBECTL to its path: it forwards a port to the store.")
    context = ["--context", cluster.context] if cluster.context else []
    place = ["--namespace", target.namespace, "--address", "127.0.0.1"]
    return [kubectl, *context, "port-forward", *place, f"service/{target.service}", f":{target.port}"]


def _wait_for_port(child: subprocess.Popen[str], target: Target) -> int:
    """Return the local port once kubectl listens; it says so on stdout, or ends with a reason on stderr."""
    output: IO[str] | None = child.stdout
    assert output is not None
    for line in output:
        matched = _LISTENING.search(line)
        if matched:
            return int(matched[1])
    _, reason = child.communicate()
    message = f"no way to Service {target.namespace}/{target.service}: {' '.join(reason.split())[:300]}"
    raise CommandError(message, "Check that the store's pod runs and that you may create pods/portforward.")
