"""What the watches brought: an index of the objects that the operator looks at, by the resource that they are about.

It answers like the API server, a moment late and for nothing. So it is good for finding that there is nothing to do; what
is written is decided on a live read. Objects are kept as compressed JSON: a resource and its children take about 8 KiB.
"""

import zlib
from collections import defaultdict
from typing import Any, NamedTuple, NoReturn, cast

import msgspec

from modelport_operator.kube.client import Address, Object, Version
from modelport_operator.kube.errors import KubeError, NotFoundError


class UnsureError(KubeError):
    """Something is to be written: it is decided on a live read, not on what was seen."""


class _Entry(NamedTuple):
    uid: str
    created: str
    version: Version
    content: bytes

    @property
    def body(self) -> Object:
        return cast("Object", msgspec.json.decode(zlib.decompress(self.content)))


class Watched:
    """Objects by kind and address, and by the resource that they are about. It is an `Api` that writes nothing."""

    def __init__(self) -> None:
        self._entries: defaultdict[str, dict[Address, _Entry]] = defaultdict(dict)
        self._by_resource: defaultdict[tuple[str, Address], set[Address]] = defaultdict(set)

    def note(self, kind: str, body: Any) -> bool:
        """Keep an object as an event brought it; return whether that is news (a new listing brings what is known)."""
        meta, address, version = body["metadata"], Address.of(body), Version.of(kind, body)
        before = self._entries[kind].get(address)
        if before and before.version == version and version.resource_version:
            return False
        self.forget(kind, address)
        content = zlib.compress(msgspec.json.encode(body), level=1)
        entry = _Entry(meta.get("uid", ""), meta.get("creationTimestamp", ""), version, content)
        self._entries[kind][address] = entry
        self._by_resource[kind, Address(address.namespace, version.resource)].add(address)
        return True

    def has_successor(self, kind: str, body: Any, *, gone: bool) -> bool:
        """Return whether an event is about an object that another one with its name was seen after.

        Events of one object come in their order; those of two that have a name one after the other come in any.
        """
        meta, entry = body["metadata"], self._entries[kind].get(Address.of(body))
        if entry is None or entry.uid == meta.get("uid", ""):
            return False
        return gone or entry.created > meta.get("creationTimestamp", "")

    def forget(self, kind: str, address: Address) -> None:
        """Drop an object that is gone."""
        entry = self._entries[kind].pop(address, None)
        if entry is None:
            return
        about = kind, Address(address.namespace, entry.version.resource)
        self._by_resource[about].discard(address)
        if not self._by_resource[about]:
            del self._by_resource[about]

    def forget_all(self, kind: str) -> None:
        """Drop all objects of a kind that the API server has no more."""
        for address in list(self._entries[kind]):
            self.forget(kind, address)

    def versions(self, kind: str, namespace: str = "") -> dict[Address, Version]:
        """Return the versions of a kind's objects, in one namespace or in all."""
        return {
            address: entry.version
            for address, entry in self._entries[kind].items()
            if namespace in {"", address.namespace}
        }

    def seen(self, kind: str, address: Address) -> Object | None:
        """Return an object as it was seen last."""
        entry = self._entries[kind].get(address)
        return entry.body if entry else None

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """Return an object as it was seen last. Raises NotFoundError."""
        body = self.seen(kind, Address(namespace, name))
        if body is None:
            raise NotFoundError(f"{kind} {name} was not seen in {namespace}", status=404)
        return body

    async def list_of(self, kind: str, namespace: str, resource: str) -> list[Object]:
        """Return the objects of a kind that are about a resource."""
        addresses = self._by_resource.get((kind, Address(namespace, resource)), ())
        return [self._entries[kind][address].body for address in sorted(addresses)]

    async def _write(self, *_: Any, **__: Any) -> NoReturn:
        """Raise UnsureError."""
        raise UnsureError("a write needs a live read")

    create = apply = patch = delete = _write
