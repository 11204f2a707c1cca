"""Pods of Jobs: the steps as regular containers that start at once and wait for each other through files.

Each step has a volume of its own, writable for it alone and read-only for the few later steps that need it; credentials
are mounted only where bytes move. The pod satisfies Pod Security `restricted`.
"""

from typing import Any, NamedTuple

from modelport.api import Conversion, ModelConversion
from modelport.contract import (
    DEFAULT_CREDENTIALS,
    DEFAULT_WORK,
    REQUEST_VARIABLE,
    STORE_SECRET,
    ConvertRequest,
    ImportRequest,
    VerifyRequest,
    canonical,
)
from modelport.requests import MOVER_IMAGE
from modelport_operator.names import labels
from modelport_operator.plan.progress import Work
from modelport_operator.plan.resources import MODEL, MOVER, Defaults, resources
from modelport_operator.platforms import Platform

USER = 65532
DEFAULT_STORAGE = "10Gi"
_CONVERTER = ["python", "-m", "modelport_converter"]
_SERVER = ["python", "-m", "modelport_server"]

ANNOTATIONS = {
    "sidecar.istio.io/inject": "false",  # a sidecar never ends, so neither would the Job
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}


class Step(NamedTuple):
    """One container of a Job's pod."""

    name: str
    image: str
    command: list[str]
    reads: tuple[str, ...] = ()
    """Steps whose volume it sees, read-only."""
    secrets: tuple[tuple[str, str], ...] = ()
    """Roles and names of the Secrets that it sees."""
    opens_model: bool = False


_STORE = (("store", STORE_SECRET),)


def steps_of(work: Work, resource: ModelConversion, platform: Platform) -> list[Step]:
    """Return the steps of a Job, in order."""
    mover = platform.images[MOVER_IMAGE]
    match work.request:
        case ImportRequest():
            return _import_steps(resource, mover)
        case ConvertRequest(hops=hops):
            return _convert_steps([hop.image for hop in hops], work.image, mover)
        case VerifyRequest():
            return [
                _mover("stage", mover, secrets=_STORE),
                Step("verify", work.image, [*_SERVER, "verify"], reads=("stage",), opens_model=True),
                _mover("publish", mover, reads=("verify",), secrets=_STORE),
            ]
        case _:
            raise TypeError(f"no Job has a request of type {type(work.request).__name__}")


def _mover(name: str, image: str, *, reads: tuple[str, ...] = (), secrets: tuple[tuple[str, str], ...] = ()) -> Step:
    return Step(name, image, [*_CONVERTER, name], reads=reads, secrets=secrets)


def _import_steps(resource: ModelConversion, mover: str) -> list[Step]:
    source = resource.spec.source
    locations = [("source", source.secret_ref), ("code", source.code.secret_ref if source.code else None)]
    secrets = tuple((role, secret.name) for role, secret in locations if secret)
    return [
        _mover("fetch", mover, secrets=secrets),
        _mover("inspect", mover, reads=("fetch",))._replace(opens_model=True),
        _mover("keep", mover, reads=("fetch", "inspect"), secrets=_STORE),
    ]


def _convert_steps(hop_images: list[str], server: str, mover: str) -> list[Step]:
    names = [f"hop-{number}" for number in range(1, len(hop_images) + 1)]
    before = ["stage", *names[:-1]]
    hops = [
        # the code that came with the model is in stage
        Step(name, image, [*_CONVERTER, name], reads=tuple(dict.fromkeys(("stage", previous))), opens_model=True)
        for name, image, previous in zip(names, hop_images, before, strict=True)
    ]
    # the last hop has the model, the first one the reference; a pair of equal names is one mount
    seen = tuple(dict.fromkeys((names[-1], names[0])))
    return [
        _mover("stage", mover, secrets=_STORE),
        *hops,
        Step("verify", server, [*_SERVER, "verify"], reads=seen, opens_model=True),
        _mover("publish", mover, reads=("verify",), secrets=_STORE),
    ]


def job_pod(work: Work, resource: ModelConversion, platform: Platform) -> dict[str, Any]:
    """Return the template of a Job's pod."""
    steps = steps_of(work, resource, platform)
    conversion = resource.spec.conversion
    request = canonical(work.request).decode()
    secrets = {role: name for step in steps for role, name in step.secrets}
    size = _storage(conversion)
    return {
        "metadata": {"labels": labels(resource.metadata.name, work.stage), "annotations": ANNOTATIONS},
        "spec": pod_spec(platform)
        | {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": conversion.timeout_seconds,
            "terminationGracePeriodSeconds": 5,  # there is nothing to save: a step that is stopped left no result
            "containers": [_container(step, conversion, request) for step in steps],
            "volumes": [{"name": f"step-{step.name}", "emptyDir": {"sizeLimit": size}} for step in steps]
            + [secret_volume(role, name) for role, name in secrets.items()],
        },
    }


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


def _container(step: Step, conversion: Conversion, request: str) -> dict[str, Any]:
    defaults: Defaults = MODEL if step.opens_model else MOVER
    given = conversion.resources if step.opens_model else None
    return {
        "name": step.name,
        "image": step.image,
        "command": step.command,
        "env": environment(step.name, request),
        # the sum of these limits also bounds the volumes
        "resources": resources(defaults, given, storage=_storage(conversion)),
        "securityContext": security_context(),
        "volumeMounts": [
            work_mount(step.name),
            *(work_mount(name, read_only=True) for name in step.reads),
            *(credentials_mount(role) for role, _ in step.secrets),
        ],
    }
