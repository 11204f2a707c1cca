"""What autoscaling stands on must be there: metrics-server, KEDA, Prometheus."""

import pytest

from e2e.kube.cluster import Body, Cluster

API_SERVICES = ("v1beta1.metrics.k8s.io", "v1beta1.external.metrics.k8s.io")


@pytest.fixture(scope="session", autouse=True)
def _engines(session_cluster: Cluster) -> None:
    """Fail at once, with what to do, where there are no engines."""
    for name in API_SERVICES:
        if session_cluster.get("APIService", name) is None:
            pytest.fail(
                f"expected metrics-server and KEDA on the cluster, found no APIService {name}; run `make engines`"
            )
        session_cluster.wait_for("APIService", name, None, _is_available, what="that it is available")


def _is_available(service: Body | None) -> bool:
    conditions = (service or {}).get("status", {}).get("conditions", [])
    return any(each["type"] == "Available" and each["status"] == "True" for each in conditions)
