"""Who says how many pods there are, over whole reconciliations: what an autoscaler wrote stays, whatever happens."""

import pytest

from modelport_operator.kube.discovery import OPTIONAL_KINDS
from unit.operator.operating import KEY, Scene
from unit.operator.scenes import ONNX, PLATFORM, SERVED, UPGRADED

BY_CPU = ONNX | {
    "serving": {
        "autoscaling": {"minReplicas": 1, "maxReplicas": 5, "cpuUtilization": 70},
        "resources": {"requests": {"cpu": "1"}},
    }
}
CRON = {"type": "cron", "metadata": {"timezone": "UTC"}}
FROM_ZERO = ONNX | {"serving": {"autoscaling": {"minReplicas": 0, "maxReplicas": 3, "triggers": [CRON]}}}
HPA = "HorizontalPodAutoscaler"


@pytest.fixture
def scene():
    return Scene()


def replicas(scene):
    (body,) = scene.kube.named("Deployment")
    return body["spec"]["replicas"]


def batched(spec, size):
    return spec | {"serving": spec["serving"] | {"batching": {"maxSize": size}}}


async def scaled(scene, count=3):
    """Serve, and let the autoscaler ask for `count` pods."""
    await scene.serve(spec=BY_CPU)
    scene.kube.tell(HPA, ("ScalingActive", "True", "ValidMetricFound"))
    scene.kube.scale(count)
    await scene.reconcile()
    assert (replicas(scene), scene.ready()) == (count, ("True", "Serving"))


def condition(scene, name):
    status = scene.kube.objects[("ModelConversion", *KEY)]["status"]
    found = next(each for each in status["conditions"] if each["type"] == name)
    return found["status"], found["reason"]


async def test_three_stay_three_through_resync_restart_and_upgrade(scene):
    await scaled(scene)
    for platform in (PLATFORM, UPGRADED):
        scene.reconciler = scene.operator(platform)
        await scene.reconcile()
        assert (scene.kube.writes, replicas(scene)) == ([], 3)


async def test_three_stay_three_through_rollouts(scene):
    await scaled(scene)
    for size in (2, 4):  # the first apply takes over what was posted, the second leaves out what the first had
        scene.kube.apply_resource(batched(BY_CPU, size))
        await scene.reconcile()
        assert ("apply", "Deployment", "net") in scene.kube.writes
        assert replicas(scene) == 3
        scene.kube.roll_out()
        await scene.reconcile()
        assert scene.ready() == ("True", "Serving")


async def test_what_was_posted_stays_where_no_autoscaler_wrote_yet(scene):
    least = BY_CPU["serving"] | {"autoscaling": BY_CPU["serving"]["autoscaling"] | {"minReplicas": 3}}
    await scene.serve(spec=ONNX | {"serving": least})
    for size in (2, 4):
        scene.kube.apply_resource(batched(ONNX | {"serving": least}, size))
        await scene.reconcile()
        assert ("apply", "Deployment", "net") in scene.kube.writes
        assert replicas(scene) == 3, "an apply without replicas must not set them to 1"


async def test_replicas_go_from_a_person_to_an_autoscaler_and_back(scene):
    await scene.serve()
    scene.kube.apply_resource(ONNX | {"serving": {"replicas": 2}})
    await scene.reconcile()
    scene.kube.apply_resource(BY_CPU)
    await scene.reconcile()
    assert replicas(scene) == 2
    scene.kube.scale(4)
    scene.kube.apply_resource(batched(BY_CPU, 2))
    await scene.reconcile()
    assert replicas(scene) == 4
    scene.kube.apply_resource(SERVED)
    await scene.reconcile()
    assert replicas(scene) == 1
    assert scene.kube.named(HPA) == scene.kube.named("PodDisruptionBudget") == []


@pytest.mark.parametrize("spec", [ONNX | {"serving": {"replicas": 0}}, FROM_ZERO])
async def test_zero_pods_are_zero_from_the_start(scene, spec):
    written = []
    create = scene.kube.create

    async def noting(kind, namespace, body, *, manager):
        written.append(body["spec"].get("replicas")) if kind == "Deployment" else None
        return await create(kind, namespace, body, manager=manager)

    scene.kube.create = noting
    await scene.serve(spec=spec)
    assert (written, replicas(scene)) == ([0], 0)


async def test_what_triggers_wake_is_told(scene):
    await scene.serve(spec=FROM_ZERO)
    assert scene.ready() == ("False", "Deploying")
    scene.kube.tell("ScaledObject", ("Ready", "True", "ScaledObjectReady"))
    await scene.reconcile()
    assert scene.ready() == ("True", "ScaledToZero")
    scene.kube.scale(1)
    await scene.reconcile()
    assert scene.ready() == ("True", "Serving")
    scene.kube.scale(0)
    await scene.reconcile()
    assert scene.ready() == ("True", "ScaledToZero")
    await scene.reconcile()
    assert scene.kube.writes == []


async def test_a_foreign_autoscaler_of_the_same_name_is_not_touched(scene):
    foreign = {"metadata": {"name": "net", "namespace": "team"}, "spec": {"maxReplicas": 9}}
    scene.kube.put(HPA, foreign)
    await scene.serve()
    assert scene.ready() == ("True", "Serving")
    scene.kube.apply_resource(BY_CPU)
    await scene.reconcile()
    assert scene.ready() == ("False", "NameConflict")
    scene.kube.apply_resource(ONNX)
    await scene.reconcile()
    assert scene.kube.named("Deployment") == []
    assert scene.kube.named(HPA)[0]["spec"] == {"maxReplicas": 9}


async def test_a_cluster_without_keda_is_told_and_never_asked_for_its_objects(scene):
    scene.kube.lacking = set(OPTIONAL_KINDS)
    await scene.discovery.look()
    await scene.serve(spec=FROM_ZERO)
    assert condition(scene, "Autoscaled") == ("False", "KedaNotInstalled")
    assert scene.ready() == ("False", "ProgressingWithRetry")
    scene.kube.lacking = set()
    await scene.discovery.look()
    await scene.reconcile()
    assert scene.kinds("create")[0] == "ScaledObject"
    assert condition(scene, "Autoscaled") == ("Unknown", "NotReported")


async def test_keda_that_is_taken_away_is_told(scene):
    await scene.serve(spec=FROM_ZERO)
    del scene.kube.objects["ScaledObject", "team", "net"]
    scene.kube.lacking = set(OPTIONAL_KINDS)
    await scene.reconcile()
    assert condition(scene, "Autoscaled") == ("False", "KedaNotInstalled")
    assert scene.discovery.lacking == set(OPTIONAL_KINDS)
