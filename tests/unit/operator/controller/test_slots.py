"""Room for Jobs and shared conversions, by whole reconciliations: who waits, who is woken, and what a restart changes."""

import copy
import random
from collections import Counter

import msgspec
import pytest

from modelport.api.base import KIND, RETRY_ANNOTATION
from modelport_operator.controller.controller import Key
from modelport_operator.controller.line import Limits
from modelport_operator.kube.errors import RefusedError, UnavailableError
from modelport_operator.kube.kinds import KINDS
from unit.operator.operating import Scene
from unit.operator.scenes import ONNX, PLATFORM, SERVED, TODAY, UPGRADED

A, B, C, ELSEWHERE = Key("team", "a"), Key("team", "b"), Key("team", "c"), Key("other", "x")
ONE = Limits(jobs=1)
FAILED = '{"step":"fetch","failure":{"reason":"DigestMismatch","message":"expected sha256:0, found sha256:1"}}'


def spec(name, **conversion):
    return {"source": {"uri": f"s3://models/{name}.onnx"}} | ({"conversion": conversion} if conversion else {})


class Shared(Scene):
    """Several resources, each with a source of its own."""

    async def begin(self, *keys, **conversion):
        for key in keys:
            self.kube.apply_resource(spec(key.name, **conversion), key.name, key.namespace)
            await self.reconcile(key)

    async def wake(self):
        """Work on those that were woken, in order, until nobody is; return them."""
        seen = []
        while self.woken:
            seen.append(self.woken.pop(0))
            await self.reconcile(seen[-1])
        return seen

    def restart(self, limits=ONE, platform=PLATFORM):
        self.woken.clear()
        self.reconciler = self.operator(platform, limits)

    async def later(self, key):
        """Look at a resource when its place is told anew."""
        self.now += 600
        await self.reconcile(key)

    def condition(self, key, name):
        found = self.kube.objects[(KIND, *key)]["status"]["conditions"]
        return next((each for each in found if each["type"] == name), None)

    def told(self, key):
        return self.condition(key, "Reconciling")["message"]

    def jobs(self, *, namespace="team"):
        found = [body["metadata"] for body in self.kube.named("Job")]
        return sorted(each["name"].rpartition("-")[0] for each in found if each["namespace"] == namespace)

    def delete(self, key):
        uid = self.kube.objects.pop((KIND, *key))["metadata"]["uid"]
        for other, body in list(self.kube.objects.items()):
            if any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences", [])):
                del self.kube.objects[other]

    def end_job(self, name, *, failing=None):
        """Run the pod of a Job to its end, and have the Job's controller see it."""
        self.kube.run_job(name, failing=failing)
        condition = {"type": "Failed", "reason": "PodFailurePolicy"} if failing else {"type": "Complete"}
        self.job(name)["status"] = {"conditions": [condition | {"status": "True", "lastTransitionTime": TODAY}]}

    def leave_pending(self, name):
        """Have no node take the pod of a Job."""
        meta, template = self.job(name)["metadata"], self.job(name)["spec"]["template"]
        owner = {"kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
        labels = template["metadata"]["labels"]
        pod = {"name": f"{meta['name']}-pod", "namespace": "team", "labels": labels, "ownerReferences": [owner]}
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
        status = {"phase": "Pending", "conditions": [condition]}
        self.kube.put("Pod", {"metadata": pod, "spec": template["spec"], "status": status})

    def job(self, name):
        return next(body for body in self.kube.named("Job") if body["metadata"]["name"].startswith(name))

    def suspend_job(self, name, *, suspended=True):
        self.job(name)["spec"]["suspend"] = suspended


@pytest.fixture
def scene():
    return Shared(limits=ONE)


async def test_so_many_jobs_run_at_once_and_the_others_say_their_place(scene):
    await scene.begin(A, B, C)
    assert scene.jobs() == ["a-import"]
    assert scene.ready(A) == ("False", "Importing")
    assert scene.ready(B) == ("False", "Queued")
    assert scene.told(B) == "Queued: place 1 of 1; 1 of 1 Jobs of the cluster run"
    assert scene.told(C) == "Queued: place 2 of 2; 1 of 1 Jobs of the cluster run"
    assert scene.condition(C, "Queued")["status"] == "True"
    assert scene.woken == []


async def test_who_is_far_from_its_turn_is_looked_at_seldom(scene):
    keys = [Key("team", f"r{number:02}") for number in range(60)]
    await scene.begin(*keys)
    waits = [(await scene.reconcile(key)).look_again for key in (keys[1], keys[3], keys[59])]
    assert waits == [15, 45, 600]
    scene.delete(keys[1])
    await scene.reconcile(keys[1])
    for key in keys[2:]:
        await scene.reconcile(key)
        assert scene.kube.writes == [], "each write is an event, and brings everybody back"
    await scene.later(keys[2])
    assert scene.told(keys[2]).startswith("Queued: place 1 of 58;")


async def test_room_stays_with_a_resource_until_it_needs_no_job_and_then_wakes_the_next_alone(scene):
    await scene.begin(A, B, C)
    scene.kube.run_job("a-import")
    await scene.reconcile(A)
    assert (scene.jobs(), scene.woken) == (["a-convert", "a-import"], [])
    scene.kube.run_job("a-convert")
    await scene.reconcile(A)
    assert scene.ready(A) == ("True", "Stored")
    assert await scene.wake() == [B]
    assert "b-import" in scene.jobs()
    assert "c-import" not in scene.jobs()
    assert scene.condition(B, "Queued") is None


async def test_namespaces_take_turns(scene):
    await scene.begin(A, B, C, ELSEWHERE)
    assert scene.told(ELSEWHERE) == "Queued: place 1 of 3; 1 of 1 Jobs of the cluster run"
    scene.delete(A)
    await scene.reconcile(A)
    assert await scene.wake() == [ELSEWHERE]
    assert scene.jobs(namespace="other") == ["x-import"]


async def test_a_namespace_has_a_limit_of_its_own():
    scene = Shared(limits=Limits(per_namespace=1))
    await scene.begin(A, B, ELSEWHERE)
    assert scene.told(B) == "Queued: place 1 of 1; 1 of 1 Jobs of this namespace run"
    assert (scene.jobs(), scene.jobs(namespace="other")) == (["a-import"], ["x-import"])


async def test_a_restart_changes_no_place(scene):
    await scene.begin(A)
    for key in (C, B):
        scene.now += 5
        await scene.begin(key)
    scene.restart()
    scene.now += 5
    late = Key("team", "0")
    await scene.begin(late, B, C)
    assert scene.jobs() == ["a-import"]
    places = {key: scene.told(key).partition(";")[0] for key in (C, B, late)}
    assert places == {C: "Queued: place 1 of 3", B: "Queued: place 2 of 3", late: "Queued: place 3 of 3"}
    assert {A, B, C} <= set(scene.woken), "one of them may be gone before anybody watches"
    scene.woken.clear()
    scene.end_job("a-import", failing=FAILED)
    await scene.reconcile(A)
    assert await scene.wake() == [C]


async def test_a_resource_that_went_while_nobody_watched_holds_no_room(scene):
    await scene.begin(A, B)
    scene.restart()
    await scene.reconcile(B)
    scene.delete(A)
    await scene.wake()
    assert scene.jobs() == ["b-import"]


async def test_what_cannot_be_read_at_the_start_is_read_the_next_time(scene, monkeypatch):
    def unavailable(*_, **__):
        raise UnavailableError("connection reset")

    await scene.begin(A, B)
    scene.restart()
    with monkeypatch.context() as patch:
        patch.setattr(scene.kube, "pages", unavailable)
        with pytest.raises(UnavailableError):
            await scene.reconcile(B)
    await scene.reconcile(B)
    assert scene.jobs() == ["a-import"]


@pytest.mark.parametrize("how", ["suspended", "deleted"])
async def test_who_is_suspended_or_gone_loses_its_place(scene, how):
    await scene.begin(A, B)
    scene.now += 5
    await scene.begin(C)
    if how == "deleted":
        scene.delete(B)
    else:
        scene.kube.apply_resource(spec("b") | {"suspend": True}, "b")
    await scene.reconcile(B)
    await scene.later(C)
    assert scene.told(C).startswith("Queued: place 1 of 1;")
    await scene.begin(B)
    assert scene.told(B).startswith("Queued: place 2 of 2;")


async def test_a_job_that_runs_is_never_ended_by_a_lower_limit():
    scene = Shared(limits=Limits(jobs=3))
    await scene.begin(A, B, C)
    scene.restart()
    for key in (A, B, C):
        await scene.reconcile(key)
        assert (scene.kinds("create"), scene.kinds("delete")) == ([], [])
        assert scene.ready(key) == ("False", "Importing")
    late = Key("team", "d")
    await scene.begin(late)
    assert scene.told(late) == "Queued: place 1 of 1; 3 of 1 Jobs of the cluster run"
    scene.woken.clear()
    for name, woken in (("a", []), ("b", []), ("c", [late])):
        scene.end_job(f"{name}-import", failing=FAILED)
        await scene.reconcile(Key("team", name))
        assert scene.woken == woken


async def test_who_waits_for_another_attempt_gives_its_room_away_and_says_why_it_waits(scene):
    await scene.begin(A, B)
    scene.end_job("a-import", failing=FAILED.replace("DigestMismatch", "SourceUnreachable"))
    await scene.reconcile(A)
    assert await scene.wake() == [B]
    scene.now += 700
    job = scene.job("a-import")
    await scene.reconcile(A)
    assert scene.ready(A) == ("False", "Queued")
    assert "; the last attempt: SourceUnreachable: " in scene.told(A)
    assert job["metadata"]["name"] in [body["metadata"]["name"] for body in scene.kube.named("Job")]


async def test_an_attempt_that_is_asked_for_waits_for_room_and_is_handled_when_it_begins(scene):
    await scene.begin(A, B)
    scene.end_job("a-import", failing=FAILED)
    await scene.reconcile(A)
    assert await scene.wake() == [B]
    live = scene.kube.objects[(KIND, *A)]
    live["metadata"]["annotations"] = {RETRY_ANNOTATION: "now"}
    for _ in range(2):
        await scene.later(A)
        assert scene.ready(A) == ("False", "Queued")
        assert live["status"].get("lastHandledRetryAt", "") == ""
    scene.restart()
    await scene.later(A)
    assert scene.ready(A) == ("False", "Queued")
    scene.woken.clear()
    scene.end_job("b-import", failing=FAILED)
    await scene.reconcile(B)
    assert await scene.wake() == [A]
    assert live["status"]["lastHandledRetryAt"] == "now"
    assert scene.job("a-import")["metadata"]["annotations"]["modelport.dev/attempt"] == "2"
    scene.end_job("a-import", failing=FAILED)
    await scene.reconcile(A)
    assert scene.ready(A) == ("False", "DigestMismatch")


async def test_who_is_refused_its_job_holds_up_nobody(scene):
    await scene.begin(A, B)
    scene.kube.refuse["Job"] = "exceeded quota: small"
    scene.end_job("a-import", failing=FAILED)
    await scene.reconcile(A)
    scene.now += 5
    await scene.begin(C)
    assert scene.woken == [B]
    scene.woken.clear()
    await scene.reconcile(B)
    assert scene.woken == [C]
    scene.kube.refuse.clear()
    await scene.wake()
    await scene.reconcile(B)
    assert scene.told(B).startswith("Queued: place 1 of 1")


async def test_what_is_verified_beside_what_serves_runs_in_room_that_nobody_waits_for(scene):
    await scene.serve(A, SERVED)
    for job in scene.kube.named("Job"):
        job["status"] = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": TODAY}]}
    asking = msgspec.structs.replace(UPGRADED, reverifications=1)
    scene.restart(platform=asking)
    await scene.begin(B)
    await scene.reconcile(A)
    assert [name for name in scene.jobs() if name.startswith("a-")] == ["a-convert", "a-import"]
    scene.delete(B)
    await scene.reconcile(B)
    await scene.reconcile(A)
    assert "a-verify" in scene.jobs()
    assert scene.ready(A) == ("True", "Serving")
    await scene.begin(C)
    assert scene.told(C) == "Queued: place 1 of 1; 1 of 1 Jobs of the cluster run"


async def test_what_another_version_left_is_passed_over(scene):
    await scene.begin(A)
    job = scene.job("a-import")
    job["metadata"]["labels"]["modelport.dev/stage"] = "convert"
    job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = '{"job":"train"}'
    foreign = {
        "metadata": {"name": "x", "namespace": "team", "labels": {"app.kubernetes.io/managed-by": "modelport-operator"}}
    }
    scene.kube.put("Job", foreign)
    scene.restart()
    await scene.begin(B)
    assert scene.ready(B) == ("False", "Queued")


@pytest.mark.parametrize("error", [UnavailableError("reset"), RefusedError("no", status=422), ZeroDivisionError()])
async def test_who_cannot_be_worked_on_holds_up_nobody_and_finds_its_place_again(scene, monkeypatch, error):
    async def broken(*_, **__):
        raise error

    await scene.begin(A, B)
    scene.now += 5
    await scene.begin(C)
    with monkeypatch.context() as patch:
        patch.setattr(type(scene.reconciler.observer), "observe", broken)
        with pytest.raises(type(error)):
            await scene.reconcile(B)
    await scene.later(C)
    assert scene.told(C).startswith("Queued: place 1 of 1")
    await scene.reconcile(B)
    await scene.later(C)
    assert scene.told(B).startswith("Queued: place 1 of 2")
    assert scene.told(C).startswith("Queued: place 2 of 2")


@pytest.mark.parametrize("kind", ["unreadable", "fault"])
async def test_who_cannot_be_worked_on_keeps_its_room_while_its_job_runs(scene, monkeypatch, kind):
    def broken(*_):
        raise ZeroDivisionError

    async def look():
        if kind == "unreadable":
            await scene.reconcile(A)
            return
        with monkeypatch.context() as patch:
            patch.setattr("modelport_operator.controller.reconciler.make_plan", broken)
            with pytest.raises(ZeroDivisionError):
                await scene.reconcile(A)

    await scene.begin(A, B)
    if kind == "unreadable":
        scene.kube.apply_resource(spec("a") | {"source": {"uri": "s3://models/a.onnx", "newer": True}}, "a")
    await look()
    assert await scene.wake() == []
    scene.end_job("a-import")
    await look()
    assert await scene.wake() == [B]
    assert "b-import" in scene.jobs()


async def test_room_is_given_back_by_a_live_read_alone(scene):
    await scene.begin(A)
    for stage in ("import", "convert"):
        scene.end_job(f"a-{stage}")
        await scene.reconcile(A)
    before = copy.deepcopy(scene.kube.objects)
    scene.kube.apply_resource(spec("changed"), "a")
    await scene.reconcile(A)
    await scene.begin(B)
    assert scene.told(B).startswith("Queued: place 1 of 1")
    for of in KINDS:
        scene.watched.forget_all(of)
    for (of, *_), body in before.items():  # the watches are behind: all is done, as far as they tell
        scene.watched.note(of, body)
    await scene.reconcile(A, watches=False)
    assert scene.reconciler.slots.line.holds(A)
    assert await scene.wake() == []


async def test_nothing_is_kept_of_namespaces_without_resources(scene):
    await scene.begin(A, ELSEWHERE)
    for key in (A, ELSEWHERE):
        scene.delete(key)
        await scene.reconcile(key)
    slots = scene.reconciler.slots
    assert (dict(slots._makers), dict(slots.line._running)) == ({}, {})


async def test_a_job_whose_attempt_nobody_can_count_stops_no_others(scene):
    await scene.begin(A)
    scene.job("a-import")["metadata"]["annotations"]["modelport.dev/attempt"] = "many"
    scene.restart()
    await scene.begin(B)
    assert scene.ready(B) == ("False", "Queued")


@pytest.mark.parametrize("seed", range(3))
async def test_all_come_to_their_end_whatever_happens_when(seed):
    """Resources of three namespaces, half of them twins, with restarts and deletions in between."""
    chance = random.Random(seed)
    limits = Limits(jobs=3, per_namespace=2)
    scene = Shared(limits=limits)
    keys = [Key(f"team-{number % 3}", f"r{number}") for number in range(12)]
    for key in keys:
        name = "same" if key.name in {"r0", "r3", "r6", "r1", "r4"} else key.name
        scene.kube.apply_resource({"source": {"uri": f"s3://models/{name}.onnx"}, "target": _target(name)}, *key[::-1])
    events = chance.sample(keys, len(keys))
    converted = set()
    while events or scene.woken or (running := _running(scene)):
        if events or scene.woken:
            key = (events or scene.woken).pop(0)
            await scene.reconcile(key)
        else:
            name = chance.choice(running)["metadata"]["name"]
            scene.end_job(name)
            events.append(Key(scene.job(name)["metadata"]["namespace"], name.partition("-")[0]))
            converted |= {(events[-1].namespace, name)} if "-convert-" in name else set()
        if chance.random() < 0.05:
            scene.restart(limits)
            events = chance.sample(keys, len(keys))
        if len(keys) == 12 and chance.random() < 0.02:
            gone = keys.pop(chance.randrange(12))
            scene.delete(gone)
            events.append(gone)
        running = _running(scene)
        assert len(running) <= 3
        assert max(Counter(body["metadata"]["namespace"] for body in running).values(), default=0) <= 2
    assert {scene.ready(key) for key in keys} == {("True", "Stored")}
    assert sum(name.startswith(("r0-", "r3-", "r6-")) for _, name in converted) == 1
    assert sum(name.startswith(("r1-", "r4-")) for _, name in converted) == 1


def _target(name):
    return {"options": {"opset": 13 + sum(map(ord, name)) % 7}}


def _running(scene):
    return [body for body in scene.kube.named("Job") if "status" not in body]


# --- identical conversions ------------------------------------------------------------------------------------------


@pytest.fixture
async def twins():
    """Return two resources of one model, of which the first converts."""
    scene = Shared()
    for key in (A, B):
        scene.kube.apply_resource(ONNX, key.name)
        await scene.reconcile(key)
        scene.kube.run_job(f"{key.name}-import")
        await scene.reconcile(key)
    return scene


def conversions(scene):
    return [name for name in scene.jobs() if name.endswith("convert")]


async def test_what_two_ask_for_at_the_same_time_is_converted_once(twins):
    assert conversions(twins) == ["a-convert"]
    assert twins.ready(B) == ("False", "Queued")
    assert twins.told(B) == (
        "Queued: behind ModelConversion a, which converts the same model; its artifact is taken once it is stored"
    )
    twins.kube.run_job("a-convert")
    await twins.reconcile(A)
    assert await twins.wake() == [B]
    assert conversions(twins) == ["a-convert"]
    assert twins.ready(B) == ("True", "Stored")
    assert twins.condition(B, "Converted")["reason"] == "Reused"


async def test_nobody_is_told_of_an_artifact_before_it_can_be_read(twins, monkeypatch):
    publish = type(twins.reconciler)._publish

    async def slowly(self, *arguments):
        assert twins.woken == []
        await publish(self, *arguments)

    monkeypatch.setattr(type(twins.reconciler), "_publish", slowly)
    twins.kube.run_job("a-convert")
    await twins.reconcile(A)
    assert twins.woken == [B]


async def test_the_artifact_is_found_among_many_of_the_same_source(twins):
    for number in range(40):
        status = {"source": {"digests": {"source": "sha256:" + "a" * 64}}}
        twins.peers.note("team", f"Z{number}", {"status": status})  # before 'a' in every list
    twins.kube.run_job("a-convert")
    await twins.reconcile(A)
    await twins.wake()
    assert conversions(twins) == ["a-convert"]


@pytest.mark.parametrize("how", ["failed", "deleted", "suspended by hand", "edited", "no node"])
async def test_the_next_one_takes_over(twins, how):
    if how == "failed":
        twins.end_job("a-convert", failing=FAILED.replace("fetch", "stage").replace("Digest", "Weights"))
    elif how == "deleted":
        twins.delete(A)
    elif how == "edited":
        twins.kube.apply_resource(spec("another"), "a")
    elif how == "no node":
        twins.leave_pending("a-convert")
    else:
        twins.suspend_job("a-convert")
    await twins.reconcile(A)
    assert await twins.wake() == [B]
    assert "b-convert" in conversions(twins)
    assert twins.ready(B) == ("False", "Converting")


async def test_of_several_that_wait_one_takes_over(twins):
    twins.kube.apply_resource(ONNX, "c")
    await twins.reconcile(C)
    twins.kube.run_job("c-import")
    await twins.reconcile(C)
    twins.delete(A)
    await twins.reconcile(A)
    await twins.wake()
    assert conversions(twins) == ["b-convert"]
    assert "behind ModelConversion b," in twins.told(C)


async def test_another_namespace_waits_for_nothing(twins):
    twins.kube.apply_resource(ONNX, "x", "other")
    await twins.reconcile(ELSEWHERE)
    twins.kube.run_job("x-import")
    await twins.reconcile(ELSEWHERE)
    assert twins.jobs(namespace="other") == ["x-convert", "x-import"]


async def test_another_conversion_of_the_same_source_waits_for_nothing(twins):
    twins.kube.apply_resource(ONNX | {"target": {"options": {"opset": 17}}}, "c")
    await twins.reconcile(C)
    twins.kube.run_job("c-import")
    await twins.reconcile(C)
    assert "c-convert" in conversions(twins)


@pytest.mark.parametrize("done", [False, True])
async def test_a_restart_makes_no_second_conversion(twins, done):
    if done:  # and nobody was there to see it
        twins.end_job("a-convert")
    twins.restart(Limits())
    await twins.reconcile(B)
    assert "behind ModelConversion a," in twins.told(B)
    if not done:
        twins.kube.run_job("a-convert")
    await twins.reconcile(A)
    await twins.wake()
    assert conversions(twins) == ["a-convert"]
    assert twins.condition(B, "Converted")["reason"] == "Reused"


async def test_in_a_line_who_comes_first_converts_for_both():
    """After a restart the later one may be looked at first; it steps back, and nobody waits in a circle."""
    scene = Shared()
    for key in (A, B):
        scene.kube.apply_resource(ONNX, key.name)
        await scene.reconcile(key)
        scene.end_job(f"{key.name}-import")
    await scene.begin(C)
    scene.restart(ONE)
    for key in (A, B):
        scene.now += 5
        await scene.reconcile(key)
    assert scene.told(A).startswith("Queued: place 1 of 1;")
    assert "behind ModelConversion a," in scene.told(B)
    scene.restart(ONE)
    await scene.reconcile(B)
    await scene.reconcile(A)
    await scene.wake()
    await scene.later(A)
    assert scene.told(A).startswith("Queued: place 1 of 1;")
    assert "behind ModelConversion a," in scene.told(B)
    scene.delete(C)
    await scene.reconcile(C)
    await scene.wake()
    assert conversions(scene) == ["a-convert"]


# --- Kueue, and Jobs that somebody suspended ------------------------------------------------------------------------


async def test_kueue_admits_what_names_its_queue(scene):
    await scene.begin(A)
    await scene.begin(B, C, queueName="gold")
    assert scene.jobs() == ["a-import", "b-import", "c-import"], "what runs nothing needs no room"
    job = scene.job("b-import")
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gold"
    assert job["spec"]["suspend"] is True
    result = await scene.reconcile(B)
    assert (result.look_again, scene.kube.writes) == (None, [])
    assert scene.ready(B) == ("False", "Queued")
    assert scene.told(B) == f"Queued: Job {job['metadata']['name']} is suspended until Kueue admits it from queue gold"
    scene.now += 86_400
    await scene.reconcile(B)
    assert scene.kinds("delete") == scene.kinds("create") == []
    scene.suspend_job("b-import", suspended=False)
    await scene.reconcile(B)
    assert scene.ready(B) == ("False", "Importing")
    late = Key("team", "d")
    await scene.begin(late)
    assert scene.told(late).endswith("2 of 1 Jobs of the cluster run"), "what Kueue admits is counted"


async def test_the_queue_of_a_job_that_waits_can_be_changed_and_taken_away(scene):
    await scene.begin(B, queueName="gold")
    await scene.begin(B, queueName="silver")
    (job,) = scene.kube.named("Job")
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "silver"
    await scene.begin(B)
    (job,) = scene.kube.named("Job")
    assert "suspend" not in job["spec"]
    await scene.begin(B, queueName="gold")
    assert scene.kube.named("Job") == [job], "a Job that runs goes on"


async def test_a_conversion_in_the_same_queue_is_waited_for_and_in_another_is_not():
    scene = Shared()
    queues = {"a": "gold", "b": "gold", "c": "silver"}
    for key in (A, B, C):
        scene.kube.apply_resource(ONNX | {"conversion": {"queueName": queues[key.name]}}, key.name)
        await scene.reconcile(key)
        scene.kube.run_job(f"{key.name}-import")
        await scene.reconcile(key)
    assert conversions(scene) == ["a-convert", "c-convert"]
    assert "behind ModelConversion a," in scene.told(B)


async def test_a_conversion_that_kueue_takes_back_is_left_to_who_need_not_wait_for_kueue():
    scene = Shared()
    for key, conversion in ((A, {"queueName": "gold"}), (B, {})):
        scene.kube.apply_resource(ONNX | {"conversion": conversion}, key.name)
        await scene.reconcile(key)
        scene.kube.run_job(f"{key.name}-import")
        await scene.reconcile(key)
        if key == A:
            scene.suspend_job("a-convert", suspended=False)
            await scene.reconcile(A)
    assert conversions(scene) == ["a-convert"]
    scene.suspend_job("a-convert")
    await scene.reconcile(A)
    assert await scene.wake() == [B]
    assert conversions(scene) == ["a-convert", "b-convert"]


async def test_a_job_that_somebody_suspends_gives_its_room_away(scene):
    await scene.begin(A, B)
    scene.suspend_job("a-import")
    await scene.reconcile(A)
    assert scene.told(A).endswith("is suspended until somebody sets its spec.suspend to false")
    assert await scene.wake() == [B]
    assert scene.jobs() == ["a-import", "b-import"]
    scene.suspend_job("a-import", suspended=False)
    await scene.reconcile(A)
    assert scene.ready(A) == ("False", "Importing")
