"""What a Job waits for before it runs, where one is suspended, and what of it is told."""

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport_operator import reading
from modelport_operator.facts import Container, Turn
from unit.operator.scenes import (
    NOW,
    ONNX,
    SERVED,
    UPGRADED,
    failed_step,
    held,
    import_steps,
    imported,
    job_of,
    plan_for,
    pod,
    ready,
    report_on,
    resource,
    served,
    step,
    with_spec,
    with_status,
)

FULL = Turn(may_begin=False, place=3, waiting=7, running=2, limit=2)
QUEUED = ONNX | {"conversion": {"queueName": "gold"}}


def test_without_room_nothing_is_begun_and_the_place_is_told():
    case = resource(ONNX)
    plan = plan_for(case, turn=FULL)
    assert (plan.create, plan.delete, plan.look_again) == ((), (), 45.0)
    assert (plan.demand.waits, plan.demand.runs) == (True, False)
    report = report_on(case, plan)
    assert ready(report) == ("False", "Queued")
    assert {"Reconciling", "Queued"} <= held(report)
    assert {each.message for each in report.status.conditions if each.type in {"Ready", "Reconciling"}} == {
        "Queued: place 3 of 7; 2 of 2 Jobs of the cluster run"
    }
    assert [(event.type, event.reason) for event in report.events] == [("Normal", "Queued")]


def test_since_when_it_waits_outlasts_every_other_word():
    case = resource(ONNX)
    case = with_status(case, report_on(case, plan_for(case, turn=FULL)))
    nearer = msgspec.structs.replace(FULL, place=1)
    later = report_on(case, plan_for(case, turn=nearer), now="2027-01-15T09:00:00Z")
    assert later.status.conditions[0].message.startswith("Queued: place 1 of 7")
    assert reading.queued_since(later.status) == NOW
    begun = report_on(with_status(case, later), plan_for(case))
    assert (reading.queued_since(begun.status), ready(begun)) == (None, ("False", "Importing"))


def test_what_serves_goes_on_while_the_next_one_waits():
    case, jobs, live = served()
    edited = with_spec(case, SERVED | {"target": {"options": {"opset": 17}}})
    plan = plan_for(edited, *jobs, deployment=live, turn=FULL)
    report = report_on(edited, plan, deployment=live)
    assert report.status.conditions[0].message.endswith("; the artifact before it goes on serving")
    assert "Available" in held(report)


def test_who_is_suspended_waits_for_nothing():
    case = resource(ONNX | {"suspend": True})
    plan = plan_for(case, turn=FULL)
    assert not plan.demand.waits
    assert ready(report_on(case, plan)) == ("False", "Suspended")
    assert "Queued" not in held(report_on(case, plan))


def test_a_failure_for_good_is_told_and_not_a_place():
    case = resource(ONNX)
    ended = job_of(plan_for(case), pod(failed_step("fetch", Reason.DIGEST_MISMATCH), phase="Failed"), failed="x")
    plan = plan_for(case, ended, turn=FULL)
    assert (ready(report_on(case, plan)), plan.demand.waits) == (("False", "DigestMismatch"), False)


def test_a_taken_name_holds_no_place():
    plan = plan_for(resource(), turn=FULL, foreign=("Service net",))
    assert (plan.create, plan.demand.waits) == ((), False)
    assert "Queued" not in held(report_on(resource(), plan))


def test_a_verification_by_a_newer_image_waits_in_no_line_and_changes_nothing():
    case, jobs, live = served()
    asking = msgspec.structs.replace(UPGRADED, reverifications=1)
    plan = plan_for(case, *jobs, deployment=live, platform=asking, turn=FULL)
    assert (plan.demand.waits, plan.progress.waits_to_reverify) == (False, True)
    assert ready(report_on(case, plan, deployment=live)) == ("True", "Serving")


def test_a_finished_job_without_a_condition_yet_holds_no_room():
    case = resource(ONNX)
    job = job_of(plan_for(case), pod(Container(name="fetch")))
    assert job.runs
    assert not msgspec.structs.replace(job, pods=(pod(*import_steps()),)).runs
    for fields in ({"complete": True}, {"failed": "x"}, {"suspended": True}, {"deleting": True}):
        assert not msgspec.structs.replace(job, **fields).runs


def test_a_suspended_job_is_neither_stuck_nor_polled_and_goes_on():
    case = resource(QUEUED)
    job = job_of(plan_for(case))
    assert (job.suspended, job.queue) == (True, "gold")
    for stuck in (
        (),
        (pod(Container(name="fetch", waiting="ErrImagePull"), phase="Pending", scheduled=NOW - 9999),),
        (pod(step("fetch", code=143), deleting=True, phase="Failed"),),
    ):
        plan = plan_for(case, msgspec.structs.replace(job, created=NOW - 99_999, pods=stuck))
        assert (plan.create, plan.delete, plan.look_again, plan.progress.failure) == ((), (), None, None)
        assert ready(report_on(case, plan)) == ("False", "Queued")
    running = plan_for(case, msgspec.structs.replace(job, suspended=False, pods=(pod(Container(name="fetch")),)))
    assert ready(report_on(case, running)) == ("False", "Importing")


def test_a_pod_that_was_stopped_did_not_fail():
    case = resource(ONNX)
    stopped = pod(step("fetch", code=143), Container(name="inspect"), deleting=True)
    job = job_of(plan_for(case), stopped)
    assert plan_for(case, job).progress.failure is None
    said = pod(failed_step("fetch", Reason.STORE_UNAVAILABLE, code=75), deleting=True)
    assert plan_for(case, msgspec.structs.replace(job, pods=(said,))).progress.failure.reason == "StoreUnavailable"


def test_the_queue_is_no_part_of_what_is_done():
    case, job = imported(resource(QUEUED))
    moved = with_spec(case, ONNX | {"conversion": {"queueName": "silver"}})
    first, second = plan_for(case, job), plan_for(moved, job)
    assert second.delete == ()
    assert [plan.create[0].body["metadata"]["name"] for plan in (first, second)] == [first.progress.work.name] * 2
    waiting = job_of(first)
    (create,) = plan_for(moved, job, waiting).create
    assert (create.replaces.uid, create.body["metadata"]["annotations"]["modelport.dev/attempt"]) == (waiting.uid, "1")
    running = msgspec.structs.replace(waiting, suspended=False)
    assert (plan_for(moved, job, running).create, plan_for(moved, job, running).delete) == ((), ())


def test_an_upgrade_leaves_a_job_in_its_queue():
    case, job = imported(resource(QUEUED))
    waiting = job_of(plan_for(case, job))
    plan = plan_for(case, job, waiting, platform=UPGRADED)
    assert (plan.create, plan.delete) == ((), ())


@pytest.mark.parametrize(("makers", "behind"), [({}, ""), ({"other": "a"}, ""), (None, "a")])
def test_whose_artifact_is_waited_for(makers, behind):
    case, job = imported(resource(ONNX))
    key = plan_for(case, job).demand.makes
    plan = plan_for(case, job, makers={key: "a"} if makers is None else makers)
    assert (plan.demand.behind, plan.demand.makes, len(plan.create)) == (behind, "" if behind else key, not behind)
    assert plan.look_again is None or not behind, "who is waited for wakes it"
    own = job_of(plan_for(case, job))
    assert plan_for(case, job, own, makers={key: "a"}).demand.behind == "", "whose Job runs waits for nobody"


def test_a_job_whose_name_is_not_free_yet_has_no_room_and_makes_nothing():
    case, first = imported(resource(ONNX))
    (create,) = plan_for(case, first).create
    plan = plan_for(case, first, leaving=(create.name,))
    assert (plan.create, plan.waits_for) == ((), (create.name,))
    assert (plan.demand.runs, plan.demand.waits, plan.demand.makes) == (False, False, "")
    assert plan.look_again, "it is looked for again, whatever the watches miss"
