"""What plans depend on beside the resource and what is observed; kept apart from the settings, which read files."""

import ipaddress
from typing import Any

import msgspec


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What the chart says of the connections of Jobs and servers; peers and rules are as a NetworkPolicy has them."""

    enabled: bool = True
    """Whether there are NetworkPolicies at all."""
    left_out: tuple[str, ...] = msgspec.field(default=(), name="except")
    """Blocks of addresses that are nobody's source or store, such as those of the API server and the nodes."""
    sources: list[dict[str, Any]] = []
    """Peers that have files of sources; none: anywhere."""
    store: list[dict[str, Any]] = []
    """Peers that are the store of namespaces for which the chart has none; none: anywhere."""
    dns: list[dict[str, Any]] = []
    """Peers that resolve names, beside pods and the usual addresses on nodes."""
    egress: list[dict[str, Any]] = []
    """Further rules."""
    namespace: str = "modelport-system"
    """Where the chart's own store is,"""
    store_namespaces: tuple[str, ...] = ()
    """and whose store it is."""

    def __post_init__(self) -> None:
        """Check the blocks. Raises ValueError, which msgspec tells as a ValidationError."""
        for each in self.left_out:
            try:
                ipaddress.ip_network(each, strict=False)
            except ValueError as error:
                raise ValueError(
                    f"networkPolicies.except: expected blocks such as 10.0.0.0/16, found {each!r}"
                ) from error


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """What plans depend on beside the resource and what is observed."""

    images: dict[str, str]
    cpu_level: str = "x86-64-v2"
    architecture: str = "amd64"
    cluster_domain: str = "cluster.local"
    pull_secrets: tuple[str, ...] = ()
    """Names of the Secrets that Jobs' and servers' images are pulled with."""
    pull_policy: str = "IfNotPresent"
    """When nodes pull these images: `imagePullPolicy` of a container."""
    reverifications: int = 0
    """How many artifacts at once are verified by a newer server image, which then serves; 0: each keeps its own."""
    job_ttl: float = 3600.0
    """Seconds that a Job is kept after it ended, to be looked at."""
    otlp_endpoint: str = ""
    """Where servers send telemetry; empty: nowhere."""
    network: Network | None = None
    """What Jobs and servers may connect to; None: whatever the cluster lets them."""
    prometheus_address: str = ""
    """URL of the Prometheus that has the servers' metrics, as KEDA reaches it; empty: none."""
