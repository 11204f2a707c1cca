"""Pods of Jobs: the steps in regular containers that start at once and wait for each other through files.

Each step has a volume of its own, writable for its container alone and read-only for the few later steps that need it;
credentials are mounted only where bytes move. The pod satisfies Pod Security `restricted`.
"""

from collections.abc import Collection
from typing import Any

from modelport.api.resource import ModelConversion
from modelport.api.spec import Conversion
from modelport.conversion.cpu import level_of
from modelport.encoding import canonical
from modelport.jobs.containers import Container, containers_of
from modelport.jobs.environment import DEFAULT_CREDENTIALS, DEFAULT_WORK, REQUEST_VARIABLE, STORE_SECRET
from modelport.jobs.keys import locations
from modelport.jobs.requests import ConvertRequest
from modelport_operator.names import labels
from modelport_operator.plan.bodies.nodes import affinity
from modelport_operator.plan.bodies.resources import MODEL, MOVER, Defaults, resources
from modelport_operator.plan.progress import Work
from modelport_operator.platforms import Platform

USER = 65532
DEFAULT_STORAGE = "10Gi"

ANNOTATIONS = {
    "sidecar.istio.io/inject": "false",  # a sidecar never ends, so neither would the Job
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}


def job_pod(work: Work, resource: ModelConversion, platform: Platform) -> dict[str, Any]:
    """Return the template of a Job's pod."""
    containers = containers_of(work.request, platform.images)
    conversion = resource.spec.conversion
    request = canonical(work.request).decode()
    known = _secrets(resource)
    held = [role for each in containers for role in each.holds if role in known]
    size = _storage(conversion)
    return {
        "metadata": {"labels": labels(resource.metadata.name, work.stage), "annotations": ANNOTATIONS},
        "spec": pod_spec(platform)
        | (affinity(level_of(resource.spec.target.options)) if isinstance(work.request, ConvertRequest) else {})
        | {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": conversion.timeout_seconds,
            "terminationGracePeriodSeconds": 5,  # there is nothing to save: a step that is stopped left no result
            "containers": [_container(each, conversion, request, known.keys(), platform) for each in containers],
            "volumes": [
                {"name": f"step-{step}", "emptyDir": {"sizeLimit": size}} for each in containers for step in each.steps
            ]
            + [secret_volume(role, known[role]) for role in dict.fromkeys(held)],
        },
    }


def _secrets(resource: ModelConversion) -> dict[str, str]:
    """Return the names of the Secrets by role."""
    named = ((role, location.secret_ref) for role, location in locations(resource).items())
    return {"store": STORE_SECRET} | {str(role): secret.name for role, secret in named if secret}


def pod_spec(platform: Platform) -> dict[str, Any]:
    """Return what all pods have in common."""
    pull_secrets = {"imagePullSecrets": [{"name": name} for name in platform.pull_secrets]}
    return (pull_secrets if platform.pull_secrets else {}) | {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/arch": platform.architecture},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def image(reference: str, platform: Platform) -> dict[str, str]:
    """Return which image a container has, and when it is pulled where that is not as Kubernetes has it by itself."""
    policy = platform.pull_policy
    return {"image": reference} | ({"imagePullPolicy": policy} if policy != "IfNotPresent" else {})


def security_context() -> dict[str, Any]:
    """Return the security context of every container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def secret_volume(role: str, name: str) -> dict[str, Any]:
    """Return the volume of a Secret. It is not optional: a pod that lacks it waits, and the status says so."""
    return {"name": f"credentials-{role}", "secret": {"secretName": name}}


def credentials_mount(role: str) -> dict[str, Any]:
    """Return where a step sees the Secret of a role."""
    return {"name": f"credentials-{role}", "mountPath": f"{DEFAULT_CREDENTIALS}/{role}", "readOnly": True}


def work_mount(step: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return where a step sees its own volume, or the one of a step before it."""
    mount = {"name": f"step-{step}", "mountPath": f"{DEFAULT_WORK}/{step}"}
    return mount | {"readOnly": True} if read_only else mount


def environment(step: str, request: str) -> list[dict[str, str]]:
    """Return the environment of a step: temporary files go to its own volume, the root is read-only."""
    own = f"{DEFAULT_WORK}/{step}"
    values = {REQUEST_VARIABLE: request, "TMPDIR": own, "HOME": own}
    return [{"name": name, "value": value} for name, value in values.items()]


def _storage(conversion: Conversion) -> str:
    return str(conversion.storage.size) if conversion.storage else DEFAULT_STORAGE


def _container(
    each: Container, conversion: Conversion, request: str, secrets: Collection[str], platform: Platform
) -> dict[str, Any]:
    defaults: Defaults = MODEL if each.computes else MOVER
    given = conversion.resources if each.computes else None
    return {
        "name": each.name,
        **image(each.image, platform),
        "command": ["python", "-m", each.module, *each.steps],
        "env": environment(each.name, request),
        # the sum of these limits also bounds the volumes
        "resources": resources(defaults, given, storage=_storage(conversion)),
        "securityContext": security_context(),
        "volumeMounts": [
            *(work_mount(step) for step in each.steps),
            *(work_mount(step, read_only=True) for step in each.reads),
            *(credentials_mount(role) for role in each.holds if role in secrets),
        ],
    }
