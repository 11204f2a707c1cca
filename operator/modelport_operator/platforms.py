"""What plans depend on beside the resource and what is observed; kept apart from the settings, which read files."""

import msgspec


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
    prometheus_address: str = ""
    """URL of the Prometheus that has the servers' metrics, as KEDA reaches it; empty: none."""
