"""What the benchmark's kubelet tells is what the operator takes for results, and nothing but pods of its Node are run."""

import asyncio
import datetime as dt

import pytest
from scale.kubelet import Kubelet, is_to_run, running, succeeded
from scale.node import NODE
from scale.resources import NAMESPACE, resource

from modelport_operator.controller.controller import Key
from unit.operator.apiserver import MemoryKube
from unit.operator.operating import Scene

NOW = dt.datetime(2027, 1, 15, 8, 0, tzinfo=dt.UTC)


def pod_of(job):
    """Return the pod that the Job controller makes, and the scheduler brings to the Node."""
    owner = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": True}
    meta = {"name": f"{job['metadata']['name']}-pod", "namespace": NAMESPACE, "ownerReferences": [owner]}
    template = job["spec"]["template"]
    return {
        "metadata": meta | {"labels": template["metadata"]["labels"]},
        "spec": template["spec"] | {"nodeName": NODE},
        "status": {"phase": "Pending"},
    }


async def play(scene, name):
    """Let a resource go through Import and Convert."""
    key = Key(NAMESPACE, name)
    scene.kube.apply_resource(resource(name, "model")["spec"], key.name, key.namespace)
    for stage in ("import", "convert"):
        await scene.reconcile(key)
        job = next(each for each in scene.kube.named("Job") if each["metadata"]["name"].startswith(f"{name}-{stage}"))
        pod = scene.kube.put("Pod", pod_of(job))
        pod["status"] = running(pod, started=NOW)
        await scene.reconcile(key)
        assert scene.ready(key)[0] == "False"
        pod["status"] = succeeded(pod, started=NOW, finished=NOW)
        pod["metadata"]["resourceVersion"] += "0"
    await scene.reconcile(key)


async def test_a_resource_is_ready_by_what_is_played():
    scene = Scene()
    await play(scene, "net")
    assert scene.ready(Key(NAMESPACE, "net")) == ("True", "Stored")
    assert len(scene.kube.named("Job")) == 2


async def test_another_resource_of_the_same_model_needs_no_job():
    scene, key = Scene(), Key(NAMESPACE, "other")
    await play(scene, "net")
    scene.kube.apply_resource(resource("other", "model")["spec"], key.name, key.namespace)
    await scene.reconcile(key)
    assert scene.ready(key) == ("True", "Stored")
    assert len(scene.kube.named("Job")) == 2


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        ({}, True),
        ({"spec": {"nodeName": "another"}}, False),
        ({"spec": {}}, False),
        ({"status": {"phase": "Running"}}, False),
        ({"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}}, False),
    ],
)
def test_which_pods_are_run(change, runs):
    pod = {"metadata": {}, "spec": {"nodeName": NODE}, "status": {"phase": "Pending"}}
    assert is_to_run(pod | change) is runs


class WatchedKube(MemoryKube):
    """Tells of pods, each of them twice, as watches that overlap do."""

    def __init__(self):
        super().__init__()
        self.phases, self.ended = [], asyncio.Event()

    async def watch(self, kind, _namespace, *, labels, since=""):
        assert "modelport-operator" in labels
        for body in 2 * self.named(kind):
            yield {"type": "MODIFIED", "object": body}
        await asyncio.Event().wait()

    async def apply(self, kind, namespace, body, *, manager, subresource=""):
        self.phases.append((body["metadata"]["name"], body["status"]["phase"]))
        applied = await super().apply(kind, namespace, body, manager=manager, subresource=subresource)
        if body["status"]["phase"] == "Succeeded":
            self.ended.set()
        return applied


async def test_each_pod_is_run_once():
    scene, kube = Scene(), WatchedKube()
    scene.kube.apply_resource(resource("net", "model")["spec"], "net", NAMESPACE)
    await scene.reconcile(Key(NAMESPACE, "net"))
    pod = kube.put("Pod", pod_of(scene.kube.named("Job")[0]))
    name = pod["metadata"]["name"]
    playing = asyncio.create_task(Kubelet(kube, NAMESPACE, seconds=0).run())
    async with asyncio.timeout(10):
        await kube.ended.wait()
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    assert kube.phases == [(name, "Running"), (name, "Succeeded")]
