"""A newer server image serves after it has passed, so many at once; what does not pass changes nothing, and is told."""

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport_operator.controller.controller import Key
from modelport_operator.controller.reverifications import Reverifications
from unit.operator.scenes import (
    UPGRADED,
    deployed,
    failed_step,
    job_of,
    live_service,
    plan_for,
    pod,
    ready,
    report_on,
    served,
    verify_steps,
    with_status,
)

ASKING = msgspec.structs.replace(UPGRADED, reverifications=1)
NEW = UPGRADED.images["server-onnxruntime"]


@pytest.fixture
def scene():
    """Return a resource that is Ready, with its Jobs and its Deployment, and what plans for it after an upgrade."""
    case, jobs, live = served()
    found = live_service(case)

    def plan(*more, case=case, live=live, **fields):
        known = {"platform": ASKING, "may_reverify": True} | fields
        return plan_for(case, *jobs, *more, deployment=live, objects=(found,), **known)

    return case, live, plan


def kinds(plan):
    return [each.body["metadata"]["name"].rpartition("-")[0] for each in plan.create]


def test_the_new_image_is_asked_beside_what_serves(scene):
    case, live, plan = scene
    begun = plan()
    assert (kinds(begun), begun.apply, begun.delete) == (["net-verify"], (), ())
    containers = begun.create[0].body["spec"]["template"]["spec"]["containers"]
    assert NEW in [each["image"] for each in containers]
    report = report_on(case, begun, deployment=live)
    assert (ready(report), report.status) == (("True", "Serving"), case.status)
    running = job_of(begun, pod())
    waiting = plan(running, may_reverify=False)
    assert (waiting.create, waiting.apply, waiting.delete) == ((), (), ()), "a Job that runs keeps its place"
    assert waiting.progress.renewal is not None
    assert waiting.look_again


def test_what_passes_serves(scene):
    case, live, plan = scene
    passed = job_of(plan(), pod(*verify_steps(hops=())))
    done = plan(passed)
    (change,) = done.apply
    assert change.body["spec"]["template"]["spec"]["containers"][0]["image"] == NEW
    told = with_status(case, report_on(case, done, deployment=live))
    assert told.status.verification.image == NEW
    after = plan(passed, case=told, live=deployed(done))
    assert (after.create, after.apply, after.progress.renewal) == ((), (), None)
    assert [each.name.rpartition("-")[0] for each in after.delete] == ["net-convert"], "its evidence is another's now"
    assert ready(report_on(told, after, deployment=deployed(done))) == ("True", "Serving")


def test_what_fails_changes_nothing_and_is_remembered(scene):
    case, live, plan = scene
    failed = job_of(
        plan(), pod(failed_step("judge", Reason.VERIFICATION_FAILED), phase="Failed"), failed="BackoffLimit"
    )
    ended = plan(failed)
    assert (ended.create, ended.apply, ended.delete, ended.progress.renewal) == ((), (), (), None)
    report = report_on(case, ended, deployment=live)
    assert ready(report) == ("True", "Serving")
    (refused,) = report.status.refused
    assert (refused.path, refused.reason) == (f"served by {NEW}", "VerificationFailed")
    again = plan(case=with_status(case, report))
    assert (again.create, again.apply, again.progress.renewal) == ((), (), None), "its Job may be gone"
    assert report_on(with_status(case, report), again, deployment=live).status == report.status


def test_trouble_that_passes_is_tried_again(scene):
    _, _, plan = scene
    crashed = job_of(
        plan(), pod(failed_step("try", Reason.STEP_CRASHED, code=75), phase="Failed"), failed="BackoffLimit"
    )
    later = plan(crashed, now=crashed.created + 3600)
    assert kinds(later) == ["net-verify"]
    assert later.create[0].replaces.uid == crashed.uid


def test_others_wait_for_their_turn(scene):
    _, _, plan = scene
    waiting = plan(may_reverify=False)
    assert (waiting.create, waiting.progress.waits_to_reverify, waiting.look_again) == ((), True, 120)


def test_who_is_suspended_takes_no_place(scene):
    case, _, plan = scene
    spec = msgspec.structs.replace(case.spec, suspend=True)
    found = plan(case=msgspec.structs.replace(case, spec=spec))
    assert (found.create, found.progress.renewal, found.look_again) == ((), None, None)


@pytest.mark.parametrize(
    "platform",
    [
        UPGRADED,
        msgspec.structs.replace(
            ASKING, images=UPGRADED.images | {"server-onnxruntime": "registry.example/server-onnxruntime@sha256:1"}
        ),
    ],
)
def test_nothing_is_asked_without_leave_or_another_image(scene, platform):
    _, _, plan = scene
    found = plan(platform=platform)
    assert (found.create, found.look_again, found.progress.waits_to_reverify) == ((), None, False)


def test_so_many_have_a_place_at_once():
    places = Reverifications(2)
    a, b, c = (Key("team", name) for name in "abc")
    for key in (a, b):
        assert places.may_begin(key)
        places.note(key, runs=True)
    assert (places.may_begin(a), places.may_begin(c)) == (True, False)
    places.note(a, runs=False)
    assert places.may_begin(c)
    assert not Reverifications(0).may_begin(a)
