"""Whole reconciliations against an API server in memory: what is called, in which order, and what is not."""

import pytest

from modelport.api.base import API_VERSION, KIND
from modelport_operator.controller.carrying import Carrier
from modelport_operator.controller.controller import Key
from modelport_operator.facts import Observed
from modelport_operator.kube.client import Address
from modelport_operator.kube.errors import ConflictError, NotServedError, RefusedError, UnavailableError
from unit.operator.operating import KEY, Scene
from unit.operator.scenes import NOW, ONNX, PLATFORM, SERVED, UPGRADED, plan_for, resource

OWNER = {"apiVersion": API_VERSION, "kind": KIND, "name": "net", "uid": "uid-before", "controller": True}
"""Who owns what a resource of the same name left that was deleted."""


@pytest.fixture
def scene():
    return Scene()


async def test_from_nothing_to_ready(scene):
    scene.kube.apply_resource(SERVED)
    await scene.reconcile()
    assert scene.kube.writes[0] == ("create", "Job", scene.kube.named("Job")[0]["metadata"]["name"])
    assert scene.kinds("create") == ["Job", "Event"]
    assert scene.kube.writes[1] == ("apply", "ModelConversion/status", "net"), "Events come after the status"
    scene.kube.run_job("net-import")
    await scene.reconcile()
    scene.kube.run_job("net-convert")
    await scene.reconcile()
    assert scene.kinds("create")[:2] == ["Deployment", "Service"]
    assert scene.ready() == ("False", "Deploying")
    scene.kube.roll_out()
    await scene.reconcile()
    assert scene.ready() == ("True", "Serving")


async def test_steady_state_writes_nothing(scene):
    await scene.serve()
    for _ in range(3):
        result = await scene.reconcile()
        assert scene.kube.writes == []
        assert result.look_again is None


async def test_where_nothing_is_to_be_done_nothing_is_asked(scene):
    await scene.serve()
    await scene.reconcile()
    assert scene.kube.reads == []
    assert scene.kube.writes == []


async def test_nothing_is_written_by_what_was_seen_alone(scene):
    await scene.serve()
    scene.watch()
    scene.watched.forget("Deployment", Address(*KEY))
    await scene.reconcile(watches=False)
    assert ("get", "Deployment") in scene.kube.reads
    assert scene.kube.writes == []


async def test_what_is_not_seen_any_more_is_looked_for(scene):
    await scene.serve()
    scene.watch()
    scene.watched.forget(KIND, Address(*KEY))
    assert await scene.reconcile(watches=False)
    assert ("get", KIND) in scene.kube.reads


async def test_a_restarted_or_upgraded_operator_writes_nothing(scene):
    await scene.serve()
    scene.reconciler = scene.operator(UPGRADED)
    await scene.reconcile()
    assert scene.kube.writes == []


async def test_a_restart_at_every_stage_makes_no_second_job(scene):
    scene.kube.apply_resource(SERVED)
    for name in ("net-import", "net-convert"):
        await scene.reconcile()
        scene.reconciler = scene.operator(PLATFORM)
        await scene.reconcile()
        assert scene.kinds("create") == []
        scene.kube.run_job(name)
    await scene.reconcile()
    assert len(scene.kube.named("Job")) == 2


async def test_replicas_are_applied_apart(scene):
    await scene.serve()
    scene.kube.apply_resource(ONNX | {"serving": {"replicas": 3}})
    await scene.reconcile()
    assert ("apply", "Deployment", "net") in scene.kube.writes
    assert scene.kube.named("Deployment")[0]["spec"]["replicas"] == 3
    scene.kube.roll_out()
    await scene.reconcile()
    assert scene.ready() == ("True", "Serving")


async def test_what_was_posted_is_owned_as_applied_before_the_first_change(scene):
    await scene.serve()
    scene.kube.apply_resource(ONNX | {"serving": {"replicas": 1, "resources": {"limits": {"memory": "1Gi"}}}})
    await scene.reconcile()
    assert [write[:2] for write in scene.kube.writes][:2] == [("patch", "Deployment"), ("apply", "Deployment")]
    assert scene.kube.named("Deployment")[0]["metadata"]["managedFields"][0]["operation"] == "Apply"


async def test_serving_left_out_is_taken_down(scene):
    await scene.serve()
    scene.kube.apply_resource(ONNX)
    await scene.reconcile()
    assert scene.kube.named("Deployment") == scene.kube.named("Service") == []
    assert scene.ready() == ("True", "Stored")


async def test_another_resource_of_the_namespace_reuses_the_artifact(scene):
    await scene.serve()
    copy = Key("team", "copy")
    scene.kube.apply_resource(ONNX, "copy")
    await scene.reconcile(copy)
    scene.kube.run_job("copy-import")
    await scene.reconcile(copy)
    assert scene.ready(copy) == ("True", "Stored")
    assert len(scene.kube.named("Job")) == 3


async def test_another_namespace_reuses_nothing(scene):
    await scene.serve()
    elsewhere = Key("other", "net")
    scene.kube.apply_resource(ONNX, "net", "other")
    await scene.reconcile(elsewhere)
    job = next(body for body in scene.kube.named("Job") if body["metadata"]["namespace"] == "other")
    assert "import" in job["metadata"]["name"]


async def test_a_hint_that_is_wrong_is_not_believed(scene):
    scene.peers.note("team", "ghost", {"status": {"source": {"digests": {"source": "sha256:" + "a" * 64}}}})
    scene.kube.apply_resource({"source": {"uri": "s3://x/y", "digest": "sha256:" + "a" * 64}})
    await scene.reconcile()
    assert scene.ready() == ("False", "Importing")


async def test_a_failure_tells_the_log(scene):
    scene.kube.apply_resource(ONNX)
    await scene.reconcile()
    said = '{"step":"fetch","failure":{"reason":"DigestMismatch","message":"expected sha256:0, found sha256:1"}}'
    scene.kube.run_job("net-import", failing=said)
    await scene.reconcile()
    failure = scene.kube.objects[(KIND, *KEY)]["status"]["failure"]
    assert (failure["reason"], failure["logTail"]) == ("DigestMismatch", "log of fetch")
    assert scene.ready() == ("False", "DigestMismatch")
    await scene.reconcile()
    assert scene.kube.writes == []


async def test_a_spec_that_cannot_be_read_is_told_and_nothing_is_touched(scene):
    await scene.serve()
    body = scene.kube.objects[(KIND, *KEY)]
    body["spec"]["serving"]["canary"] = 1
    body["metadata"]["generation"] += 1
    result = await scene.reconcile()
    assert scene.ready() == ("False", "InvalidSpec")
    status = body["status"]
    told = {each["type"]: each for each in status["conditions"]}
    assert "unknown field `canary` - at `$.spec.serving`" in told["Stalled"]["message"]
    assert told["Available"]["status"] == told["Verified"]["status"] == "True"
    assert status["observedGeneration"] == body["metadata"]["generation"]
    assert scene.kinds("delete") == []
    assert result.look_again is None  # at the next resync
    await scene.reconcile()
    assert scene.kube.writes == []


async def test_a_fault_of_the_operator_is_told_and_tried_again(scene, monkeypatch):
    await scene.serve()
    monkeypatch.setattr("modelport_operator.controller.reconciler.make_plan", _fail)
    with pytest.raises(ZeroDivisionError):
        await scene.reconcile()
    assert scene.ready() == ("False", "ProgressingWithRetry")
    failure = scene.kube.objects[(KIND, *KEY)]["status"]["failure"]
    assert (failure["reason"], failure["retryable"]) == ("OperatorFailed", True)
    assert "secret" not in str(scene.kube.objects[(KIND, *KEY)]["status"])
    monkeypatch.undo()
    await scene.reconcile()
    assert scene.ready() == ("True", "Serving")


def _fail(*_):
    raise ZeroDivisionError("secret")


@pytest.mark.parametrize("memory", ["+1Gi", "1e9", "1.5Gi", 2147483648])
async def test_quantities_of_kubernetes_are_taken(scene, memory):
    await scene.serve(spec=SERVED | {"conversion": {"resources": {"limits": {"memory": memory}}}})
    assert scene.ready() == ("True", "Serving")


async def test_what_is_no_quantity_is_told(scene):
    scene.kube.apply_resource(SERVED | {"conversion": {"resources": {"limits": {"memory": "lots"}}}})
    await scene.reconcile()
    assert scene.ready() == ("False", "InvalidSpec")


async def test_a_foreign_service_is_not_touched(scene):
    foreign = {"metadata": {"name": "net", "namespace": "team"}, "spec": {"ports": []}}
    scene.kube.put("Service", foreign)
    scene.kube.apply_resource(SERVED)
    result = await scene.reconcile()
    assert scene.kinds("create") == ["Event"]
    assert scene.ready() == ("False", "NameConflict")
    assert result.look_again
    assert scene.kube.named("Service")[0]["spec"] == {"ports": []}


async def test_a_foreign_job_in_the_way_is_not_touched(scene):
    scene.kube.apply_resource(ONNX)
    await scene.reconcile()
    (job,) = scene.kube.named("Job")
    job["metadata"]["ownerReferences"] = []
    result = await scene.reconcile()
    assert scene.ready() == ("False", "NameConflict")
    assert scene.kinds("create") == ["Event"]
    assert (result.look_again, result.refused) == (60, False), "as the hint says, however it was found"


async def test_what_a_deleted_resource_of_the_same_name_left_is_waited_for(scene):
    await scene.serve()
    del scene.kube.objects[KIND, *KEY]
    scene.kube.apply_resource(SERVED)  # at once: garbage collection has not come yet
    await scene.reconcile()
    assert (scene.ready(), scene.kinds("create")) == (("False", "Importing"), ["Event"])
    told = scene.conditions()["Ready"]["message"]
    assert "waits until Job net-import-" in told
    assert told.endswith(", about to be deleted, is gone")
    await scene.reconcile()
    assert (scene.kube.reads, scene.kube.writes) == ([], []), "the watches show that it waits on"
    for job in scene.kube.named("Job"):
        del scene.kube.objects["Job", "team", job["metadata"]["name"]]
    await scene.reconcile()
    assert scene.kinds("create") == ["Job"]
    for name in ("net-import", "net-convert"):
        scene.kube.run_job(name)
        await scene.reconcile()
    assert scene.ready() == ("False", "Deploying")
    assert "Deployment net and Service net" in scene.conditions()["Ready"]["message"]
    for kind in ("Deployment", "Service"):
        del scene.kube.objects[kind, "team", "net"]
    await scene.reconcile()
    scene.kube.roll_out()
    await scene.reconcile()
    assert scene.ready() == ("True", "Serving")


@pytest.mark.parametrize("leaves", [{"ownerReferences": [OWNER]}, {"deletionTimestamp": "2027-01-15T08:00:00Z"}])
async def test_what_is_left_is_waited_for_where_no_watch_brings_it(scene, leaves):
    left = {"metadata": {"name": "net", "namespace": "team"} | leaves}
    for kind in ("Deployment", "Service", "HorizontalPodAutoscaler"):  # without labels, as none of ours is
        scene.kube.put(kind, left)
    scaling = {"maxReplicas": 3, "cpuUtilization": 70}
    serving = {"autoscaling": scaling, "resources": {"requests": {"cpu": "1"}}}
    scene.kube.apply_resource(ONNX | {"serving": serving})
    await scene.reconcile(watches=False)
    for name in ("net-import", "net-convert"):
        scene.kube.run_job(name)
        result = await scene.reconcile(watches=False)
    assert result.look_again, "no watch tells when it is gone"
    assert scene.ready() == ("False", "Deploying")
    told = scene.conditions()["Ready"]["message"]
    assert "Deployment net and Service net and HorizontalPodAutoscaler net, about to be deleted" in told
    assert not {"Deployment", "Service", "HorizontalPodAutoscaler"} & set(scene.kinds("create"))


@pytest.mark.parametrize(
    ("change", "leaves"),
    [
        ({"ownerReferences": [OWNER]}, True),
        ({"deletionTimestamp": "2027-01-15T08:00:00Z"}, True),
        ({"ownerReferences": [OWNER | {"name": "other"}]}, False),
        ({"ownerReferences": [OWNER | {"apiVersion": "example.org/v1"}]}, False),
        ({}, False),
    ],
)
async def test_what_is_found_in_the_way_at_the_last_moment_is_a_conflict_only_if_it_stays(scene, change, leaves):
    case = resource(ONNX)
    plan = plan_for(case)
    (create,) = plan.create
    scene.kube.put("Job", {"metadata": {"name": create.body["metadata"]["name"], "namespace": "team"} | change})
    carried = Carrier(scene.kube).carry_out(plan, case, Observed(now=NOW))
    if leaves:
        with pytest.raises(ConflictError, match=r"Job net-import-\w+ is about to go"):
            await carried
    else:
        assert (await carried).refused.reason == "NameConflict"


async def test_a_refused_job_is_told_and_tried_again(scene):
    scene.kube.refuse["Job"] = 'jobs.batch "x" is forbidden: exceeded quota: small'
    scene.kube.apply_resource(ONNX)
    result = await scene.reconcile()
    assert scene.ready() == ("False", "ProgressingWithRetry")
    assert scene.kube.objects[(KIND, *KEY)]["status"]["failure"]["reason"] == "QuotaExceeded"
    assert result.refused  # the queue decides when, later each time
    scene.kube.refuse.clear()
    await scene.reconcile()
    assert scene.ready() == ("False", "Importing")


async def test_an_event_that_is_refused_changes_nothing(scene):
    scene.kube.refuse["Event"] = "no"
    scene.kube.apply_resource(ONNX)
    assert await scene.reconcile()
    assert scene.ready() == ("False", "Importing")


async def test_an_object_that_changes_at_the_same_moment_is_no_refusal(scene, monkeypatch):
    async def lost(*_):
        raise RefusedError("testing value /metadata/resourceVersion failed", status=422)

    await scene.serve()
    (live,) = scene.kube.named("Deployment")
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "somebody/else"
    monkeypatch.setattr(scene.kube, "patch", lost)
    with pytest.raises(ConflictError, match="Deployment net changed meanwhile"):
        await scene.reconcile()


async def test_what_an_admission_rule_says_of_a_change_is_a_refusal(scene, monkeypatch):
    async def refused(*_):
        raise RefusedError("admission webhook says no", status=403)

    await scene.serve()
    scene.kube.apply_resource(ONNX | {"serving": {"replicas": 1, "resources": {"limits": {"memory": "1Gi"}}}})
    monkeypatch.setattr(scene.kube, "patch", refused)
    result = await scene.reconcile()
    assert result.refused
    failure = scene.kube.objects[(KIND, *KEY)]["status"]["failure"]
    assert (failure["reason"], failure["message"]) == ("PodRefused", "admission webhook says no")


async def test_a_kind_that_every_cluster_has_is_asked_for_again(scene):
    await scene.serve()
    scene.kube.lacking = {"Deployment"}
    scene.watch()
    scene.watched.forget("Deployment", Address(*KEY))
    with pytest.raises(NotServedError):
        await scene.reconcile(watches=False)
    scene.kube.lacking.clear()
    await scene.reconcile()
    assert (scene.ready(), scene.kube.writes) == (("True", "Serving"), [])


async def test_what_was_seen_is_no_reason_for_a_fault(scene):
    await scene.serve()
    scene.watch()
    live = scene.kube.objects["Deployment", *KEY]
    scene.watched.note("Deployment", {**live, "spec": None, "metadata": live["metadata"] | {"resourceVersion": "0"}})
    assert await scene.reconcile(watches=False)
    assert (scene.ready(), scene.kube.writes) == (("True", "Serving"), [])


async def test_a_failing_api_server_reaches_the_queue(scene):
    scene.kube.apply_resource(ONNX)
    scene.kube.fail_next.append(UnavailableError("connection reset"))
    with pytest.raises(UnavailableError):
        await scene.reconcile()


async def test_a_resource_that_is_gone_or_going_is_left_to_garbage_collection(scene):
    assert await scene.reconcile() is None
    body = scene.kube.apply_resource(ONNX)
    body["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    assert await scene.reconciler(KEY) is None
    assert scene.kube.writes == []
