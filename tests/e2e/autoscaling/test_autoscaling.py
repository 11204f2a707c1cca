"""Load makes replicas grow and quiet makes them shrink, without a request lost; what autoscalers decided is left alone."""

import json

import pytest

from e2e.autoscaling.replicas import wait_replicas
from e2e.kube import release
from e2e.pods.loops import check_unbroken
from e2e.sources.models import answered, onnx_mlp
from e2e.tenants.conversions import Body, Predicate, condition, conversion, is_ready
from e2e.tenants.tenant import Tenant

MODEL = onnx_mlp(50)
OTHER = answered(onnx_mlp(51).content, "features", MODEL.request)
RANGE = {"minReplicas": 1, "maxReplicas": 3, "pollingSeconds": 5}
BY_CPU: Body = {"resources": {"requests": {"cpu": "50m"}}}
CPU = {"cpuUtilization": 80}
BY_REQUESTS: Body = {"batching": {"maxSize": 64, "maxDelayMilliseconds": 100}}  # what waits for others is in flight
REQUESTS = {"requestsInFlight": 3}
HEAVY = 8
"""Loops over each protocol that are more than one pod is to have."""
RESYNC_SECONDS = "2"


@pytest.fixture(scope="module", autouse=True)
def _converted(module_a: Tenant, run_id: str) -> None:
    """Convert both models once, so that the tests below reuse them and have to do with serving alone."""
    for number, model in enumerate((MODEL, OTHER)):
        module_a.apply(f"converted-{run_id}-{number}", module_a.source(model))
    for number in (0, 1):
        module_a.ready(f"converted-{run_id}-{number}")


def _is_autoscaled(body: Body | None) -> bool:
    return is_ready(body) and condition(body, "Autoscaled").get("status") == "True"


@pytest.mark.parametrize(
    ("serving", "target"), [(BY_CPU, CPU), (BY_REQUESTS, REQUESTS)], ids=["cpu", "requests-in-flight"]
)
def test_load_makes_replicas_grow_and_quiet_makes_them_shrink(
    serving: Body, target: Body, name: str, a: Tenant
) -> None:
    a.apply(name, a.source(MODEL), serving=serving | {"autoscaling": RANGE | target | {"stabilizationSeconds": 0}})
    a.wait(name, _is_autoscaled, what="Autoscaled")
    wait_replicas(a, name, 1)
    with a.client.asking({name: MODEL}) as light:  # goes on while replicas come and go
        with a.client.asking({name: MODEL}, together=HEAVY) as heavy:
            wait_replicas(a, name, 3)
            status = a.wait(name, _has_ready(3), what="3 pods in the status")["status"]["serving"]
        wait_replicas(a, name, 1)
    assert status["replicas"] == 3
    check_unbroken(heavy[name], MODEL)
    check_unbroken(light[name], MODEL)
    assert not a.jobs(name), "load is no reason to convert"


def _has_ready(replicas: int) -> Predicate:
    def has(body: Body | None) -> bool:
        return (body or {}).get("status", {}).get("serving", {}).get("readyReplicas") == replicas

    return has


def test_what_the_autoscaler_decided_survives_restart_resync_apply_and_rollout(name: str, a: Tenant) -> None:
    serving = BY_CPU | {"autoscaling": RANGE | CPU | {"stabilizationSeconds": 3600}}
    source = a.source(MODEL)
    resource = a.apply(name, source, serving=serving)
    a.wait(name, _is_autoscaled, what="Autoscaled")
    with a.client.asking({name: MODEL}, together=HEAVY):
        before = wait_replicas(a, name, 3)
    with release.resync(a.cluster, RESYNC_SECONDS):  # restarts the operator
        again = a.apply(name, source, serving=serving)
        assert not a.cluster.kubectl("diff", "-f", "-", text=_manifest(name, a, source, serving))
        release.wait_reconciles(a.cluster, name, 2)
        after = wait_replicas(a, name, 3)
    assert after["metadata"]["generation"] == before["metadata"]["generation"], "somebody touched the Deployment"
    assert again["metadata"]["generation"] == resource["metadata"]["generation"], "autoscalers leave the resource alone"
    a.apply(name, a.source(OTHER), serving=serving)
    a.ready(name)
    a.check(name, OTHER)
    assert wait_replicas(a, name, 3)["spec"]["replicas"] == 3


def _manifest(name: str, a: Tenant, source: Body, serving: Body) -> str:
    return json.dumps(conversion(name, a.namespace, source, serving=serving))
