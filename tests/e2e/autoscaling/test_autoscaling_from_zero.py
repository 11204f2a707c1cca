"""From no pod and to no pod, as a queue outside of the pods says."""

import time
from collections.abc import Iterator

import pytest

from e2e.autoscaling.keda import Queue
from e2e.autoscaling.replicas import wait_replicas
from e2e.kube.cluster import Cluster
from e2e.sources.models import Model, answered, onnx_mlp
from e2e.tenants.conversions import Body, condition, is_ready, jobs_selector
from e2e.tenants.tenant import Tenant

MODEL = onnx_mlp(52)
OTHER = answered(onnx_mlp(53).content, "features", MODEL.request)
POLLING_SECONDS = 2
WAKE_SECONDS = 20
"""Longest time from the queue's first entry to the first answer, beside KEDA's polling, with other tests' work around."""


@pytest.fixture
def queue(a: Tenant, images: dict[str, str], cluster: Cluster) -> Iterator[Queue]:
    """Return a queue in which nothing waits."""
    queue = Queue(cluster, a.namespace, images["server-onnxruntime"])
    yield queue
    queue.stop()


def test_queue_wakes_a_model_and_lets_it_sleep_again(name: str, a: Tenant, queue: Queue) -> None:
    scaling = {"minReplicas": 0, "maxReplicas": 2, "triggers": [queue.trigger], "pollingSeconds": POLLING_SECONDS}
    serving = {"autoscaling": scaling | {"cooldownSeconds": 5, "stabilizationSeconds": 0}}
    with a.cluster.recording("Pod", a.namespace, selector=f"{jobs_selector(name)},modelport.dev/stage=serve") as pods:
        a.apply(name, a.source(MODEL), serving=serving)
        _wait_zero(a, name)
    assert not pods, "a start at zero begins no pod"
    assert _wake(a, name, queue) < POLLING_SECONDS + WAKE_SECONDS
    a.check(name, MODEL)
    a.wait(name, _is_serving, what="Serving")
    _sleep(a, name, queue)
    a.apply(name, a.source(OTHER), serving=serving)  # promoted while nobody serves
    body = _wait_zero(a, name)
    assert condition(body, "Autoscaled")["status"] == "True"
    _wake(a, name, queue, OTHER)
    a.check(name, OTHER)
    a.delete(name)
    a.cluster.wait_gone("ScaledObject", name, a.namespace)


def _wake(a: Tenant, name: str, queue: Queue, model: Model = MODEL) -> float:
    """Let one wait, and return the seconds until a pod has answered."""
    started = time.monotonic()
    queue.put(1)
    a.client.wait_answer(name, model, seconds=60)
    return time.monotonic() - started


def _sleep(a: Tenant, name: str, queue: Queue) -> None:
    queue.put(0)
    wait_replicas(a, name, 0)
    _wait_zero(a, name)


def _wait_zero(a: Tenant, name: str) -> Body:
    return a.wait(name, _is_at_zero, what="ScaledToZero")


def _is_at_zero(body: Body | None) -> bool:
    return is_ready(body) and condition(body, "Ready")["reason"] == "ScaledToZero"


def _is_serving(body: Body | None) -> bool:
    return is_ready(body) and condition(body, "Ready")["reason"] == "Serving"
