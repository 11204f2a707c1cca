"""The installed operator, as the chart installs it: its settings and its catalogue of images.

Rights needed: get on Deployment modelport-operator and ConfigMap modelport-images in the operator's namespace.
"""

from typing import Any, cast

import msgspec
from kubernetes import client

from modelport_cli.access.cluster import REQUEST_SECONDS, Body, Cluster, explained
from modelport_cli.errors import CommandError
from modelport_operator.platforms import Platform
from modelport_operator.settings import read

DEPLOYMENT = "modelport-operator"
CATALOGUE = "modelport-images"
_FILE = "images.json"
_RAW: dict[str, Any] = {"_preload_content": False, "_request_timeout": REQUEST_SECONDS}
"""A response as it comes, and no object of the client's."""


def read_platform(cluster: Cluster, namespace: str) -> Platform:
    """Return what the plans of the operator in a namespace depend on. Raises CommandError."""
    with explained(f"Deployment {namespace}/{DEPLOYMENT}"):
        apps = client.AppsV1Api(cluster.connection)
        found = _decoded(apps.read_namespaced_deployment(DEPLOYMENT, namespace, **_RAW))
    with explained(f"ConfigMap {namespace}/{CATALOGUE}"):
        core = client.CoreV1Api(cluster.connection)
        catalogue = _decoded(core.read_namespaced_config_map(CATALOGUE, namespace, **_RAW))
    containers = found["spec"]["template"]["spec"]["containers"]
    variables = {each["name"]: each.get("value", "") for container in containers for each in container.get("env", [])}
    try:
        images = msgspec.json.decode(catalogue.get("data", {}).get(_FILE, "{}"), type=dict[str, str])
        return read(variables).platform(images)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        message = f"the operator in namespace {namespace} has settings that this version cannot read: {error}"
        raise CommandError(message, "Use the command line of the installed version, or --values FILE.") from error


def _decoded(response: Any) -> Body:
    return cast("Body", msgspec.json.decode(response.data))
