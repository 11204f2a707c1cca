"""The cluster of the user's kube context: reading resources and one Secret, with errors that say what to do.

Rights needed: get, list and watch on modelconversions; patch for an annotation; for the store, get on Secret
modelport-store and create on pods/portforward.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import msgspec
import urllib3.exceptions
from kubernetes import client, config, watch

from modelport.api.base import GROUP, PLURAL, VERSION
from modelport.api.reasons import Reason
from modelport.api.resource import ModelConversion, parse
from modelport.errors import ModelportError
from modelport.jobs.environment import STORE_SECRET
from modelport_cli.errors import CommandError

REQUEST_SECONDS = 30
WATCH_SECONDS = 240
_NOT_FOUND = 404
_GONE = 410

Body = dict[str, Any]
"""A Kubernetes object as the API server sends it."""


class Cluster(NamedTuple):
    """A connection, and the namespace that commands speak about."""

    connection: client.ApiClient
    namespace: str
    context: str | None


def connect(namespace: str | None, context: str | None) -> Cluster:
    """Return the cluster of the kubeconfig ($KUBECONFIG, ~/.kube/config), or the one that this pod runs in."""
    try:
        contexts, current = config.list_kube_config_contexts()
    except config.ConfigException as error:
        return _connect_inside(namespace, context, error)
    chosen = next((each for each in contexts if each["name"] == context), None) if context else current
    if chosen is None:
        names = ", ".join(each["name"] for each in contexts)
        raise CommandError(f"expected a context of the kubeconfig, found {context!r}", f"Contexts: {names}.")
    connection = config.new_client_from_config(context=context)
    return Cluster(connection, namespace or chosen["context"].get("namespace") or "default", context)


def _connect_inside(namespace: str | None, context: str | None, error: Exception) -> Cluster:
    settings = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException:
        hint = "Set KUBECONFIG to the cluster's kubeconfig, or use `modelport run`, which needs no cluster."
        raise CommandError("no Kubernetes cluster is configured", hint) from error
    return Cluster(client.ApiClient(settings), namespace or "default", context)


def list_contexts() -> list[str]:
    """Return the names of the kubeconfig's contexts."""
    try:
        contexts, _ = config.list_kube_config_contexts()
    except config.ConfigException:
        return []
    return [each["name"] for each in contexts]


def list_namespaces(cluster: Cluster) -> list[str]:
    """Return the names of all namespaces."""
    with explained("namespaces"):
        api = client.CoreV1Api(cluster.connection)
        response: Any = api.list_namespace(_preload_content=False, _request_timeout=REQUEST_SECONDS)
        return [each["metadata"]["name"] for each in msgspec.json.decode(response.data)["items"]]


def read_resource(cluster: Cluster, name: str) -> Body:
    """Return one ModelConversion."""
    with explained(f"ModelConversion {cluster.namespace}/{name}"):
        body = _resources(cluster).get_namespaced_custom_object(
            *_place(cluster), name, _request_timeout=REQUEST_SECONDS
        )
    return cast("Body", body)


def list_resources(cluster: Cluster) -> list[Body]:
    """Return the ModelConversions of the namespace, by name."""
    with explained(f"ModelConversions of namespace {cluster.namespace}"):
        answer = _resources(cluster).list_namespaced_custom_object(*_place(cluster), _request_timeout=REQUEST_SECONDS)
    return sorted(cast("Body", answer)["items"], key=lambda body: str(body["metadata"]["name"]))


def watch_resource(cluster: Cluster, name: str) -> Iterator[Body]:
    """Yield a ModelConversion now and after each change, for ever. Raises CommandError when it is deleted."""
    while True:
        body = read_resource(cluster, name)
        yield body
        with explained(f"ModelConversion {cluster.namespace}/{name}"):
            yield from _changes(cluster, name, body["metadata"]["resourceVersion"])


def annotate_resource(cluster: Cluster, name: str, annotation: str, value: str) -> None:
    """Set one annotation of a ModelConversion."""
    patch = {"metadata": {"annotations": {annotation: value}}}
    with explained(f"ModelConversion {cluster.namespace}/{name}"):
        _resources(cluster).patch_namespaced_custom_object(
            *_place(cluster), name, patch, field_manager="modelport", _request_timeout=REQUEST_SECONDS
        )


def understand(body: Body) -> ModelConversion:
    """Return the resource that the API server sent; another version's schema may have more than we know."""
    try:
        return parse(body)
    except msgspec.ValidationError as error:
        message = f"{body['metadata']['name']}: this version does not understand the resource ({error})"
        raise CommandError(message, "Use the command line of the installed version, or --json.") from error


def _changes(cluster: Cluster, name: str, version: str) -> Iterator[Body]:
    """Yield changes until the API server ends the watch, as it does every few minutes."""
    events = watch.Watch()
    try:
        for event in events.stream(
            _resources(cluster).list_namespaced_custom_object,
            *_place(cluster),
            field_selector=f"metadata.name={name}",
            resource_version=version,
            timeout_seconds=WATCH_SECONDS,
        ):
            if event["type"] == "DELETED":
                raise CommandError(f"ModelConversion {cluster.namespace}/{name} was deleted")
            yield event["object"]
    except client.ApiException as error:
        if error.status != _GONE:  # the version is too old, the caller reads anew
            raise
    finally:
        events.stop()


def read_store_secret(cluster: Cluster) -> dict[str, str]:
    """Return URI and credentials of the namespace's store."""
    with explained(f"Secret {cluster.namespace}/{STORE_SECRET}"):
        try:
            secret = client.CoreV1Api(cluster.connection).read_namespaced_secret(
                STORE_SECRET, cluster.namespace, _request_timeout=REQUEST_SECONDS
            )
        except client.ApiException as error:
            if error.status != _NOT_FOUND:
                raise
            message = f"namespace {cluster.namespace} has no Secret {STORE_SECRET}"
            raise ModelportError(Reason.STORE_NOT_CONFIGURED, message) from error
    return {key: base64.b64decode(value).decode() for key, value in (secret.data or {}).items()}


def _resources(cluster: Cluster) -> client.CustomObjectsApi:
    return client.CustomObjectsApi(cluster.connection)


def _place(cluster: Cluster) -> tuple[str, str, str, str]:
    return GROUP, VERSION, cluster.namespace, PLURAL


_HINTS = {
    401: "Log in again: the kubeconfig's credentials are refused.",
    403: "Ask for the right that the message names.",
    _NOT_FOUND: "`modelport get` lists what is there; -n names another namespace.",
}


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the client's errors into one line about `what`."""
    try:
        yield
    except client.ApiException as error:
        if error.status == _NOT_FOUND and "page not found" in str(error.body):
            raise CommandError("the cluster does not know ModelConversions", "Install charts/modelport.") from error
        raise CommandError(f"{what}: {_api_message(error)}", _HINTS.get(error.status or 0, "")) from error
    except urllib3.exceptions.HTTPError as error:
        cause = getattr(error, "reason", None) or error
        message = f"{what}: the API server does not answer ({' '.join(str(cause).split())[:200]})"
        raise CommandError(message, "Check the cluster, and that the kubeconfig's context is the right one.") from error


def _api_message(error: client.ApiException) -> str:
    """Return the API server's own words, which name the missing object or right."""
    try:
        status = msgspec.json.decode(error.body or b"{}")
    except msgspec.DecodeError:
        status = {}
    message = status.get("message") if isinstance(status, dict) else None
    return str(message or error.reason or f"HTTP {error.status}")[:500]
