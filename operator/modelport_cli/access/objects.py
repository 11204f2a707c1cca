"""The objects of one resource in the cluster: its Jobs, pods, Deployment and Service, their Events and logs.

Rights needed: get and list on jobs, pods, deployments, services and events of the namespace, and get on pods/log.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import msgspec
from kubernetes import client

from modelport.api.base import KIND
from modelport_cli.access.cluster import REQUEST_SECONDS, Body, Cluster, explained, list_resources
from modelport_operator.names import MANAGED_BY_LABEL, MANAGER, RESOURCE_LABEL

_FOLLOW_SECONDS = 86_400
"""How long a log that is followed may say nothing."""


def list_objects(cluster: Cluster, name: str) -> list[Body]:
    """Return what there is of a resource, and the resources of its namespace, whose artifacts it may reuse."""
    return [*({**body, "kind": KIND} for body in list_resources(cluster)), *list_children(cluster, name)]


def list_children(cluster: Cluster, name: str) -> list[Body]:
    """Return what may be of a resource: Jobs and pods by their labels, Deployment and Service by their name."""
    core, apps = client.CoreV1Api(cluster.connection), client.AppsV1Api(cluster.connection)
    named = {"field_selector": f"metadata.name={name}"}
    return [
        *list_jobs(cluster, name),
        *_listed(cluster, "Deployment", apps.list_namespaced_deployment, **named),
        *_listed(cluster, "Service", core.list_namespaced_service, **named),
    ]


def list_jobs(cluster: Cluster, name: str) -> list[Body]:
    """Return the Jobs of a resource, and all its pods, the oldest first."""
    selected = {"label_selector": f"{RESOURCE_LABEL}={name},{MANAGED_BY_LABEL}={MANAGER}"}
    found = [
        *_listed(cluster, "Job", client.BatchV1Api(cluster.connection).list_namespaced_job, **selected),
        *_listed(cluster, "Pod", client.CoreV1Api(cluster.connection).list_namespaced_pod, **selected),
    ]
    return sorted(found, key=lambda body: str(body["metadata"]["creationTimestamp"]))


def list_events(cluster: Cluster, uids: list[str]) -> list[Body]:
    """Return the Events about the objects with these uids."""
    api = client.CoreV1Api(cluster.connection)
    return [
        event
        for uid in uids
        for event in _listed(cluster, "Event", api.list_namespaced_event, field_selector=f"involvedObject.uid={uid}")
    ]


def read_log(cluster: Cluster, pod: str, container: str, *, follow: bool, previous: bool) -> Iterator[str]:
    """Yield the lines of a container's log; with `follow`, those to come until it ends."""
    with explained(f"log of pod {cluster.namespace}/{pod}"):
        response: Any = client.CoreV1Api(cluster.connection).read_namespaced_pod_log(
            pod,
            cluster.namespace,
            container=container,
            follow=follow,
            previous=previous,
            _preload_content=False,
            _request_timeout=(REQUEST_SECONDS, _FOLLOW_SECONDS if follow else REQUEST_SECONDS),
        )
        try:
            yield from _lines(response.stream(decode_content=True))
        finally:
            response.release_conn()


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Yield whole lines of a stream of bytes."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", errors="replace") for line in lines)
    if rest:
        yield rest.decode("utf-8", errors="replace")


def _listed(cluster: Cluster, kind: str, call: Callable[..., Any], **selectors: str) -> list[Body]:
    """Return the objects that a call lists, each with its kind, which lists leave out."""
    with explained(f"{kind}s of namespace {cluster.namespace}"):
        response = call(cluster.namespace, **selectors, _preload_content=False, _request_timeout=REQUEST_SECONDS)
        found = cast("Body", msgspec.json.decode(response.data))
    return [body | {"kind": kind} for body in found.get("items") or []]
