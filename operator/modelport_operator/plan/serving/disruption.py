"""What a drained node may take away."""

from modelport_operator.plan.serving.served import Body, Served


def pod_disruption_budget(served: Served) -> Body | None:
    """Return that one pod at a time may be evicted; None for a single pod, which could never be moved otherwise."""
    if served.serving.most_replicas <= 1:
        return None
    spec = {
        "maxUnavailable": 1,
        # a pod that does not answer anyway is no reason to keep a node
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": served.selector},
    }
    return served.body("policy/v1", "PodDisruptionBudget", spec)
