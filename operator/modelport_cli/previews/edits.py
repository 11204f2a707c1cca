"""The resource as it would be once a manifest was applied: its spec, and what an apply leaves alone."""

from typing import Any

import msgspec

from modelport.api.resource import ModelConversion
from modelport_cli.errors import UsageError
from modelport_cli.manifest import parse_resource

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
Body = dict[str, Any]


def namespace_in(manifest: Body, namespace: str | None) -> str | None:
    """Return the namespace that manifest and option agree on; None: neither says. Raises UsageError."""
    stated: str | None = manifest["metadata"].get("namespace")
    if stated and namespace and stated != namespace:
        message = f"--namespace: expected {stated}, which the manifest states, or none; found {namespace}"
        raise UsageError(message, "Leave out one of them.")
    return stated or namespace


def apply(manifest: Body, live: Body | None, *, namespace: str, origin: str) -> ModelConversion:
    """Return the resource after an apply of a right manifest. Raises UsageError for what the API server would refuse."""
    placed = manifest | {"metadata": manifest["metadata"] | {"namespace": namespace}, "status": {}}
    if live is None:
        return parse_resource(placed, origin)
    metadata = live["metadata"] | {"annotations": _annotations(manifest, live)}
    edited = parse_resource(
        placed | {"metadata": metadata, "spec": _spec(manifest, live), "status": live.get("status")}, origin
    )
    before = parse_resource(placed | {"spec": live["spec"]}, "the live resource")
    if edited.spec == before.spec:
        return edited
    generation = edited.metadata.generation + 1
    return msgspec.structs.replace(edited, metadata=msgspec.structs.replace(edited.metadata, generation=generation))


def _spec(manifest: Body, live: Body) -> Body:
    """Return the spec; who does not state the replicas leaves them to `kubectl scale`, where somebody called that."""
    spec: Body = manifest["spec"]
    kept = (live["spec"].get("serving") or {}).get("replicas")
    is_scaled = any(each.get("subresource") == "scale" for each in live["metadata"].get("managedFields") or [])
    if kept is None or not is_scaled or not isinstance(spec.get("serving"), dict):
        return spec
    return spec | {"serving": {"replicas": kept} | spec["serving"]}


def _annotations(manifest: Body, live: Body) -> dict[str, str]:
    """Return the annotations: an apply removes those that it gave before and does not give any more."""
    given = manifest["metadata"].get("annotations") or {}
    present = live["metadata"].get("annotations") or {}
    try:
        before = msgspec.json.decode(present.get(_LAST_APPLIED, "{}"))
    except msgspec.DecodeError:
        before = {}
    gone = ((before.get("metadata") or {}).get("annotations") or {}).keys() - given.keys()
    return {name: value for name, value in present.items() if name not in gone} | given
