"""The objects of one resource in the cluster: its Jobs, pods, what serving consists of, their Events and logs.

Rights needed: get and list on jobs, pods, deployments, services, networkpolicies, poddisruptionbudgets,
horizontalpodautoscalers and events of the namespace, and get on pods/log. Kinds that a cluster may lack, such as
scaledobjects, are seen by who may.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import msgspec
from kubernetes import client

from modelport.api.base import KIND
from modelport_cli.access.cluster import REQUEST_SECONDS, Body, Cluster, explained, list_resources
from modelport_operator.names import MANAGED_BY_LABEL, MANAGER, RESOURCE_LABEL
from modelport_operator.plan.serving.objects import OBJECTS, ServingObject

_FORBIDDEN, _NOT_FOUND = 403, 404
_FOLLOW_SECONDS = 86_400
"""How long a log that is followed may say nothing."""


def list_objects(cluster: Cluster, name: str) -> list[Body]:
    """Return what there is of a resource, and the resources of its namespace, whose artifacts it may reuse."""
    return [*({**body, "kind": KIND} for body in list_resources(cluster)), *list_children(cluster, name)]


def list_children(cluster: Cluster, name: str) -> list[Body]:
    """Return what may be of a resource: Jobs and pods by their labels, what serving consists of by its name."""
    return [*list_jobs(cluster, name), *(body for each in OBJECTS for body in _list_serving(cluster, each, name))]


def list_lacking(cluster: Cluster) -> list[str]:
    """Return the kinds of what serving may consist of that the cluster has not."""
    return [each.kind for each in OBJECTS if each.is_optional and not _is_known(cluster, each)]


def _is_known(cluster: Cluster, each: ServingObject) -> bool:
    group, _, version = each.api_version.rpartition("/")
    with explained(each.kind):
        try:
            found = client.CustomObjectsApi(cluster.connection).get_api_resources(
                group, version, _request_timeout=REQUEST_SECONDS
            )
        except client.ApiException as error:
            if error.status == _NOT_FOUND:
                return False
            raise
    return any(resource.name == each.plural for resource in found.resources)


def _list_serving(cluster: Cluster, each: ServingObject, name: str) -> list[Body]:
    """Return the objects of a kind that have this name."""
    group, _, version = each.api_version.rpartition("/")
    api, core = client.CustomObjectsApi(cluster.connection), client.CoreV1Api(cluster.connection)

    def call(namespace: str, **options: Any) -> Any:
        try:
            if group:
                return api.list_namespaced_custom_object(group, version, namespace, each.plural, **options)
            return core.list_namespaced_service(namespace, **options)
        except client.ApiException as error:
            if each.is_optional and error.status in {_FORBIDDEN, _NOT_FOUND}:
                return None
            raise

    return _listed(cluster, each.kind, call, field_selector=f"metadata.name={name}")


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
        found = cast("Body", msgspec.json.decode(response.data)) if response else {}
    return [body | {"kind": kind} for body in found.get("items") or []]
