"""Pods of servers: a container that fetches the artifact by its digest, then the one that serves it."""

from typing import Any

import msgspec

from modelport.api.spec import Placement
from modelport.conversion.cpu import level_of
from modelport.encoding import canonical
from modelport.jobs.environment import DEFAULT_WORK, STORE_SECRET
from modelport.jobs.planning import serve_request
from modelport_operator.plan.bodies.nodes import affinity
from modelport_operator.plan.bodies.pods import (
    credentials_mount,
    environment,
    image,
    pod_spec,
    secret_volume,
    security_context,
    work_mount,
)
from modelport_operator.plan.bodies.resources import MOVER, SERVER, resources
from modelport_operator.plan.rollout import Rollout
from modelport_operator.plan.serving.network import PORTS
from modelport_operator.plan.serving.served import Body, Served

SERVER_CONTAINER = "server"
_SPREAD_OVER = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")


def request_of(rollout: Rollout) -> str:
    """Return what the container that fetches is asked, as JSON."""
    return canonical(serve_request(artifact=rollout.artifact_key, digest=rollout.digest)).decode()


def server_pod(served: Served, rollout: Rollout) -> Body:
    """Return the spec of a server's pod."""
    fetch = {
        "name": "fetch",
        **image(rollout.image, served.platform),
        "command": ["python", "-m", "modelport_server", "fetch"],
        "env": environment("fetch", request_of(rollout)),
        "resources": resources(MOVER, None, storage=rollout.storage),
        "securityContext": security_context(),
        "volumeMounts": [work_mount("fetch"), credentials_mount("store")],
    }
    everywhere = pod_spec(served.platform)
    placement = _placed(served.serving.placement or Placement())
    return (
        everywhere
        | affinity(level_of(served.resource.spec.target.options))
        | placement
        # what was verified on one architecture serves on no other
        | {"nodeSelector": placement.get("nodeSelector", {}) | everywhere["nodeSelector"]}
        | {
            "topologySpreadConstraints": [_spread(served, each) for each in _SPREAD_OVER],
            "terminationGracePeriodSeconds": 40,
            "initContainers": [fetch],
            "containers": [_server(served, rollout)],
            "volumes": [
                {"name": "step-fetch", "emptyDir": {"sizeLimit": rollout.storage}},
                {"name": "step-serve", "emptyDir": {"sizeLimit": "1Gi"}},
                secret_volume("store", STORE_SECRET),
            ],
        }
    )


def _placed(placement: Placement) -> Body:
    """Return the parts of a pod's spec that a placement says, in the words of both."""
    placed: Body = msgspec.to_builtins(placement)
    return placed


def _spread(served: Served, topology: str) -> dict[str, Any]:
    """Return that the pods of one template are better not all in one place; a pod that cannot be elsewhere runs."""
    return {
        "maxSkew": 1,
        "topologyKey": topology,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": served.selector},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _server(served: Served, rollout: Rollout) -> Body:
    artifact = f"{DEFAULT_WORK}/fetch/out/artifact"
    return {
        "name": SERVER_CONTAINER,
        **image(rollout.image, served.platform),
        "command": ["python", "-m", "modelport_server", "serve", artifact, *_options(served)],
        "env": environment("serve", "")[1:] + _telemetry(served),
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in PORTS.items()],
        "resources": resources(SERVER, served.serving.resources),
        "securityContext": security_context(),
        "volumeMounts": [work_mount("fetch", read_only=True), work_mount("serve")],
        # loading a large model may take long: only then does the liveness probe begin
        "startupProbe": _probe("live", period=1, failures=600),
        "readinessProbe": _probe("ready", period=1, failures=3),
        "livenessProbe": _probe("live", period=10, failures=6),
    }


def _options(served: Served) -> list[str]:
    options = {"model-name": served.name} | {f"{name}-port": str(port) for name, port in PORTS.items()}
    batching = served.serving.batching
    if batching:
        options["max-batch-size"] = str(batching.max_size)
        options["max-batch-delay-milliseconds"] = str(batching.max_delay_milliseconds)
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _telemetry(served: Served) -> list[dict[str, str]]:
    """Return the variables that OpenTelemetry's SDKs read."""
    if not served.platform.otlp_endpoint:
        return []
    values = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": served.platform.otlp_endpoint,
        "OTEL_SERVICE_NAME": served.name,
        "OTEL_RESOURCE_ATTRIBUTES": f"k8s.namespace.name={served.resource.metadata.namespace}",
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def _probe(what: str, *, period: int, failures: int) -> Body:
    return {
        "httpGet": {"path": f"/v2/health/{what}", "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
