"""The children as Kubernetes objects: Job, Deployment and Service, built from values alone."""

from typing import Any

from modelport.api.resource import ModelConversion
from modelport.conversion.cpu import level_of
from modelport.encoding import canonical
from modelport.jobs.environment import DEFAULT_WORK, STORE_SECRET, ExitStatus
from modelport.jobs.planning import serve_request
from modelport_operator import names
from modelport_operator.plan.bodies.nodes import affinity
from modelport_operator.plan.bodies.pods import (
    credentials_mount,
    environment,
    image,
    job_pod,
    pod_spec,
    secret_volume,
    security_context,
    work_mount,
)
from modelport_operator.plan.bodies.resources import MOVER, SERVER, resources
from modelport_operator.plan.progress import Stage, Work
from modelport_operator.plan.rollout import Rollout
from modelport_operator.platforms import Platform

HTTP_PORT = 8080
SERVICE_PORT = 80
GRPC_PORT = 8081
_RETRIED = (int(ExitStatus.SKIPPED), int(ExitStatus.RETRY))
"""Exit codes after which the Job itself tries again. After others (wrong for good, out of memory, out of time, a crash)
it fails at once, and the operator, which sees why, tries again where that can help."""
_START_ALLOWANCE = 600
_PAUSE_ALLOWANCE = 360


def job(work: Work, resource: ModelConversion, platform: Platform, *, attempt: int) -> dict[str, Any]:
    """Return the Job of a stage. A Job is never changed once it is made."""
    conversion = resource.spec.conversion
    tries = conversion.retries + 1
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(
            resource,
            name=work.name,
            stage=work.stage,
            annotations={
                names.KEY_ANNOTATION: work.key,
                names.ATTEMPT_ANNOTATION: str(attempt),
                **({names.INPUTS_ANNOTATION: work.inputs} if work.inputs else {}),
            },
        ),
        "spec": {
            "backoffLimit": conversion.retries,
            # a backstop: the one of the pod keeps log and message
            "activeDeadlineSeconds": _START_ALLOWANCE + tries * (conversion.timeout_seconds + _PAUSE_ALLOWANCE),
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {
                        "action": "FailJob",
                        "onExitCodes": {"operator": "NotIn", "values": list(_RETRIED)},
                    },
                ]
            },
            "template": job_pod(work, resource, platform),
        },
    }


def deployment(rollout: Rollout, resource: ModelConversion, platform: Platform) -> dict[str, Any]:
    """Return the Deployment, without replicas: they are applied apart."""
    name = resource.metadata.name
    notes = {names.SERVING_KEY_ANNOTATION: rollout.key, names.DIGEST_ANNOTATION: rollout.digest}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(resource, name=name, stage=Stage.SERVE, annotations=notes),
        "spec": {
            "revisionHistoryLimit": 2,
            # so long do nodes take to learn of a new pod: until then its Service would refuse, or ask the old ones
            "minReadySeconds": 1,
            "selector": {"matchLabels": names.selector(name, Stage.SERVE)},
            # the old pods answer until the new ones do
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": names.labels(name, Stage.SERVE), "annotations": notes},
                "spec": _server_pod(rollout, resource, platform),
            },
        },
    }


def service(resource: ModelConversion) -> dict[str, Any]:
    """Return the Service."""
    name = resource.metadata.name
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(resource, name=name, stage=Stage.SERVE, annotations={}),
        "spec": {
            "selector": names.selector(name, Stage.SERVE),
            "ports": [
                _service_port("http", SERVICE_PORT, protocol="http"),
                _service_port("grpc", GRPC_PORT, protocol="kubernetes.io/h2c"),
            ],
        },
    }


def _service_port(name: str, port: int, *, protocol: str) -> dict[str, Any]:
    return {"name": name, "port": port, "protocol": "TCP", "targetPort": name, "appProtocol": protocol}


def _metadata(resource: ModelConversion, *, name: str, stage: Stage, annotations: dict[str, str]) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": resource.metadata.namespace,
        "labels": names.labels(resource.metadata.name, stage),
        "ownerReferences": [names.owner_reference(resource)],
    }
    return metadata | {"annotations": annotations} if annotations else metadata


def _server_pod(rollout: Rollout, resource: ModelConversion, platform: Platform) -> dict[str, Any]:
    request = canonical(serve_request(artifact=rollout.artifact_key, digest=rollout.digest)).decode()
    fetch = {
        "name": "fetch",
        **image(rollout.image, platform),
        "command": ["python", "-m", "modelport_server", "fetch"],
        "env": environment("fetch", request),
        "resources": resources(MOVER, None, storage=rollout.storage),
        "securityContext": security_context(),
        "volumeMounts": [work_mount("fetch"), credentials_mount("store")],
    }
    return (
        pod_spec(platform)
        | affinity(level_of(resource.spec.target.options))
        | {
            "terminationGracePeriodSeconds": 40,
            "initContainers": [fetch],
            "containers": [_server(rollout, resource, platform)],
            "volumes": [
                {"name": "step-fetch", "emptyDir": {"sizeLimit": rollout.storage}},
                {"name": "step-serve", "emptyDir": {"sizeLimit": "1Gi"}},
                secret_volume("store", STORE_SECRET),
            ],
        }
    )


def _server(rollout: Rollout, resource: ModelConversion, platform: Platform) -> dict[str, Any]:
    artifact = f"{DEFAULT_WORK}/fetch/out/artifact"
    ports = {"http": HTTP_PORT, "grpc": GRPC_PORT}
    serving = resource.spec.serving
    return {
        "name": "server",
        **image(rollout.image, platform),
        "command": ["python", "-m", "modelport_server", "serve", artifact, *_options(resource, ports)],
        "env": environment("serve", "")[1:] + _telemetry(resource, platform),
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()],
        "resources": resources(SERVER, serving.resources if serving else None),
        "securityContext": security_context(),
        "volumeMounts": [work_mount("fetch", read_only=True), work_mount("serve")],
        # loading a large model may take long: only then does the liveness probe begin
        "startupProbe": _probe("live", period=1, failures=600),
        "readinessProbe": _probe("ready", period=1, failures=3),
        "livenessProbe": _probe("live", period=10, failures=6),
    }


def _options(resource: ModelConversion, ports: dict[str, int]) -> list[str]:
    options = {"model-name": resource.metadata.name} | {f"{name}-port": str(port) for name, port in ports.items()}
    batching = resource.spec.serving.batching if resource.spec.serving else None
    if batching:
        options["max-batch-size"] = str(batching.max_size)
        options["max-batch-delay-milliseconds"] = str(batching.max_delay_milliseconds)
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _telemetry(resource: ModelConversion, platform: Platform) -> list[dict[str, str]]:
    """Return the variables that OpenTelemetry's SDKs read."""
    if not platform.otlp_endpoint:
        return []
    values = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": platform.otlp_endpoint,
        "OTEL_SERVICE_NAME": resource.metadata.name,
        "OTEL_RESOURCE_ATTRIBUTES": f"k8s.namespace.name={resource.metadata.namespace}",
    }
    return [{"name": name, "value": value} for name, value in values.items()]


def _probe(what: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": f"/v2/health/{what}", "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
