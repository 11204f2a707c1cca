"""Names, labels and annotations of children: constants and pure functions, so that every repeat finds the same objects.

Nothing is copied from the resource: labels of a GitOps tool on a child would make the tool prune it.
"""

import hashlib

from modelport.api.base import API_VERSION, GROUP, KIND
from modelport.api.resource import ModelConversion

MANAGER = "modelport-operator"
"""Value of the managed-by label, and field manager of what is applied."""
REPLICAS_MANAGER = f"{MANAGER}-replicas"
STATUS_MANAGER = f"{MANAGER}-status"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
NAME_LABEL = "app.kubernetes.io/name"
RESOURCE_LABEL = f"{GROUP}/resource"
STAGE_LABEL = f"{GROUP}/stage"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""On a Job: the LocalQueue that Kueue admits it from."""
OWNED_SELECTOR = f"{MANAGED_BY_LABEL}={MANAGER}"

KEY_ANNOTATION = f"{GROUP}/key"
"""On a Job: the whole key that its name abbreviates."""
INPUTS_ANNOTATION = f"{GROUP}/inputs"
"""On a Job that converts or verifies: its key without the images, which another operator may have others of."""
ATTEMPT_ANNOTATION = f"{GROUP}/attempt"
"""On a Job: how many Jobs ran for this key, this one included."""
SERVING_KEY_ANNOTATION = f"{GROUP}/serving-key"
"""On a Deployment and its pods: hash of artifact, image and what spec.serving says of pods; only another one changes them."""
DIGEST_ANNOTATION = f"{GROUP}/artifact-digest"
APPLIED_ANNOTATION = f"{GROUP}/applied"
"""On a Deployment: key of all that was applied, of which the serving key has but what may change pods that answer."""

MAX_NAME = 63


def child_name(name: str, role: str, key: str) -> str:
    """Return the name of a child: `<name>-<role>-<hash>`, a DNS label, shortened where the name is long."""
    plain = f"{name}-{role}-{key[:8]}"
    if len(plain) <= MAX_NAME:
        return plain
    # the part of the name that is cut off must still tell two resources apart
    digest = hashlib.sha256(f"{name}/{key}".encode()).hexdigest()[:8]
    room = MAX_NAME - len(f"-{role}-{digest}")
    return f"{name[:room].rstrip('-')}-{role}-{digest}"


def labels(name: str, stage: str) -> dict[str, str]:
    """Return the labels of a child and of its pods."""
    return {
        NAME_LABEL: "modelport",
        MANAGED_BY_LABEL: MANAGER,
        RESOURCE_LABEL: name,
        STAGE_LABEL: stage.lower(),
    }


def selector(name: str, stage: str) -> dict[str, str]:
    """Return the labels that a Service and a Deployment find their pods by; never to be changed."""
    return {RESOURCE_LABEL: name, STAGE_LABEL: stage.lower()}


def owner_reference(resource: ModelConversion) -> dict[str, object]:
    """Return the reference that lets garbage collection delete a child with its resource."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": resource.metadata.name,
        "uid": resource.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
