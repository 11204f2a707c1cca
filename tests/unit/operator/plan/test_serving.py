"""What serving consists of: what is created, changed and deleted when, and who says how many pods there are."""

import msgspec
import pytest

from modelport.api.spec import Resources
from modelport_operator.facts import LiveObject
from modelport_operator.names import APPLIED_ANNOTATION
from modelport_operator.plan.bodies.resources import SERVER, resources
from modelport_operator.plan.serving.objects import OBJECTS
from unit.operator.scenes import (
    ONNX,
    PLATFORM,
    SERVED,
    UPGRADED,
    converted,
    deployed,
    live_objects,
    plan_for,
    report_on,
    resource,
    with_spec,
    with_status,
)

MONITORED = msgspec.structs.replace(PLATFORM, prometheus_address="http://prometheus:9090")
REQUESTS = {"resources": {"requests": {"cpu": "1"}}}
CRON = {"type": "cron", "metadata": {"timezone": "UTC", "start": "0 6 * * *", "end": "0 20 * * *"}}


def serving(**said):
    return ONNX | {"serving": said}


BY_CPU = serving(autoscaling={"minReplicas": 2, "maxReplicas": 5, "cpuUtilization": 70}, **REQUESTS)
BY_CRON = serving(autoscaling={"minReplicas": 0, "maxReplicas": 3, "triggers": [CRON]})


def first(spec, platform=MONITORED):
    """Return a resource that is converted, what is created for it, and its Jobs."""
    case, jobs = converted(resource(spec))
    plan = plan_for(case, *jobs, platform=platform)
    return case, jobs, plan


def kinds(bodies):
    return [each.body["kind"] for each in bodies]


def settled(spec, **fields):
    """Return a resource whose objects are all there, with its Jobs and them."""
    case, jobs, plan = first(spec)
    live, objects = deployed(plan, **fields), live_objects(plan)
    case = with_status(case, report_on(case, plan, deployment=live))
    return case, jobs, {"deployment": live, "objects": objects, "platform": MONITORED}


def of_kind(plan, kind):
    (body,) = [each.body for each in (*plan.create, *plan.apply) if each.body["kind"] == kind]
    return body


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ({}, []),
        ({"replicas": 0}, []),
        ({"replicas": 2}, ["PodDisruptionBudget"]),
        ({"autoscaling": {"maxReplicas": 1, "queueSize": 1}}, ["ScaledObject"]),
        ({"autoscaling": {"maxReplicas": 2, "queueSize": 1}}, ["PodDisruptionBudget", "ScaledObject"]),
        ({"autoscaling": {"maxReplicas": 2, "requestsInFlight": 1}}, ["PodDisruptionBudget", "ScaledObject"]),
        ({"autoscaling": {"maxReplicas": 2, "triggers": [CRON]}}, ["PodDisruptionBudget", "ScaledObject"]),
        ({"autoscaling": {"maxReplicas": 2, "cpuUtilization": 80}}, ["PodDisruptionBudget", "HorizontalPodAutoscaler"]),
        (
            {"autoscaling": {"maxReplicas": 2, "cpuUtilization": 80, "queueSize": 1}},
            ["PodDisruptionBudget", "ScaledObject"],
        ),
    ],
)
def test_what_serving_consists_of(said, made):
    assert kinds(first(serving(**said))[2].create) == ["Deployment", "Service", *made]


@pytest.mark.parametrize(
    ("said", "begun", "kept"),
    [
        ({}, 1, 1),
        ({"replicas": 0}, 0, 0),
        ({"replicas": 3}, 3, 3),
        (BY_CPU["serving"], 2, None),
        (BY_CRON["serving"], 0, None),
        ({"autoscaling": {"maxReplicas": 4, "queueSize": 1}}, 1, None),
    ],
)
def test_no_pod_begins_that_is_not_asked_for(said, begun, kept):
    _, _, plan = first(serving(**said))
    assert (of_kind(plan, "Deployment")["spec"]["replicas"], plan.replicas) == (begun, kept)


@pytest.mark.parametrize("replicas", [1, 3, 5, 9])
@pytest.mark.parametrize("platform", [MONITORED, UPGRADED])
def test_what_an_autoscaler_wrote_stays(replicas, platform):
    everywhere = dict.fromkeys(("wanted", "replicas", "updated", "ready", "available"), replicas)
    case, jobs, there = settled(BY_CPU, **everywhere)
    plan = plan_for(case, *jobs, **there | {"platform": platform})
    assert (plan.create, plan.apply, plan.delete, plan.replicas) == ((), (), (), None)
    rolled = plan_for(
        with_spec(case, BY_CPU | {"serving": BY_CPU["serving"] | {"batching": {"maxSize": 2}}}), *jobs, **there
    )
    (change,) = rolled.apply
    assert change.body["kind"] == "Deployment"
    assert "replicas" not in change.body["spec"]


def test_a_horizontal_pod_autoscaler_is_helped_out_of_zero_and_keda_is_not():
    nothing = dict.fromkeys(("wanted", "replicas", "updated", "ready", "available"), 0)
    case, jobs, there = settled(BY_CPU, **nothing)
    assert plan_for(case, *jobs, **there).replicas == 2
    for least in (0, 1):
        spec = serving(autoscaling={"minReplicas": least, "maxReplicas": 3, "triggers": [CRON]})
        case, jobs, there = settled(spec, **nothing)
        assert plan_for(case, *jobs, **there).replicas is None


def test_another_range_changes_the_autoscaler_alone():
    case, jobs, there = settled(BY_CPU)
    wider = BY_CPU["serving"] | {"autoscaling": BY_CPU["serving"]["autoscaling"] | {"maxReplicas": 8}}
    plan = plan_for(with_spec(case, ONNX | {"serving": wider}), *jobs, **there)
    assert kinds(plan.apply) == ["HorizontalPodAutoscaler"]
    assert plan.apply[0].body["spec"]["maxReplicas"] == 8
    assert (plan.create, plan.delete) == ((), ())


@pytest.mark.parametrize(
    ("before", "after", "gone", "made"),
    [
        (BY_CPU, SERVED, ["PodDisruptionBudget", "HorizontalPodAutoscaler"], []),
        (BY_CPU, BY_CRON, ["HorizontalPodAutoscaler"], ["ScaledObject"]),
        (BY_CRON, BY_CPU, ["ScaledObject"], ["HorizontalPodAutoscaler"]),
        (BY_CRON, ONNX, ["Deployment", "Service", "PodDisruptionBudget", "ScaledObject"], []),
        (serving(replicas=2), SERVED, ["PodDisruptionBudget"], []),
        (SERVED, serving(replicas=2), [], ["PodDisruptionBudget"]),
    ],
)
def test_what_is_no_longer_wanted_is_deleted(before, after, gone, made):
    case, jobs, there = settled(before)
    plan = plan_for(with_spec(case, after), *jobs, **there)
    assert [each.kind for each in plan.delete] == gone
    assert {each.name for each in plan.delete} <= {"net"}
    uids = {each.kind: each.uid for each in (*there["objects"], there["deployment"])}
    assert {each.kind: each.uid for each in plan.delete} == {kind: uids[kind] for kind in gone}
    assert kinds(plan.create) == made


def test_while_a_new_artifact_is_made_the_one_before_is_scaled_on():
    case, jobs, there = settled(BY_CPU)
    changed = with_spec(case, BY_CPU | {"target": {"options": {"opset": 18}}})
    plan = plan_for(changed, *jobs, **there)
    assert plan.rollout is None
    assert [each.kind for each in plan.delete] == ["Job"]
    lost = there | {"objects": ()}
    assert kinds(plan_for(changed, *jobs, **lost).create)[1:] == [
        "Service",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    ]


def test_nothing_is_made_for_what_is_not_verified_yet():
    case = resource(BY_CPU)
    assert kinds(plan_for(case).create) == ["Job"]


def test_suspended_nothing_changes():
    case, jobs, there = settled(BY_CPU)
    plan = plan_for(with_spec(case, BY_CRON | {"suspend": True}), *jobs, **there)
    assert (plan.create, plan.apply, plan.delete, plan.replicas) == ((), (), (), None)


def test_a_foreign_object_is_in_the_way_only_of_what_is_wanted():
    case, jobs, there = settled(SERVED)
    mine = plan_for(case, *jobs, **there, foreign=("HorizontalPodAutoscaler net",))
    assert mine.progress.failure is None
    case, jobs, _ = settled(BY_CPU)
    plan = plan_for(case, *jobs, foreign=("HorizontalPodAutoscaler net", "ScaledObject net"))
    assert (plan.create, plan.delete) == ((), ())
    assert "HorizontalPodAutoscaler net to be free" in plan.progress.failure.message
    assert "ScaledObject" not in plan.progress.failure.message


def test_a_kind_that_the_cluster_lacks_is_left_out():
    case, jobs, _ = first(BY_CRON)
    plan = plan_for(case, *jobs, platform=MONITORED, lacking=frozenset({"ScaledObject"}))
    assert kinds(plan.create) == ["Deployment", "Service", "PodDisruptionBudget"]


def test_without_prometheus_its_metrics_scale_nothing():
    spec = serving(autoscaling={"maxReplicas": 3, "queueSize": 1, "triggers": [CRON]})
    assert "ScaledObject" not in kinds(first(spec, PLATFORM)[2].create)
    assert "ScaledObject" in kinds(first(spec, MONITORED)[2].create)


def test_another_prometheus_changes_no_pod():
    case, jobs, there = settled(serving(autoscaling={"maxReplicas": 3, "queueSize": 1}))
    moved = msgspec.structs.replace(MONITORED, prometheus_address="https://elsewhere")
    assert kinds(plan_for(case, *jobs, **there | {"platform": moved}).apply) == ["ScaledObject"]


def test_what_others_add_to_an_object_is_theirs():
    case, jobs, there = settled(BY_CRON)
    objects = []
    for each in there["objects"]:
        meta = each.body["metadata"] | {"finalizers": ["finalizer.keda.sh"], "resourceVersion": "7"}
        labels = meta["labels"] | {"scaledobject.keda.sh/name": "net"}
        body = each.body | {"metadata": meta | {"labels": labels}, "spec": each.body["spec"] | {"more": 1}}
        objects.append(msgspec.structs.replace(each, body=body))
    assert plan_for(case, *jobs, **there | {"objects": tuple(objects)}).apply == ()


def test_the_strategy_changes_no_pod():
    case, jobs, there = settled(SERVED)
    recreating = with_spec(case, serving(replicas=1, strategy="Recreate"))
    (change,) = plan_for(recreating, *jobs, **there).apply
    assert change.body["spec"]["strategy"] == {"type": "Recreate"}
    (before,) = (each.body for each in first(SERVED)[2].create if each.body["kind"] == "Deployment")
    assert change.body["spec"]["template"] == before["spec"]["template"]
    live = msgspec.structs.replace(there["deployment"], strategy="Recreate")
    assert plan_for(recreating, *jobs, **there | {"deployment": live}).apply == ()


def test_another_place_makes_pods_anew():
    case, jobs, there = settled(SERVED)
    moved = with_spec(case, serving(replicas=1, placement={"priorityClassName": "high"}))
    (change,) = plan_for(moved, *jobs, **there).apply
    assert change.body["spec"]["template"]["spec"]["priorityClassName"] == "high"
    key = change.body["spec"]["template"]["metadata"]["annotations"]["modelport.dev/serving-key"]
    assert key != there["deployment"].serving_key


@pytest.mark.parametrize("available", [0, 1])
def test_while_no_pod_answers_it_is_all_that_it_would_be_if_it_were_made_now(available):
    case, jobs, there = settled(SERVED)
    live = msgspec.structs.replace(there["deployment"], available=available)
    plan = plan_for(case, *jobs, **there | {"deployment": live, "platform": UPGRADED})
    assert bool(plan.apply) == (available == 0)
    if plan.apply:
        applied = plan.apply[0].body["metadata"]["annotations"][APPLIED_ANNOTATION]
        told = msgspec.structs.replace(live, applied=applied)
        assert plan_for(case, *jobs, **there | {"deployment": told, "platform": UPGRADED}).apply == ()


@pytest.mark.parametrize("side", ["requests", "limits"])
def test_devices_are_asked_for_on_both_sides(side):
    found = resources(SERVER, Resources(**{side: {"nvidia.com/gpu": 2, "cpu": "1"}}))
    assert found["requests"]["nvidia.com/gpu"] == found["limits"]["nvidia.com/gpu"] == "2"


def test_every_kind_is_made_by_a_function_of_its_own():
    assert len({each.kind for each in OBJECTS}) == len({each.make for each in OBJECTS}) == len(OBJECTS)
    assert LiveObject(kind="Service", uid="u").body == {}
