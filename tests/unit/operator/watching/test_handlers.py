"""kopf against an emulated API server: events become keys, and kopf itself writes nothing."""

import asyncio

import kopf
import pytest
from prometheus_client import CollectorRegistry

from modelport_operator.controller.controller import Controller, Key, Result
from modelport_operator.controller.queue import WorkQueue
from modelport_operator.kube.kinds import KINDS
from modelport_operator.kube.watched import Watched
from modelport_operator.metrics import Metrics
from modelport_operator.peers import PeerIndex
from modelport_operator.watching import handlers
from modelport_operator.watching.listener import Listener

RESOURCES = {
    "modelport.dev/v1alpha1/modelconversions": ("ModelConversion", True),
    "batch/v1/jobs": ("Job", True),
    "apps/v1/deployments": ("Deployment", True),
    "v1/pods": ("Pod", True),
    "v1/services": ("Service", True),
    "policy/v1/poddisruptionbudgets": ("PodDisruptionBudget", True),
    "autoscaling/v2/horizontalpodautoscalers": ("HorizontalPodAutoscaler", True),
    "v1/namespaces": ("Namespace", False),
    "apiextensions.k8s.io/v1/customresourcedefinitions": ("CustomResourceDefinition", False),
}
OURS = {"app.kubernetes.io/managed-by": "modelport-operator", "modelport.dev/resource": "owner"}


class Seen:
    """A reconcile function that knows when it has seen what it waits for."""

    def __init__(self, *wanted):
        self.wanted, self.keys, self.done = set(wanted), [], asyncio.Event()

    async def __call__(self, key):
        self.keys.append(key)
        if self.wanted <= set(self.keys):
            self.done.set()
        return Result()


def body(kind, name, labels=None, **rest):
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": "team", "uid": f"uid-{name}", "labels": labels or {}},
        **rest,
    }


@pytest.fixture
def cluster(kmock):
    for name, (kind, namespaced) in RESOURCES.items():
        kmock.resources[name] = {
            "kind": kind,
            "singular": kind.lower(),
            "namespaced": namespaced,
            "verbs": ["list", "watch", "get", "patch"],
            "subresources": ["status"],
        }
    status = {"source": {"digests": {"source": "sha256:1"}}}
    kmock.objects["modelport.dev/v1alpha1/modelconversions", "team", "net"] = body(
        "ModelConversion", "net", spec={}, status=status
    )
    kmock.objects["v1/pods", "team", "pod"] = body("Pod", "pod", OURS)
    return kmock


async def test_events_become_keys_and_kopf_writes_nothing(cluster):
    seen = Seen(Key("team", "net"), Key("team", "owner"))
    controller = Controller(seen, queue=WorkQueue(), workers=2, resync=600)
    registry, settings, peers = kopf.OperatorRegistry(), kopf.OperatorSettings(), PeerIndex()
    watched = Watched()
    handlers.configure(settings)
    handlers.register(registry, Listener(controller, peers, watched, Metrics(CollectorRegistry())))
    registry._activities._handlers[:] = [each for each in registry._activities._handlers if each.id != "login"]

    @kopf.on.login(registry=registry)
    async def login(**_):
        return kopf.ConnectionInfo(server=str(cluster.url))

    working = asyncio.create_task(controller.run())
    stop = asyncio.Event()
    running = asyncio.create_task(
        kopf.operator(registry=registry, settings=settings, standalone=True, clusterwide=True, stop_flag=stop)
    )
    await asyncio.wait_for(seen.done.wait(), 20)
    stop.set()
    await asyncio.wait_for(running, 20)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert {str(request.method).upper().rsplit(".", 1)[-1] for request in cluster._requests} <= {"GET"}
    asked = [str(request.url) for request in cluster._requests if "/pods" in str(request.url)]
    assert asked
    assert all("modelport-operator" in url for url in asked), "only our own pods are asked for"
    assert peers.names("team", ["sha256:1"], besides="x") == ["net"]
    assert (await watched.get("ModelConversion", "team", "net"))["status"] == {
        "source": {"digests": {"source": "sha256:1"}}
    }
    assert [each["metadata"]["name"] for each in await watched.list_of("Pod", "team", "owner")] == ["pod"]


def test_what_a_cluster_may_lack_is_not_kopfs_to_watch():
    owned = {KINDS[kind].group_version_plural for kind in handlers.OWNED_KINDS}
    assert owned == {
        ("batch", "v1", "jobs"),
        ("", "v1", "pods"),
        ("apps", "v1", "deployments"),
        ("", "v1", "services"),
        ("networking.k8s.io", "v1", "networkpolicies"),
        ("policy", "v1", "poddisruptionbudgets"),
        ("autoscaling", "v2", "horizontalpodautoscalers"),
    }


def test_settings_of_kopf():
    settings = kopf.OperatorSettings()
    handlers.configure(settings)
    assert isinstance(settings.watching.server_timeout, int)
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.persistence.finalizer == "modelport.dev/kopf"
