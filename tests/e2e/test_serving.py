"""Serving: suspend, scale, replicas 0, drain, healing."""

import pytest

from e2e.pods.loops import check_unbroken
from e2e.sources.models import answered, onnx_mlp
from e2e.tenants.conversions import Body, condition, is_observed, is_ready, jobs_selector
from e2e.tenants.tenant import ONE, Tenant

MODEL = onnx_mlp(30)
BATCH_SIZE = "modelport_batch_size"
RUNS = 20
OTHER = answered(onnx_mlp(31).content, "features", MODEL.request)


@pytest.fixture(scope="module")
def _converted(module_a: Tenant, run_id: str) -> None:
    """Convert both models once, so that the tests below reuse them and have to do with serving alone."""
    for number, model in enumerate((MODEL, OTHER)):
        module_a.apply(f"converted-{run_id}-{number}", module_a.source(model))
    for number in (0, 1):
        module_a.ready(f"converted-{run_id}-{number}")


def _is_suspended(body: Body | None) -> bool:
    return is_observed(body) and condition(body, "Ready").get("reason") == "Suspended"


def test_suspended_resource_starts_nothing_until_it_is_resumed(name: str, a: Tenant) -> None:
    with a.recording_jobs(name) as jobs:
        a.apply(name, a.source(onnx_mlp(32)), suspend=True)
        body = a.wait(name, _is_suspended, what="Suspended")
        assert condition(body, "Ready")["status"] == "False"
    assert not jobs
    a.cluster.patch("ModelConversion", name, a.namespace, {"spec": {"suspend": False}})
    a.ready(name)


@pytest.mark.usefixtures("_converted")
def test_suspended_resource_goes_on_serving(name: str, a: Tenant) -> None:
    a.apply(name, a.source(MODEL), serving=ONE)
    a.ready(name)
    a.apply(name, a.source(MODEL), serving=ONE, suspend=True)
    a.ready(name)  # what serves is what the spec asks for
    a.apply(name, a.source(onnx_mlp(33)), serving=ONE, suspend=True)
    body = a.wait(name, _is_suspended, what="Suspended")
    assert condition(body, "Ready")["status"] == "False"
    a.check(name, MODEL)
    assert not a.jobs(name), "the first was reused, the second not started"


@pytest.mark.usefixtures("_converted")
def test_scaling_up_to_zero_and_back(name: str, a: Tenant) -> None:
    a.apply(name, a.source(MODEL), serving=ONE)
    a.ready(name)
    status = _scale(a, name, 2)
    assert status["replicas"] == 2
    assert len(a.cluster.find("Pod", a.namespace, selector=status["selector"])) == 2
    _scale(a, name, 0)
    for pod in a.cluster.find("Pod", a.namespace, selector=status["selector"]):
        a.cluster.wait_gone("Pod", pod["metadata"]["name"], a.namespace)
    _scale(a, name, 1)
    a.check(name, MODEL)
    assert not a.jobs(name), "a scale is no reason to convert"


def _scale(a: Tenant, name: str, replicas: int) -> Body:
    """Scale as autoscalers do, and return the status when the resource is Ready with so many."""
    a.cluster.kubectl("scale", "mconv", name, "-n", a.namespace, f"--replicas={replicas}")

    def is_there(body: Body | None) -> bool:
        serving = (body or {}).get("status", {}).get("serving", {})
        return is_ready(body) and serving.get("readyReplicas", 0) == replicas == serving.get("replicas", 0)

    status: Body = a.wait(name, is_there, what=f"Ready with {replicas}")["status"]["serving"]
    return status


@pytest.mark.usefixtures("_converted")
def test_rollout_loses_no_request(name: str, a: Tenant) -> None:
    a.apply(name, a.source(MODEL), serving={"replicas": 2})
    a.ready(name)
    old = a.servers(name)
    with a.client.asking({name: MODEL}) as seen:
        a.apply(name, a.source(OTHER), serving={"replicas": 2})
        a.ready(name)
        for pod in old:  # so that their drain is inside the loop
            a.cluster.wait_gone("Pod", pod, a.namespace)
    check_unbroken(seen[name], MODEL, OTHER)


@pytest.mark.usefixtures("_converted")
def test_requests_that_come_together_are_run_together(name: str, a: Tenant) -> None:
    one = answered(MODEL.content, "features", MODEL.request[:1])
    a.apply(name, a.source(MODEL), serving=ONE | {"batching": {"maxSize": 8, "maxDelayMilliseconds": 50}})
    a.ready(name)
    runs, rows = _batches(a, name)
    with a.client.asking({name: one}, together=8) as seen:
        a.check(name, MODEL)
        while _batches(a, name)[0] < runs + RUNS:
            a.check(name, MODEL)
    more_runs, more_rows = _batches(a, name)
    assert more_rows - rows > 2 * (more_runs - runs)
    check_unbroken(seen[name], one)
    assert not a.jobs(name), "batching is no reason to convert"


def _batches(a: Tenant, name: str) -> tuple[float, float]:
    """Return how many runs of the model there were, and how many rows were in them."""
    lines = dict(line.rpartition(" ")[::2] for line in a.client.get(name, "metrics").text.splitlines())
    found = {key.partition("{")[0]: float(value) for key, value in lines.items() if key.startswith(BATCH_SIZE)}
    return found[f"{BATCH_SIZE}_count"], found[f"{BATCH_SIZE}_sum"]


@pytest.mark.usefixtures("_converted")
def test_children_that_are_deleted_or_changed_come_back(name: str, a: Tenant) -> None:
    a.apply(name, a.source(MODEL), serving=ONE)
    a.ready(name)
    service = a.cluster.get("Service", name, a.namespace)
    assert service
    uid = service["metadata"]["uid"]
    a.cluster.delete("Service", name, a.namespace)
    a.cluster.wait_for(
        "Service",
        name,
        a.namespace,
        lambda body: body is not None and body["metadata"]["uid"] != uid,
        what="that it is made again",
    )
    a.cluster.patch("Deployment", name, a.namespace, {"spec": {"replicas": 3}})
    a.cluster.wait_for(
        "Deployment",
        name,
        a.namespace,
        lambda body: body is not None and body["spec"]["replicas"] == 1,
        what="one replica again",
    )
    a.ready(name)
    a.check(name, MODEL)
    pods = a.cluster.find("Pod", a.namespace, selector=jobs_selector(name))
    assert pods
