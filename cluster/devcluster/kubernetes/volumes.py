"""Decides about persistent volumes (pure): which to make, which to wipe.

Kubernetes only binds `local` volumes that somebody made; nothing in it makes or cleans any. `local`
and not `hostPath`, because only `local` volumes take the pod's fsGroup.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from devcluster.machine.network import NODE

PROVISIONER = "modelport.dev/local"
_ANNOTATION = "pv.kubernetes.io/provisioned-by"
Object = dict[str, Any]


def volumes_to_make(claims: Iterable[Object], classes: Iterable[Object], root: Path) -> list[Object]:
    """Return a volume for every claim of our classes that waits and whose pod has a node."""
    ours = {c["metadata"]["name"] for c in classes if c["provisioner"] == PROVISIONER}
    return [_volume(claim, root) for claim in claims if _waits(claim, ours)]


def volumes_to_wipe(volumes: Iterable[Object]) -> list[Object]:
    """Return our volumes whose claim is gone."""
    return [v for v in volumes if _is_ours(v) and v.get("status", {}).get("phase") == "Released"]


def _is_ours(volume: Object) -> bool:
    return bool(volume["metadata"].get("annotations", {}).get(_ANNOTATION) == PROVISIONER)


def _waits(claim: Object, classes: set[str]) -> bool:
    metadata = claim["metadata"]
    return (
        claim["spec"].get("storageClassName") in classes
        and not claim["spec"].get("volumeName")
        and "deletionTimestamp" not in metadata
        and "volume.kubernetes.io/selected-node" in metadata.get("annotations", {})
    )


def _volume(claim: Object, root: Path) -> Object:
    metadata, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{metadata['uid']}"
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {_ANNOTATION: PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": reference,
            "local": {"path": str(root / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
        },
    }
