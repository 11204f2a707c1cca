"""Settings of the process, read once from the environment; `Platform` is the part that decisions depend on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from modelport_operator.backoff import RECONCILES
from modelport_operator.platforms import Platform

Count = Annotated[int, Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the process; each is the variable MODELPORT_<NAME>."""

    images_file: str = "/etc/modelport/images.json"
    """JSON object of image names and references, mounted by the chart."""
    watch_namespaces: str = ""
    """Names, separated by commas; empty: all namespaces."""
    image_pull_secrets: str = ""
    """Names, separated by commas, of Secrets in the resources' namespaces."""
    otlp_endpoint: str = ""
    prometheus_address: str = ""
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
    liveness_port: int = 8080
    stuck_seconds: float = 300.0
    """How long one key may be worked on before the process counts as stuck."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces to watch; none: all."""
        return _names(self.watch_namespaces)

    def platform(self) -> Platform:
        """Return what plans depend on. Raises OSError or msgspec.DecodeError for a wrong image catalogue."""
        images = msgspec.json.decode(Path(self.images_file).read_bytes(), type=dict[str, str])
        return Platform(
            images={name: reference for name, reference in images.items() if reference},
            cpu_level=self.cpu_level,
            architecture=self.architecture,
            cluster_domain=self.cluster_domain,
            pull_secrets=_names(self.image_pull_secrets),
            reverifications=self.reverifications,
            job_ttl=self.job_ttl_seconds,
            otlp_endpoint=self.otlp_endpoint,
            prometheus_address=self.prometheus_address,
        )


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings in `environment`. Raises msgspec.ValidationError with the name of the wrong one."""
    fields = (field.name for field in msgspec.structs.fields(Settings))
    given = {name: value for name in fields if (value := environment.get(f"MODELPORT_{name.upper()}"))}
    return msgspec.convert(given, Settings, strict=False)


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name for part in listed.split(",") if (name := part.strip()))
