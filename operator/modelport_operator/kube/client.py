"""Calls to the API server: plain objects in and out, typed errors, a timeout on each, no retries (the queue does that)."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple, cast

import aiohttp
import msgspec
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient

from modelport.api.base import KIND
from modelport_operator.kube.errors import KubeError, NotFoundError, UnavailableError, error_for
from modelport_operator.kube.kinds import KINDS, Kind
from modelport_operator.names import OWNED_SELECTOR, RESOURCE_LABEL

Object = dict[str, Any]
"""A Kubernetes object."""


class Address(NamedTuple):
    """Where an object is, within its kind."""

    namespace: str
    name: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Address":
        """Return where an object says that it is."""
        meta = body["metadata"]
        return cls(meta.get("namespace", ""), meta["name"])


class Version(NamedTuple):
    """Which version of an object, and which resource the object is about."""

    resource_version: str
    resource: str

    @classmethod
    def of(cls, kind: str, body: Mapping[str, Any]) -> "Version":
        """Return the version of an object. A pod's owner is a Job: only the label leads to its resource."""
        meta = body["metadata"]
        resource = meta["name"] if kind == KIND else meta.get("labels", {}).get(RESOURCE_LABEL, "")
        return cls(meta.get("resourceVersion", ""), resource)


METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PAGE, METADATA_PAGE = 100, 500
"""Objects in one response, whole and of metadata alone: a pod of a Job, decoded, takes 50 KiB and more."""
TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
_WATCH_SECONDS = 290
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10, sock_read=310)
_SECRETS = re.compile(r"(?i)bearer\s+\S+")
_MAX_MESSAGE = 600


class Kube:
    """The calls that the operator makes."""

    def __init__(self, client: ApiClient, *, may_write: Callable[[], bool] = lambda: True) -> None:
        """Take the client, and what says whether this process still leads: one that was paused must write nothing."""
        self._client, self._may_write = DynamicClient(client), may_write

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """Return an object. Raises NotFoundError."""
        return _object(await self._call("get", KINDS[kind].path(namespace, name)))

    async def list_all(self, kind: str, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        """Return the objects of a namespace that the selectors choose."""
        return [body async for page in self.pages(kind, namespace, labels=labels, fields=fields) for body in page]

    async def pages(
        self,
        kind: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        accept: str = "application/json",
        limit: int = PAGE,
    ) -> AsyncIterator[list[Object]]:
        """Yield the objects of a namespace, or of all, so many at a time. Raises GoneError where that takes too long."""
        path, rest = KINDS[kind].path(namespace), None
        while True:
            found = await self._call(
                "get",
                path,
                label_selector=labels or None,
                field_selector=fields or None,
                limit=limit,
                _continue=rest,
                header_params={"Accept": accept},
            )
            yield cast("list[Object]", found.get("items") or [])  # null in a list of metadata that is empty
            rest = found.get("metadata", {}).get("continue")
            if not rest:
                return

    async def list_of(self, kind: str, namespace: str, resource: str) -> list[Object]:
        """Return the objects of a kind that the operator made for a resource, as the API server's watches have them.

        Asked for anything newer, an API server with an etcd before 3.5.13 reads all objects of the namespace from there.
        What is a moment late does no harm: a Job that is there is not made again, as its name says what it does, and what
        is deleted is so by its uid.
        """
        labels = f"{OWNED_SELECTOR},{RESOURCE_LABEL}={resource}"
        found = await self._call("get", KINDS[kind].path(namespace), label_selector=labels, resource_version="0")
        told = {"apiVersion": KINDS[kind].api_version, "kind": kind}  # what items of a list leave out
        return [told | each for each in found["items"] or ()]

    async def versions(self, kind: str, namespace: str = "") -> dict[Address, Version]:
        """Return the versions of the objects of ours of a kind, in one namespace or in all; their content is not read."""
        labels = "" if kind == KIND else OWNED_SELECTOR
        pages = self.pages(kind, namespace, labels=labels, accept=METADATA_ONLY, limit=METADATA_PAGE)
        return {Address.of(each): Version.of(kind, each) async for page in pages for each in page}

    async def create(self, kind: str, namespace: str, body: Object, *, manager: str) -> Object:
        """Create an object, and return it. Raises AlreadyExistsError."""
        return _object(await self._call("post", KINDS[kind].path(namespace), body=body, field_manager=manager))

    async def apply(self, kind: str, namespace: str, body: Object, *, manager: str, subresource: str = "") -> Object:
        """Apply the manager's whole intent, and return the live object.

        `body` carries `metadata.uid`: without it an apply creates what is not there, or takes over a foreign object.
        """
        if not body["metadata"].get("uid"):
            raise ValueError(f"an apply of {kind} {body['metadata']['name']} needs metadata.uid")
        applied = await self._call(
            "patch",
            KINDS[kind].path(namespace, body["metadata"]["name"], subresource),
            body=body,
            content_type="application/apply-patch+yaml",
            field_manager=manager,
            force_conflicts=True,
        )
        return _object(applied)

    async def replace(self, kind: str, namespace: str, name: str, body: Object, *, manager: str) -> Object:
        """Write an object whole. Raises ConflictError if `metadata.resourceVersion` is not the live one."""
        return _object(await self._call("put", KINDS[kind].path(namespace, name), body=body, field_manager=manager))

    async def patch(self, kind: str, namespace: str, name: str, operations: list[Object]) -> Object:
        """Change an object by a JSON patch."""
        path = KINDS[kind].path(namespace, name)
        return _object(await self._call("patch", path, body=operations, content_type="application/json-patch+json"))

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str) -> None:
        """Delete the object with this uid, and what it owns. Raises NotFoundError, or ConflictError for another uid."""
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        await self._call("delete", KINDS[kind].path(namespace, name), body=options)

    async def log(self, namespace: str, pod: str, container: str, *, previous: bool = False) -> str:
        """Return the last lines of a container's log."""
        query = [("container", container), ("tailLines", "40"), ("limitBytes", "16384")]
        if previous:
            query.append(("previous", "true"))
        path = KINDS["Pod"].path(namespace, pod, "log")
        text: str = await self._call("get", path, query_params=query, text=True)
        return text

    async def watch(self, kind: str, namespace: str, *, labels: str, since: str = "") -> AsyncIterator[Object]:
        """Yield what changes since a version, or first the objects that there are, until the API server ends it.

        Raises GoneError if that version is too old.
        """
        path, rest = KINDS[kind].path(namespace), b""
        if not since:
            found = await self._call("get", path, label_selector=labels)
            for each in found.get("items", []):
                yield {"type": "ADDED", "object": each}
            since = found["metadata"]["resourceVersion"]
            yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": since}}}
        query = [("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", str(_WATCH_SECONDS))]
        query += [("labelSelector", labels), ("resourceVersion", since)]
        with _translating("watch", path):
            response = await self._client.request(
                "get", path, serialize=False, query_params=query, _request_timeout=_WATCH_TIMEOUT
            )
            async with response:
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield _change(_decoded(line, "watch", path))

    async def serves(self, kind: Kind) -> bool:
        """Return whether the API server has a kind."""
        try:
            served = await self._call("get", f"/apis/{kind.api_version}")
        except NotFoundError:
            return False
        return any(each["name"] == kind.plural for each in served.get("resources", []))

    async def _call(self, method: str, path: str, *, text: bool = False, **parameters: Any) -> Any:
        if method != "get" and not self._may_write():
            raise UnavailableError(f"{method} {path}: not sent, because this process leads no more")
        with _translating(method, path):
            response = await self._client.request(method, path, serialize=False, _request_timeout=TIMEOUT, **parameters)
            content = await response.read()
        return content.decode("utf-8", errors="replace") if text else _decoded(content, method, path)


@contextmanager
def _translating(method: str, path: str) -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        raise _translated(error, method, path) from error
    except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
        raise UnavailableError(f"{method} {path}: {_capped(str(error) or type(error).__name__)}") from error


def _decoded(content: bytes, method: str, path: str) -> Any:
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise UnavailableError(f"{method} {path}: expected JSON, found {_capped(repr(content[:80]))}") from error


def _change(event: Object) -> Object:
    """Return an event of a watch. Raises what one of type ERROR stands for."""
    if event["type"] == "ERROR":
        told = event["object"]
        raise error_for(told.get("code", 0), _capped(told.get("message", "")), reason=told.get("reason", "unknown"))
    return event


def _object(content: Any) -> Object:
    return cast("Object", content)


def _translated(error: ApiException, method: str, path: str) -> KubeError:
    try:
        status = msgspec.json.decode(error.body or b"{}")
    except (msgspec.DecodeError, TypeError):
        status = {}
    message = status.get("message") if isinstance(status, dict) else None
    return error_for(
        error.status or 0,
        _capped(message or f"{method} {path}: {error.status} {error.reason}"),
        reason=status.get("reason", "") if isinstance(status, dict) else "",
        retry_after=(error.headers or {}).get("Retry-After"),
    )


def _capped(text: str) -> str:
    return _SECRETS.sub("Bearer …", text)[:_MAX_MESSAGE]


@asynccontextmanager
async def connect(*, may_write: Callable[[], bool] = lambda: True) -> AsyncIterator[Kube]:
    """Connect as the pod's service account, which is refreshed, or as the kubeconfig says."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)
    async with ApiClient(configuration) as client:
        yield Kube(client, may_write=may_write)
