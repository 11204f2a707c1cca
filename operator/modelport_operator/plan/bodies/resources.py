"""Requests and limits of containers: defaults, and what the resource says in their place.

Every container states both, ephemeral storage included, because a quota may demand it and because a pod without limits
on a full node takes others with it.
"""

import re
from typing import NamedTuple

from modelport.api.base import QUANTITY_PATTERN
from modelport.api.spec import Resources

_UNITS = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9} | {
    prefix + suffix: float(base**power)
    for suffix, base in (("", 1000), ("i", 1024))
    for power, prefix in enumerate(("k" if not suffix else "K", "M", "G", "T", "P", "E"), start=1)
}
_QUANTITY = re.compile(QUANTITY_PATTERN)

Amounts = dict[str, str]


class Defaults(NamedTuple):
    """What a container gets if the resource does not say."""

    requests: Amounts
    limits: Amounts


MOVER = Defaults({"cpu": "20m", "memory": "64Mi", "ephemeral-storage": "64Mi"}, {"cpu": "1", "memory": "512Mi"})
"""Steps that move bytes."""
MODEL = Defaults({"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"}, {"cpu": "4", "memory": "4Gi"})
"""Steps that open the model."""
SERVER = Defaults(
    {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
    {"cpu": "4", "memory": "4Gi", "ephemeral-storage": "1Gi"},
)


def amount(quantity: str) -> float:
    """Return the number that a Kubernetes quantity stands for. Raises ValueError if it is none."""
    found = _QUANTITY.fullmatch(quantity)
    if found is None:
        raise ValueError(f"expected a quantity such as 500m or 2Gi, found {quantity!r}")
    number, suffix = found[1], found[2] or ""
    return float(number) * _UNITS[suffix] if suffix in _UNITS else float(number + suffix)


def resources(defaults: Defaults, given: Resources | None, *, storage: str | None = None) -> dict[str, Amounts]:
    """Return a container's resources: `given` wins, and a default on the other side never contradicts it."""
    requests = {name: str(value) for name, value in (given.requests if given else {}).items()}
    limits = {name: str(value) for name, value in (given.limits if given else {}).items()}
    devices = {name: value for name, value in (requests | limits).items() if "/" in name}  # of these nothing is shared
    requests, limits = devices | requests, devices | limits
    default_limits = defaults.limits | ({"ephemeral-storage": storage} if storage else {})
    merged_limits = {name: _larger(value, requests.get(name)) for name, value in default_limits.items()} | limits
    merged_requests = {name: _smaller(value, merged_limits.get(name)) for name, value in defaults.requests.items()}
    return {"requests": merged_requests | requests, "limits": merged_limits}


def _larger(default: str, other: str | None) -> str:
    return other if other is not None and amount(other) > amount(default) else default


def _smaller(default: str, other: str | None) -> str:
    return other if other is not None and amount(other) < amount(default) else default
