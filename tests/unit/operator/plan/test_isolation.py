"""NetworkPolicies of Jobs and servers: there before the pods that they are about, changed with the chart, gone with them."""

import msgspec
import pytest

from modelport_operator import reading
from modelport_operator.platforms import Network
from modelport_operator.settings import read
from unit.operator.operating import KEY, Scene
from unit.operator.scenes import ISOLATING, ONNX, PLATFORM, SERVED, imported, plan_for, resource

WIDER = msgspec.structs.replace(PLATFORM, network=Network(egress=[{"ports": [{"port": 3128, "protocol": "TCP"}]}]))
KIND = "NetworkPolicy"


def stages(bodies):
    return sorted(reading.stage_of(body) for body in bodies if body["kind"] == KIND)


def seen(plan):
    """Return the policies that a plan creates, as they are found afterwards."""
    made = [each.body for each in plan.create if each.body["kind"] == KIND]
    return tuple(reading.live_object(KIND, {**body, "metadata": {**body["metadata"], "uid": "u"}}) for body in made)


def test_a_job_is_created_after_its_policy():
    policy, job = plan_for(resource(ONNX), platform=ISOLATING).create
    assert (policy.body["kind"], job.body["kind"]) == (KIND, "Job")
    selector, labels = policy.body["spec"]["podSelector"], job.body["spec"]["template"]["metadata"]["labels"]
    assert selector["matchLabels"].items() <= labels.items()
    assert policy.body["metadata"]["ownerReferences"] == job.body["metadata"]["ownerReferences"]


def test_convert_and_verify_share_a_policy_that_import_has_not():
    case, first = imported(resource(ONNX))
    created = plan_for(case, first, platform=ISOLATING, stages=frozenset({"import"})).create
    assert stages(each.body for each in created) == ["convert", "import"]
    (expression,) = next(
        each.body["spec"]["podSelector"]["matchExpressions"]
        for each in created
        if reading.stage_of(each.body) == "convert"
    )
    assert expression["values"] == ["convert", "verify"]


def test_a_policy_goes_when_the_last_pod_has_gone():
    case, first = imported(resource(ONNX))
    there = seen(plan_for(resource(ONNX), platform=ISOLATING))
    policies = {"job_policies": there, "platform": ISOLATING}
    assert KIND not in {child.kind for child in plan_for(case, stages=frozenset({"import"}), **policies).delete}
    (gone,) = (child for child in plan_for(case, first, **policies).delete if child.kind == KIND)
    assert (gone.name, gone.uid) == (there[0].body["metadata"]["name"], "u")


def test_a_policy_follows_the_values_of_the_chart():
    there = {"job_policies": seen(plan_for(resource(ONNX), platform=ISOLATING)), "stages": frozenset({"import"})}
    same = plan_for(resource(ONNX), platform=ISOLATING, **there)
    assert (same.apply, [each.body["kind"] for each in same.create]) == ((), ["Job"])
    (applied,) = plan_for(resource(ONNX), platform=WIDER, **there).apply
    assert applied.body["spec"]["egress"][-2] == WIDER.network.egress[0]
    without = plan_for(resource(ONNX), platform=PLATFORM, **there)
    assert [child.kind for child in without.delete] == [KIND]


def test_names_are_nobodys_elses():
    """A resource may be named as a stage of another is."""
    (policy, _job) = plan_for(resource(ONNX, name="net"), platform=ISOLATING).create
    served = {create.body["metadata"]["name"] for create in plan_for(resource(SERVED, name="net-import")).create}
    assert policy.body["metadata"]["name"] not in {"net", "net-import", *served}
    longest = "n" * 52
    (policy, _job) = plan_for(resource(ONNX, name=longest), platform=ISOLATING).create
    assert len(policy.body["metadata"]["name"]) <= 63


@pytest.mark.parametrize("block", ["10.0.0.0/33", "10.0.0.300/8", "2001:db8::/129", "api"])
def test_what_is_no_block_of_addresses_is_told_at_the_start(block):
    given = msgspec.json.encode({"except": [block]}).decode()
    with pytest.raises(msgspec.ValidationError, match=r"networkPolicies\.except: expected blocks such as .*" + block):
        read({"MODELPORT_NETWORK_POLICIES": given}).platform({})


@pytest.fixture
def scene():
    return Scene(ISOLATING)


def policies(scene):
    return stages(scene.kube.named(KIND))


async def test_a_resource_is_isolated_from_its_first_job_on_and_without_jobs_has_its_servers_policy_alone(scene):
    scene.kube.apply_resource(SERVED)
    await scene.reconcile()
    assert scene.kinds("create") == [KIND, "Job", "Event"]
    scene.kube.run_job("net-import")
    await scene.reconcile()
    assert scene.kinds("create")[:2] == [KIND, "Job"]
    scene.kube.run_job("net-convert")
    await scene.reconcile()
    assert scene.kinds("create")[:2] == [KIND, "Deployment"]
    assert policies(scene) == ["convert", "import", "serve"]
    scene.kube.roll_out()
    await scene.reconcile()
    assert scene.ready() == ("True", "Serving")
    for job in scene.kube.named("Job"):
        meta = job["metadata"]
        await scene.kube.delete("Job", meta["namespace"], meta["name"], uid=meta["uid"])
    await scene.reconcile()
    assert policies(scene) == ["serve"]
    await scene.reconcile()
    assert scene.kube.writes == []


async def test_no_job_begins_where_its_policy_is_refused(scene):
    scene.kube.refuse[KIND] = "networkpolicies is forbidden"
    scene.kube.apply_resource(SERVED)
    await scene.reconcile()
    assert scene.kube.named("Job") == []
    assert "networkpolicies is forbidden" in scene.conditions()["Ready"]["message"]
    scene.kube.refuse.clear()
    await scene.reconcile()
    assert len(scene.kube.named("Job")) == 1


async def test_a_policy_of_a_resource_that_was_deleted_is_waited_for(scene):
    scene.kube.apply_resource(SERVED)
    await scene.reconcile()
    (policy,) = scene.kube.named(KIND)
    (job,) = scene.kube.named("Job")
    for body in (policy, job):
        del scene.kube.objects[body["kind"], KEY.namespace, body["metadata"]["name"]]
    policy["metadata"]["ownerReferences"][0]["uid"] = "uid-before"
    scene.kube.put(KIND, policy)
    await scene.reconcile()
    assert scene.kube.named("Job") == []
    assert "Stalled" not in scene.conditions()
    del scene.kube.objects[KIND, KEY.namespace, policy["metadata"]["name"]]
    await scene.reconcile()
    assert len(scene.kube.named("Job")) == 1
