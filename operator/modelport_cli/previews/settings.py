"""What plans depend on beside the resource: as the chart makes it of its values, or as none is known."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from modelport.jobs.planning import MOVER_IMAGE
from modelport_cli.errors import UsageError
from modelport_cli.manifest import read_documents
from modelport_cli.previews.guesses import image_names
from modelport_operator.platforms import Platform
from modelport_operator.settings import Settings, read

NOT_OF_OPERATOR = frozenset({"operator", "store"})
"""Images in the chart's values that no plan names."""
VARIABLES: Mapping[str, tuple[str, ...]] = {
    "MODELPORT_IMAGE_PULL_POLICY": ("imagePullPolicy",),
    "MODELPORT_OTLP_ENDPOINT": ("serving", "telemetry", "otlpEndpoint"),
    "MODELPORT_PROMETHEUS_ADDRESS": ("serving", "autoscaling", "prometheusAddress"),
    "MODELPORT_JOB_TTL_SECONDS": ("operator", "jobTTLSeconds"),
    "MODELPORT_CPU_LEVEL": ("operator", "cpuLevel"),
    "MODELPORT_CLUSTER_DOMAIN": ("operator", "clusterDomain"),
}
"""The operator's variables that plans depend on, by the value of the chart that they come from."""


def unknown_platform() -> Platform:
    """Return what a plan is made with where no operator is known: its defaults, and names for images."""
    return Settings().platform(image_names())


def platform_of(files: Iterable[Path]) -> Platform:
    """Return what the chart makes of files with its values, of which the later ones win. Raises UsageError."""
    values: dict[str, Any] = {}
    for path in files:
        documents = read_documents(path)
        if len(documents) != 1 or not isinstance(documents[0], dict):
            raise UsageError(f"{path}: expected one document with values of the chart, found {len(documents)}")
        values = _merge(values, documents[0])
    images = {name: reference for name, reference in (values.get("images") or {}).items() if reference}
    if MOVER_IMAGE not in images:
        found = ", ".join(images) or "none"
        raise UsageError(f"images.{MOVER_IMAGE}: expected an image in the chart's values; found {found}")
    try:
        settings = read(environment_of(values))
        return settings.platform({name: each for name, each in images.items() if name not in NOT_OF_OPERATOR})
    except msgspec.ValidationError as error:
        raise UsageError(f"values of the chart: {error}") from error


def environment_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the operator's variables that the chart makes of values and that plans depend on."""
    given = {name: _at(values, path) for name, path in VARIABLES.items()}
    store = values.get("store") or {}
    listed = {
        "MODELPORT_IMAGE_PULL_SECRETS": [each["name"] for each in values.get("imagePullSecrets") or []],
        "MODELPORT_STORE_NAMESPACES": store.get("namespaces") or [] if store.get("enabled") else [],
    }
    policies = json.dumps(values.get("networkPolicies") or {}, separators=(",", ":"), sort_keys=True)
    return (
        {name: str(value) for name, value in given.items() if value}
        | {name: ",".join(each) for name, each in listed.items()}
        | {"MODELPORT_NETWORK_POLICIES": policies}
    )


def _at(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = values
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return values as Helm merges them: maps by key, all else as a whole."""
    merged = {
        name: _merge(old[name], value) if isinstance(value, dict) and isinstance(old.get(name), dict) else value
        for name, value in new.items()
    }
    return old | merged
