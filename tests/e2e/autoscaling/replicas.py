"""How many pods a Deployment has, as autoscalers made it."""

from e2e.kube.cluster import Body
from e2e.tenants.tenant import Tenant


def wait_replicas(tenant: Tenant, name: str, replicas: int, *, seconds: float = 90) -> Body:
    """Return the Deployment of a resource as soon as exactly so many pods are wanted, there, and ready."""

    def has(deployment: Body | None) -> bool:
        if deployment is None:
            return False
        status = deployment.get("status", {})
        found = [deployment["spec"]["replicas"], status.get("replicas", 0), status.get("readyReplicas", 0)]
        return found == [replicas] * 3

    what = f"{replicas} ready replicas"
    body = tenant.cluster.wait_for("Deployment", name, tenant.namespace, has, what=what, seconds=seconds)
    assert body
    return body
