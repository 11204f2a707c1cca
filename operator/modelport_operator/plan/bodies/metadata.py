"""What every child has in its metadata; nothing of it is copied from the resource."""

from typing import Any

from modelport.api.resource import ModelConversion
from modelport_operator import names


def metadata(
    resource: ModelConversion, *, name: str, stage: str, annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the metadata of a child of a stage."""
    found = {
        "name": name,
        "namespace": resource.metadata.namespace,
        "labels": names.labels(resource.metadata.name, stage),
        "ownerReferences": [names.owner_reference(resource)],
    }
    return found | {"annotations": annotations} if annotations else found
