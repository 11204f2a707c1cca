"""`modelport.dev/retry`: what failed for good is tried once more for each new value, and nothing else changes."""

import msgspec
import pytest

from modelport.api.base import RETRY_ANNOTATION
from modelport.api.reasons import Reason
from modelport.jobs.requests import decode_request
from modelport_operator.facts import Turn
from unit.operator.plan.test_paths import FIRST, GATE, converters_in, refused
from unit.operator.scenes import (
    NOW,
    ONNX,
    failed_step,
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

ASKED = "2027-01-15T08:00:00Z"


def with_annotations(case, annotations):
    return msgspec.structs.replace(case, metadata=msgspec.structs.replace(case.metadata, annotations=annotations))


def ask(case, value=ASKED):
    return with_annotations(case, {RETRY_ANNOTATION: value})


def failed(spec=ONNX, ending=None, **fields):
    """Return a resource whose Import failed, and the Job."""
    case = resource(spec)
    ending = ending or failed_step("fetch", Reason.DIGEST_MISMATCH)
    job = job_of(plan_for(case), pod(ending, phase="Failed", log_tail="as it was"), failed="PodFailurePolicy", **fields)
    return with_status(case, report_on(case, plan_for(case, job))), job


def failed_to_convert():
    """Return a resource whose Convert failed, and the Job."""
    case, _ = imported(resource(ONNX))
    job = job_of(plan_for(case), pod(failed_step("hop-1", Reason.CONVERSION_FAILED), phase="Failed"), failed="gone")
    return with_status(case, report_on(case, plan_for(case, job))), job


@pytest.mark.parametrize("is_there", [True, False], ids=["with its Job", "without it"])
def test_what_failed_for_good_is_tried_once_more(is_there):
    case, job = failed()
    jobs = (job,) if is_there else ()
    assert plan_for(case, *jobs).create == ()
    asked = ask(case)
    plan = plan_for(asked, *jobs)
    (create,) = plan.create
    assert (create.replaces is not None) == is_there
    assert create.body["metadata"]["annotations"]["modelport.dev/attempt"] == "2"
    report = report_on(asked, plan)
    assert ready(report) == ("False", "ProgressingWithRetry")
    assert report.status.last_handled_retry_at == ASKED
    assert report.status.failure.log_tail == "as it was"


def test_the_same_value_asks_once_however_often_it_is_applied():
    case, job = failed()
    asked = ask(case)
    plan = plan_for(asked, job)
    handled = with_status(asked, report_on(asked, plan))
    second = job_of(plan, pod(failed_step("fetch", Reason.DIGEST_MISMATCH), phase="Failed"), failed="PodFailurePolicy")
    ended = with_status(handled, report_on(handled, plan_for(handled, second)))
    assert "Stalled" in {each.type for each in ended.status.conditions}
    assert ended.status.failure.attempts == 2
    for jobs in ((second,), ()):
        assert plan_for(ended, *jobs).create == ()
    assert plan_for(with_spec(ended, ONNX), second).create == ()  # the annotation left out, as by another apply
    (create,) = plan_for(ask(ended, "2027-01-15T09:00:00Z"), second).create
    assert create.body["metadata"]["annotations"]["modelport.dev/attempt"] == "3"


def test_an_attempt_that_could_not_be_made_is_still_asked_for():
    case, job = failed()
    asked = ask(case)
    handled = with_status(asked, report_on(asked, plan_for(asked, job)))
    (create,) = plan_for(handled).create  # the Job of before is gone, the new one was refused
    assert create.body["metadata"]["annotations"]["modelport.dev/attempt"] == "2"


def test_what_waits_to_be_tried_again_waits_no_longer():
    case, job = failed(ending=failed_step("fetch", Reason.SOURCE_NOT_FOUND, code=75), attempt=9, finished=NOW)
    assert plan_for(case, job).create == ()
    (create,) = plan_for(ask(case), job).create
    assert create.replaces.uid == job.uid


def test_a_crash_is_final_again_after_one_more_attempt():
    crash = step("inspect", code=139)
    case, job = failed(ending=crash, attempt=3)
    assert case.status.failure.reason == Reason.CONVERTER_CRASHED
    assert not case.status.failure.retryable
    asked = ask(case)
    plan = plan_for(asked, job)
    handled = with_status(asked, report_on(asked, plan))
    again = job_of(plan, pod(crash, phase="Failed"), failed="PodFailurePolicy")
    assert not plan_for(handled, again).progress.failure.retryable
    done = msgspec.structs.replace(again, pods=(pod(*import_steps()),), failed="")
    assert plan_for(handled, done).progress.source is not None


def test_paths_that_all_failed_are_taken_anew_from_the_best_one():
    case, jobs, plan = refused()
    third = job_of(plan, pod(failed_step("hop-1", Reason.CONVERSION_FAILED), phase="Failed"))
    case = with_status(case, report_on(case, plan_for(case, *jobs, third)))
    assert [each.path for each in case.status.refused] == [FIRST]
    for left in ((*jobs, third), jobs[:1]):
        again = plan_for(ask(case), *left)
        assert converters_in(again) == ["state-dict-to-onnx"]
        assert report_on(ask(case), again).status.refused == []


def test_a_path_that_is_under_way_goes_on():
    case, jobs, plan = refused(GATE)
    running = job_of(plan, pod())
    asked = ask(case)
    again = plan_for(asked, *jobs, running)
    assert (again.create, [child.name for child in again.delete]) == ((), [])
    report = report_on(asked, again)
    assert [each.path for each in report.status.refused] == [FIRST]
    assert report.status.last_handled_retry_at == ASKED


FULL = Turn(may_begin=False, place=1, waiting=1, running=1, limit=1)


@pytest.mark.parametrize("is_there", [True, False], ids=["with its Job", "without it"])
@pytest.mark.parametrize("waits", [{"turn": FULL}, {"makers": "other"}], ids=["for room", "for another resource"])
def test_an_attempt_that_waits_for_its_turn_is_asked_for_until_it_begins(is_there, waits):
    case, job = failed()
    if "makers" in waits:
        case, job = failed_to_convert()
        waits = {"makers": {decode_request(job.request).artifact_key: "other"}}
    asked, jobs = ask(case), (job,) if is_there else ()
    plan = plan_for(asked, *jobs, **waits)
    assert (plan.create, plan.delete, plan.handled_retry) == ((), (), "")
    report = report_on(asked, plan)
    assert ready(report) == ("False", "Queued")
    assert report.status.last_handled_retry_at == ""
    waiting = with_status(asked, report)
    assert plan_for(waiting, *jobs, **waits).create == ()
    assert plan_for(with_annotations(waiting, {}), job, **waits).progress.failure.retryable is False  # taken back
    plan = plan_for(waiting, *jobs)
    (create,) = plan.create
    assert create.body["metadata"]["annotations"]["modelport.dev/attempt"] == "2"
    assert report_on(waiting, plan).status.last_handled_retry_at == ASKED


def test_an_attempt_in_a_queue_of_kueues_is_made_and_handled():
    case, job = failed({**ONNX, "conversion": {"queueName": "team-queue"}})
    asked = ask(case)
    plan = plan_for(asked, job, turn=FULL)
    assert len(plan.create) == 1
    assert report_on(asked, plan).status.last_handled_retry_at == ASKED


def test_paths_that_all_failed_are_taken_anew_once_it_is_their_turn():
    case, jobs, plan = refused()
    third = job_of(plan, pod(failed_step("hop-1", Reason.CONVERSION_FAILED), phase="Failed"))
    case = with_status(case, report_on(case, plan_for(case, *jobs, third)))
    asked = ask(case)
    plan = plan_for(asked, *jobs, third, turn=FULL)
    waiting = with_status(asked, report_on(asked, plan))
    kept = [job for job in (*jobs, third) if job.uid not in {child.uid for child in plan.delete}]
    assert ready(report_on(asked, plan)) == ("False", "Queued")
    assert plan_for(waiting, *kept, turn=FULL).create == ()
    again = plan_for(waiting, *kept)
    assert converters_in(again) == ["state-dict-to-onnx"]
    assert report_on(waiting, again).status.last_handled_retry_at == ASKED


def test_where_nothing_failed_nothing_is_done():
    case, jobs, live = served()
    plan = plan_for(ask(case), *jobs, deployment=live)
    assert [create.body["kind"] for create in plan.create] == ["Service"]  # which `served` does not observe
    assert (plan.delete, plan.apply) == ((), ())
    assert report_on(ask(case), plan, deployment=live).status.last_handled_retry_at == ASKED


def test_who_is_suspended_is_tried_again_later():
    case, job = failed()
    asked = ask(with_spec(case, ONNX | {"suspend": True}))
    plan = plan_for(asked, job)
    assert plan.create == ()
    status = report_on(asked, plan).status
    assert status.last_handled_retry_at == ""
    resumed = ask(with_spec(with_status(asked, report_on(asked, plan)), ONNX))
    assert len(plan_for(resumed, job).create) == 1
