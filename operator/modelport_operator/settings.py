"""Settings of the process, read once from the environment; `Platform` is the part that decisions depend on."""

import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from modelport_operator.backoff import RECONCILES
from modelport_operator.leading.lease import Terms
from modelport_operator.platforms import Network, Platform

Count = Annotated[int, Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the process; each is the variable MODELPORT_<NAME>."""

    images_file: str = "/etc/modelport/images.json"
    """JSON object of image names and references, mounted by the chart."""
    watch_namespaces: str = ""
    """Names, separated by commas; empty: all namespaces."""
    image_pull_secrets: str = ""
    """Names, separated by commas, of Secrets in the resources' namespaces."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    otlp_endpoint: str = ""
    prometheus_address: str = ""
    network_policies: str = "{}"
    """JSON object with the values `networkPolicies` of the chart."""
    namespace: str = "modelport-system"
    """The operator's own, where the chart's store is, too."""
    store_namespaces: str = ""
    """Names, separated by commas, of the namespaces whose store is the chart's."""
    cpu_level: str = "x86-64-v2"
    architecture: str = "amd64"
    cluster_domain: str = "cluster.local"
    reverifications: int = 0
    max_jobs: Count = 0
    """How many Jobs run at once; 0: any number."""
    max_jobs_per_namespace: Count = 0
    job_ttl_seconds: float = 3600.0
    resync_seconds: float = 600.0
    audit_seconds: float = 300.0
    """Between two checks of what the watches brought."""
    workers: int = 4
    backoff_seconds: float = RECONCILES.first
    max_backoff_seconds: float = RECONCILES.longest
    metrics_port: int = 9090
    probes_port: int = 8080
    stuck_seconds: float = 300.0
    """How long one key may be worked on before the process counts as stuck."""
    leader_election: bool = False
    """Whether this process works only while it holds the Lease, so that others may stand by."""
    lease_name: str = "modelport-operator"
    lease_namespace: str = ""
    """The operator's own: releases in two namespaces are two operators."""
    lease_duration_seconds: int = Terms().duration
    renew_deadline_seconds: float = Terms().deadline
    retry_period_seconds: float = Terms().retry
    pod_name: str = ""
    pod_uid: str = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"

    def __post_init__(self) -> None:
        """Check what belongs together. Raises ValueError, which msgspec tells as a ValidationError."""
        _ = self.terms
        if self.leader_election and not self.lease_namespace:
            raise ValueError("expected MODELPORT_LEASE_NAMESPACE with MODELPORT_LEADER_ELECTION, found none")

    @property
    def terms(self) -> Terms:
        """How the Lease is kept."""
        return Terms(
            duration=self.lease_duration_seconds,
            deadline=self.renew_deadline_seconds,
            retry=self.retry_period_seconds,
        )

    def identity(self) -> str:
        """Return the name by which this process holds the Lease: a container that is started again has its pod's."""
        return f"{self.pod_name or socket.gethostname()}_{self.pod_uid or uuid.uuid4()}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces to watch; none: all."""
        return _names(self.watch_namespaces)

    def platform(self, images: Mapping[str, str] | None = None) -> Platform:
        """Return what plans depend on, with the images of the catalogue if not given.

        Raises OSError or msgspec.DecodeError for a wrong catalogue, or for wrong network policies.
        """
        if images is None:
            images = msgspec.json.decode(Path(self.images_file).read_bytes(), type=dict[str, str])
        return Platform(
            images={name: reference for name, reference in images.items() if reference},
            cpu_level=self.cpu_level,
            architecture=self.architecture,
            cluster_domain=self.cluster_domain,
            pull_policy=self.image_pull_policy,
            pull_secrets=_names(self.image_pull_secrets),
            reverifications=self.reverifications,
            job_ttl=self.job_ttl_seconds,
            otlp_endpoint=self.otlp_endpoint,
            network=self._network(),
            prometheus_address=self.prometheus_address,
        )

    def _network(self) -> Network | None:
        found = msgspec.json.decode(self.network_policies, type=Network)
        if not found.enabled:
            return None
        own = {"namespace": self.namespace, "store_namespaces": _names(self.store_namespaces)}
        return msgspec.structs.replace(found, **own)


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings in `environment`. Raises msgspec.ValidationError with the name of the wrong one."""
    fields = (field.name for field in msgspec.structs.fields(Settings))
    given = {name: value for name in fields if (value := environment.get(f"MODELPORT_{name.upper()}"))}
    return msgspec.convert(given, Settings, strict=False)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name for part in listed.split(",") if (name := part.strip()))
