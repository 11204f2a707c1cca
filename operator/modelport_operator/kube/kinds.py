"""The kinds that the operator touches, and where the API server has them."""

from typing import NamedTuple

from modelport.api.base import API_VERSION, KIND, PLURAL


class Kind(NamedTuple):
    """One kind of object."""

    api_version: str
    plural: str

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Return the path of the collection, of an object, or of a part of it."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        parts = (root, "namespaces", namespace, self.plural, name, subresource)
        return "/".join(part for part in parts if part)


KINDS: dict[str, Kind] = {
    KIND: Kind(API_VERSION, PLURAL),
    "Job": Kind("batch/v1", "jobs"),
    "Pod": Kind("v1", "pods"),
    "Deployment": Kind("apps/v1", "deployments"),
    "Service": Kind("v1", "services"),
    "CoreEvent": Kind("v1", "events"),
    "Lease": Kind("coordination.k8s.io/v1", "leases"),
    "Event": Kind("events.k8s.io/v1", "events"),
}
