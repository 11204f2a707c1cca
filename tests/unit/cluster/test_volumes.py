"""Which volumes are made and wiped."""

from pathlib import Path
from typing import Any

import pytest

from devcluster.kubernetes.volumes import PROVISIONER, volumes_to_make, volumes_to_wipe

CLASSES = [
    {"metadata": {"name": "standard"}, "provisioner": PROVISIONER},
    {"metadata": {"name": "theirs"}, "provisioner": "example.com/other"},
]
SELECTED = {"volume.kubernetes.io/selected-node": "modelport"}


def claim(*, class_name: str = "standard", annotations: dict[str, str] = SELECTED, **extra: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "data", "namespace": "n", "uid": "u", "annotations": annotations},
        "spec": {
            "storageClassName": class_name,
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            **extra,
        },
    }


def test_volume_is_bound_to_its_claim() -> None:
    (volume,) = volumes_to_make([claim()], CLASSES, Path("/volumes"))
    assert volume["spec"]["claimRef"]["uid"] == "u"
    assert volume["spec"]["local"]["path"] == "/volumes/pvc-u"
    assert volume["spec"]["capacity"] == {"storage": "1Gi"}


@pytest.mark.parametrize(
    "other",
    [claim(class_name="theirs"), claim(annotations={}), claim(volumeName="pvc-u")],
    ids=["another class", "no node yet", "bound"],
)
def test_other_claims_are_left_alone(other: dict[str, Any]) -> None:
    assert volumes_to_make([other], CLASSES, Path("/volumes")) == []


def test_only_our_released_volumes_are_wiped() -> None:
    def volume(phase: str, provisioner: str = PROVISIONER) -> dict[str, Any]:
        metadata = {"annotations": {"pv.kubernetes.io/provisioned-by": provisioner}}
        return {"metadata": metadata, "status": {"phase": phase}}

    released = volume("Released")
    assert volumes_to_wipe([released, volume("Bound"), volume("Released", "other"), {"metadata": {}}]) == [released]
