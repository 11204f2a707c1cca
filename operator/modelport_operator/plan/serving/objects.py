"""The list of what serving consists of. Reading, applying and deleting, watches and rights follow from it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from modelport_operator.facts import LiveObject
from modelport_operator.plan.bodies.comparison import contains
from modelport_operator.plan.serving.deployment import deployment, is_applied, with_first_replicas
from modelport_operator.plan.serving.disruption import pod_disruption_budget
from modelport_operator.plan.serving.network import server_policy, service
from modelport_operator.plan.serving.scaled import worth_telling
from modelport_operator.plan.serving.scaling import horizontal_pod_autoscaler, scaled_object
from modelport_operator.plan.serving.served import Body, Served


def _is_contained(_served: Served, body: Body, live: LiveObject) -> bool:
    return contains(live.body, body)


def _as_applied(_served: Served, body: Body) -> Body:
    return body


class ServingObject(NamedTuple):
    """A kind of object that serving consists of; each has the resource's name."""

    kind: str
    api_version: str
    plural: str
    make: Callable[[Served], Body | None]
    """Returns the object, or None where none is wanted."""
    is_applied: Callable[[Served, Body, LiveObject], bool] = _is_contained
    """Whether one that is there is as it should be."""
    begin: Callable[[Served, Body], Body] = _as_applied
    """Returns what is created, where that is more than what is applied."""
    follows_rollout: bool = False
    """Whether the one before stays as long as nothing new is to be served."""
    is_optional: bool = False
    """Whether a cluster may lack the kind."""
    worth_telling: Callable[[Mapping[str, Any]], str] | None = None
    """Returns a key of what the operator looks at, where the rest changes all the time; None: all of it."""


OBJECTS: tuple[ServingObject, ...] = (
    # before there are pods that it is about
    ServingObject("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies", server_policy),
    ServingObject("Deployment", "apps/v1", "deployments", deployment, is_applied, with_first_replicas, True),
    ServingObject("Service", "v1", "services", service),
    ServingObject("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets", pod_disruption_budget),
    ServingObject(
        "HorizontalPodAutoscaler",
        "autoscaling/v2",
        "horizontalpodautoscalers",
        horizontal_pod_autoscaler,
        worth_telling=worth_telling,
    ),
    ServingObject(
        "ScaledObject",
        "keda.sh/v1alpha1",
        "scaledobjects",
        scaled_object,
        is_optional=True,
        worth_telling=worth_telling,
    ),
)
