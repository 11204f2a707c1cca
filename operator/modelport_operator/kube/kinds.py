"""The kinds that the operator touches, and where the API server has them."""

from typing import NamedTuple

from modelport.api.base import API_VERSION, KIND, PLURAL
from modelport_operator.plan.serving.objects import OBJECTS


class Kind(NamedTuple):
    """One kind of object."""

    api_version: str
    plural: str

    @property
    def group_version_plural(self) -> tuple[str, str, str]:
        """As kopf takes them; the core group is an empty text."""
        group, _, version = self.api_version.rpartition("/")
        return group, version, self.plural

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Return the path of the collection (in all namespaces if none is said), of an object, or of a part of it."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        parts = (root, "namespaces" if namespace else "", namespace, self.plural, name, subresource)
        return "/".join(part for part in parts if part)


KINDS: dict[str, Kind] = {
    KIND: Kind(API_VERSION, PLURAL),
    "Job": Kind("batch/v1", "jobs"),
    "Pod": Kind("v1", "pods"),
    "CoreEvent": Kind("v1", "events"),
    "Lease": Kind("coordination.k8s.io/v1", "leases"),
    "Event": Kind("events.k8s.io/v1", "events"),
    **{each.kind: Kind(each.api_version, each.plural) for each in OBJECTS},
}
