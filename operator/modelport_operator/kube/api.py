"""What a reconciliation calls: the API server itself (`Kube`), or what the watches brought of it (`Watched`)."""

from typing import Protocol

from modelport_operator.kube.client import Object
from modelport_operator.kube.errors import NotFoundError, NotServedError


class Api(Protocol):
    """Reads and writes of objects."""

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """Return an object. Raises NotFoundError."""
        ...

    async def list_of(self, kind: str, namespace: str, resource: str) -> list[Object]:
        """Return the objects of a kind that the operator made for a resource."""
        ...

    async def create(self, kind: str, namespace: str, body: Object, *, manager: str) -> Object:
        """Create an object, and return it. Raises AlreadyExistsError."""
        ...

    async def apply(self, kind: str, namespace: str, body: Object, *, manager: str, subresource: str = "") -> Object:
        """Apply the manager's whole intent, and return the live object."""
        ...

    async def patch(self, kind: str, namespace: str, name: str, operations: list[Object]) -> Object:
        """Change an object by a JSON patch."""
        ...

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str) -> None:
        """Delete the object with this uid. Raises NotFoundError, or ConflictError for another uid."""
        ...


async def find(api: Api, kind: str, namespace: str, name: str) -> Object | None:
    """Return an object, or None for one that is not there or is being deleted. Raises NotServedError."""
    try:
        found = await api.get(kind, namespace, name)
    except NotServedError:
        raise
    except NotFoundError:
        return None
    return None if found["metadata"].get("deletionTimestamp") else found
