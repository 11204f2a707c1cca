"""What scales the Deployment: a HorizontalPodAutoscaler by CPU and memory alone, a ScaledObject of KEDA's by all else.

Both have the Deployment as their target, so that nothing changes the resource.
"""

from typing import Any

import msgspec

from modelport.api.spec import Autoscaling, Trigger
from modelport_operator.plan.serving.pods import SERVER_CONTAINER
from modelport_operator.plan.serving.served import Body, Served

HPA = "HorizontalPodAutoscaler"
SCALED_OBJECT = "ScaledObject"
_AVERAGED = "1m"
"""What a gauge is averaged over: it tells of moments, and pods are not to follow single ones."""


def scaler_of(scaling: Autoscaling) -> str:
    """Return the kind of object that scales by what is asked for."""
    beyond_pods = scaling.requests_in_flight is not None or scaling.queue_size is not None or scaling.triggers
    return SCALED_OBJECT if beyond_pods else HPA


def lacks_prometheus(served: Served) -> bool:
    """Whether metrics of the servers are asked for, and nobody said where they are."""
    scaling = served.serving.autoscaling
    return scaling is not None and bool(_gauges(scaling)) and not served.platform.prometheus_address


def horizontal_pod_autoscaler(served: Served) -> Body | None:
    """Return the HorizontalPodAutoscaler, where CPU and memory alone are asked for."""
    scaling = served.serving.autoscaling
    if scaling is None or scaler_of(scaling) != HPA:
        return None
    spec = {
        "scaleTargetRef": _target(served),
        "minReplicas": scaling.min_replicas,
        "maxReplicas": scaling.max_replicas,
        "metrics": [
            {
                "type": "ContainerResource",  # a sidecar's share is in no request of ours
                "containerResource": {
                    "name": name,
                    "container": SERVER_CONTAINER,
                    "target": {"type": "Utilization", "averageUtilization": percent},
                },
            }
            for name, percent in _utilizations(scaling).items()
        ],
        "behavior": _behavior(scaling),
    }
    return served.body("autoscaling/v2", HPA, spec)


def scaled_object(served: Served) -> Body | None:
    """Return the ScaledObject, where KEDA is needed and all that it needs is known."""
    scaling = served.serving.autoscaling
    if scaling is None or scaler_of(scaling) != SCALED_OBJECT or lacks_prometheus(served):
        return None
    spec = {
        "scaleTargetRef": _target(served),
        "minReplicaCount": scaling.min_replicas,
        "maxReplicaCount": scaling.max_replicas,
        "pollingInterval": scaling.polling_seconds,
        "cooldownPeriod": scaling.cooldown_seconds,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior(scaling)}},
        "triggers": [
            *(_of_pods(name, percent) for name, percent in _utilizations(scaling).items()),
            *(_of_server(served, gauge, target) for gauge, target in _gauges(scaling).items()),
            *(_given(each) for each in scaling.triggers),
        ],
    }
    return served.body("keda.sh/v1alpha1", SCALED_OBJECT, spec)


def _target(served: Served) -> dict[str, str]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": served.name}


def _behavior(scaling: Autoscaling) -> Body:
    return {"scaleDown": {"stabilizationWindowSeconds": scaling.stabilization_seconds}}


def _utilizations(scaling: Autoscaling) -> dict[str, int]:
    asked = {"cpu": scaling.cpu_utilization, "memory": scaling.memory_utilization}
    return {name: percent for name, percent in asked.items() if percent is not None}


def _gauges(scaling: Autoscaling) -> dict[str, int]:
    """Return what each pod is to have, by the server's metric."""
    asked = {"requests_in_flight": scaling.requests_in_flight, "queue_size": scaling.queue_size}
    return {f"modelport_{name}": target for name, target in asked.items() if target is not None}


def _of_pods(name: str, percent: int) -> Body:
    return {
        "type": name,
        "metricType": "Utilization",
        "metadata": {"value": str(percent), "containerName": SERVER_CONTAINER},
    }


def _of_server(served: Served, gauge: str, target: int) -> Body:
    labels = f'namespace="{served.resource.metadata.namespace}",model="{served.name}"'
    return {
        "type": "prometheus",
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": served.platform.prometheus_address,
            "query": f"sum(avg_over_time({gauge}{{{labels}}}[{_AVERAGED}]))",
            "threshold": str(target),
        },
    }


def _given(trigger: Trigger) -> dict[str, Any]:
    given: dict[str, Any] = msgspec.to_builtins(trigger)
    return {"metadata": {}} | given
