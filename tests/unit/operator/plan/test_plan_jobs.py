"""What has become of a Job: the table of endings, hindrances and retries."""

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport.jobs.results import StepFailure, StepResult
from modelport_operator.facts import Container, Termination
from unit.operator.scenes import (
    NOW,
    ONNX,
    SERVED,
    converted,
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
    verify_steps,
    with_spec,
    with_status,
)

SKIPPED = (step("inspect", code=69), step("keep", code=69))
DONE_HOP = step("hop-1", StepResult(step="hop-1"))
DONE_TRY = step("try", StepResult(step="try"))
GONE = {"failed": "BackoffLimitExceeded", "finished": NOW - 1}

ENDINGS = [
    (
        "the step says so",
        pod(failed_step("fetch", Reason.DIGEST_MISMATCH), *SKIPPED, phase="Failed"),
        Reason.DIGEST_MISMATCH,
        False,
    ),
    (
        "a file may come later",
        pod(failed_step("fetch", Reason.SOURCE_NOT_FOUND, code=75), *SKIPPED, phase="Failed"),
        Reason.SOURCE_NOT_FOUND,
        True,
    ),
    (
        "the step says so and may again",
        pod(failed_step("fetch", Reason.SOURCE_UNREACHABLE, code=75), *SKIPPED, phase="Failed"),
        Reason.SOURCE_UNREACHABLE,
        True,
    ),
    ("memory", pod(step("fetch", code=137, reason="OOMKilled"), *SKIPPED, phase="Failed"), Reason.OUT_OF_MEMORY, False),
    (
        "time",
        pod(step("fetch", code=137), *SKIPPED, phase="Failed", reason="DeadlineExceeded"),
        Reason.DEADLINE_EXCEEDED,
        False,
    ),
    (
        "time before any step",
        pod(Container(name="fetch"), phase="Failed", reason="DeadlineExceeded"),
        Reason.DEADLINE_EXCEEDED,
        False,
    ),
    (
        "volume",
        pod(
            Container(name="fetch"),
            phase="Failed",
            reason="Evicted",
            message='Usage of EmptyDir volume "step-fetch" exceeds the limit "1Mi".',
        ),
        Reason.STORAGE_EXCEEDED,
        False,
    ),
    (
        "disk",
        pod(
            Container(name="fetch"),
            phase="Failed",
            reason="Evicted",
            message="Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.",
        ),
        Reason.STORAGE_EXCEEDED,
        False,
    ),
    (
        "node pressure",
        pod(Container(name="fetch"), phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        Reason.EVICTED,
        True,
    ),
    ("drained", pod(step("fetch", code=143), phase="Failed", disrupted="EvictionByEvictionAPI"), Reason.EVICTED, True),
    ("signal", pod(step("fetch", code=139), *SKIPPED, phase="Failed"), Reason.STEP_CRASHED, True),
    ("exit status", pod(step("fetch", code=1), *SKIPPED, phase="Failed"), Reason.STEP_CRASHED, True),
    (
        "garbage",
        pod(Container(name="fetch", terminated=Termination(exit_code=1, message="{not json")), phase="Failed"),
        Reason.STEP_CRASHED,
        True,
    ),
    ("no word", pod(Container(name="fetch"), phase="Failed"), Reason.STEP_CRASHED, True),
    (
        "no result",
        pod(*(step(name) for name in ("fetch", "inspect", "keep")), phase="Succeeded"),
        Reason.CONVERTER_CRASHED,
        False,
    ),
]
HINDRANCES = [
    (
        "no node",
        pod(Container(name="fetch"), phase="Pending", unschedulable="0/1 nodes are available"),
        Reason.UNSCHEDULABLE,
    ),
    (
        "no image",
        pod(
            Container(name="fetch", waiting="ErrImageNeverPull", waiting_message="not present"),
            phase="Pending",
            created=NOW - 25,
        ),
        Reason.IMAGE_PULL_FAILED,
    ),
    (
        "no config",
        pod(Container(name="fetch", waiting="CreateContainerConfigError", waiting_message="no key"), phase="Pending"),
        Reason.POD_REFUSED,
    ),
    (
        "no start",
        pod(Container(name="fetch", waiting="RunContainerError", waiting_message="no such file"), phase="Pending"),
        Reason.STEP_CRASHED,
    ),
    (
        "no store",
        pod(Container(name="fetch"), phase="Pending", warnings=('secret "modelport-store" not found',)),
        Reason.STORE_NOT_CONFIGURED,
    ),
    (
        "no credentials",
        pod(Container(name="fetch"), phase="Pending", warnings=("timed out", 'secret "bucket" not found')),
        Reason.SOURCE_ACCESS_DENIED,
    ),
]


@pytest.mark.parametrize(
    ("ended", "reason", "retryable"), [case[1:] for case in ENDINGS], ids=[case[0] for case in ENDINGS]
)
def test_how_a_pod_ended_is_told(ended, reason, retryable):
    case = resource()
    ended = msgspec.structs.replace(ended, log_tail="the last line")
    plan = plan_for(case, job_of(plan_for(case), ended, **GONE))
    failure = plan.progress.failure
    assert (failure.reason, failure.retryable, failure.stage, failure.attempts) == (reason, retryable, "Import", 1)
    assert plan.create == ()
    report = report_on(case, plan)
    assert ("Stalled" if not retryable else "Reconciling") in {each.type for each in report.status.conditions}
    assert report.status.failure.hint
    if ended.phase == "Failed":
        assert failure.log_tail == "the last line"


@pytest.mark.parametrize(
    ("steps", "stage"),
    [
        ((failed_step("hop-1", Reason.CONVERSION_FAILED), step("try", code=69)), "Convert"),
        ((DONE_HOP, failed_step("try", Reason.RUNTIME_UNSUPPORTED)), "Verify"),
        ((DONE_HOP, step("try", code=137, reason="OOMKilled")), "Verify"),
        ((DONE_HOP, step("try", code=139)), "Verify"),
        ((DONE_HOP, DONE_TRY, failed_step("judge", Reason.VERIFICATION_FAILED)), "Verify"),
        (
            (
                DONE_HOP,
                DONE_TRY,
                step("judge", StepResult(step="judge")),
                failed_step("publish", Reason.STORE_ACCESS_DENIED),
            ),
            "Convert",
        ),
    ],
)
def test_a_step_that_verifies_fails_the_stage_verify_in_a_job_that_converts(steps, stage):
    case, first = imported(resource())
    ended = pod(step("stage", StepResult(step="stage")), *steps, phase="Failed")
    plan = plan_for(case, first, job_of(plan_for(case, first), ended, **GONE))
    assert plan.progress.failure.stage == stage


def test_steps_that_share_a_container_say_which_of_them_failed():
    case, first = imported(resource())
    told = StepResult(step="ask", failure=StepFailure(reason=Reason.INPUTS_NEEDED, message="expected this"))
    ended = pod(step("stage", StepResult(step="stage")), step("hop-1", told, code=64), phase="Failed")
    failure = plan_for(case, first, job_of(plan_for(case, first), ended, **GONE)).progress.failure
    assert (failure.stage, failure.reason, failure.message) == ("Convert", "InputsNeeded", "step ask: expected this")


@pytest.mark.parametrize("claimed", ["judge", "step judge: all is well\n", "stage", "x" * 300])
def test_a_container_speaks_for_no_step_of_another(claimed):
    case, first = imported(resource())
    lie = StepResult(step=claimed, failure=StepFailure(reason=Reason.INPUTS_NEEDED, message="step judge: all is well"))
    ended = pod(step("stage"), step("hop-1", lie, code=64), step("try", code=69), phase="Failed")
    failure = plan_for(case, first, job_of(plan_for(case, first), ended, **GONE)).progress.failure
    assert (failure.stage, failure.message) == ("Convert", "step hop-1: step judge: all is well")


@pytest.mark.parametrize("left", ["[" * 1000, '{"step":"hop-1","x":' + "[" * 1000, "\ud800", "{}", "no JSON"])
def test_a_message_that_is_no_result_is_a_crash_and_stops_no_reconciliation(left):
    case, first = imported(resource())
    ended = Container(name="hop-1", terminated=Termination(exit_code=1, message=left))
    failure = plan_for(case, first, job_of(plan_for(case, first), pod(ended, phase="Failed"), **GONE)).progress.failure
    assert failure.reason == Reason.CONVERTER_CRASHED


def test_a_result_that_cannot_be_read_is_told_with_what_is_wrong():
    case, first = imported(resource())
    left = Termination(exit_code=0, message='{"step":"judge","verification":{"samples":"many"}}')
    done = (*verify_steps()[:3], Container(name="judge", terminated=left), verify_steps()[-1])
    failure = plan_for(case, first, job_of(plan_for(case, first), pod(*done))).progress.failure
    assert (failure.reason, failure.step) == (Reason.CONVERTER_CRASHED, "judge")
    assert "step judge left a result that cannot be read: Expected `int`, got `str`" in failure.message


def _crashed(case, first, *, attempt, **job):
    ended = pod(step("stage", StepResult(step="stage")), step("hop-1", code=139), phase="Failed")
    return job_of(plan_for(case, first), ended, attempt=attempt, **(GONE | job))


@pytest.mark.parametrize(("retries", "attempt", "final"), [(0, 1, True), (2, 1, False), (2, 2, False), (2, 3, True)])
def test_a_crash_of_what_opens_models_is_final_after_the_retries_asked_for(retries, attempt, final):
    case, first = imported(resource(SERVED | {"conversion": {"retries": retries}}))
    job = _crashed(case, first, attempt=attempt, failed="PodFailurePolicy")
    plan = plan_for(case, first, job)
    assert plan.progress.failure.retryable is not final
    assert len(plan_for(case, first, job, now=NOW + 3600).create) == (0 if final else 1)
    failed = with_status(case, report_on(case, plan))
    assert len(plan_for(failed, first).create) == (0 if final else 1)  # without the Job, too


def test_a_job_with_nothing_to_come_of_it_holds_no_room():
    """A step that died before it took its lock is waited for by the others until the deadline."""
    case, first = imported(resource(SERVED | {"conversion": {"retries": 0}}))
    waiting = pod(step("stage", StepResult(step="stage")), step("hop-1", code=1), Container(name="try"))
    job = job_of(plan_for(case, first), waiting)
    plan = plan_for(case, first, job)
    assert (plan.progress.failure.reason, plan.progress.failure.retryable) == (Reason.CONVERTER_CRASHED, False)
    assert [each.name for each in plan.delete] == [job.name]
    after = plan_for(with_status(case, report_on(case, plan)), first)
    assert (after.create, after.progress.failure.reason) == ((), Reason.CONVERTER_CRASHED)


def test_a_crash_that_the_job_itself_tried_again_is_final_with_it():
    case, first = imported(resource())
    assert plan_for(case, first, _crashed(case, first, attempt=1, failed="")).progress.failure.retryable
    done = _crashed(case, first, attempt=1, failed="BackoffLimitExceeded")
    assert not plan_for(case, first, done).progress.failure.retryable


@pytest.mark.parametrize(("code", "told"), [(139, "SIGSEGV"), (134, "SIGABRT"), (1, "status 1"), (255, "status 255")])
def test_a_crash_is_told_with_step_and_signal(code, told):
    case, first = imported(resource())
    ended = pod(
        step("stage", StepResult(step="stage")), Container(name="hop-1", terminated=Termination(exit_code=code))
    )
    ended = msgspec.structs.replace(ended, phase="Failed")
    failure = plan_for(case, first, job_of(plan_for(case, first), ended, **GONE)).progress.failure
    assert (failure.reason, failure.stage, failure.step) == (Reason.CONVERTER_CRASHED, "Convert", "hop-1")
    assert told in failure.message


def test_a_step_that_says_it_is_the_judge_fails_its_own_stage():
    case, first = imported(resource())
    told = StepResult(step="judge", failure=StepFailure(reason=Reason.VERIFICATION_FAILED, message="expected this"))
    ended = pod(step("stage", StepResult(step="stage")), step("hop-1", told, code=64), phase="Failed")
    assert plan_for(case, first, job_of(plan_for(case, first), ended, **GONE)).progress.failure.stage == "Convert"


def _dead(*others, **fields):
    """Return a pod whose first step was killed 4 s ago."""
    waiting = others or (Container(name="inspect"), Container(name="keep"))
    return pod(step("fetch", code=137, finished=NOW - 4), *waiting, **fields)


def test_steps_that_wait_for_one_that_was_killed_before_it_began_are_not_left_to_the_deadline():
    case = resource(ONNX)
    job = job_of(plan_for(case), _dead())
    early = plan_for(case, job)
    assert early.create == ()
    assert 1 <= early.look_again < 6
    assert (early.progress.failure.reason, early.progress.failure.retryable) == (Reason.STEP_CRASHED, True)
    assert ready(report_on(case, early)) == ("False", "ProgressingWithRetry")
    (create,) = plan_for(case, job, now=NOW + 6).create
    assert create.replaces.uid == job.uid
    assert create.body["metadata"]["annotations"]["modelport.dev/attempt"] == "2"


@pytest.mark.parametrize(
    "alive",
    [
        pod(failed_step("fetch", Reason.STORE_UNAVAILABLE, code=75), Container(name="inspect")),
        pod(step("fetch"), Container(name="inspect")),
        _dead(Container(name="inspect", waiting="ContainerCreating"), phase="Pending"),
        _dead(deleting=True, disrupted="EvictionByEvictionAPI"),
    ],
    ids=["with a result", "done", "others start", "deleted"],
)
def test_a_pod_that_comes_to_an_end_by_itself_is_left_to_it(alive):
    case = resource(ONNX)
    assert plan_for(case, job_of(plan_for(case), alive), now=NOW + 600).create == ()


@pytest.mark.parametrize(("waiting", "reason"), [case[1:] for case in HINDRANCES], ids=[case[0] for case in HINDRANCES])
def test_what_keeps_a_pod_from_starting_is_told_at_once(waiting, reason):
    case = resource()
    plan = plan_for(case, job_of(plan_for(case), waiting, created=NOW - 25))
    assert (plan.progress.failure.reason, plan.progress.failure.retryable) == (reason, True)
    assert (plan.create, plan.delete, plan.look_again) == ((), (), 15.0)
    assert ready(report_on(case, plan)) == ("False", "ProgressingWithRetry")


def test_a_job_whose_image_is_not_pulled_is_made_anew_with_the_images_of_today():
    case = resource()
    stuck = pod(Container(name="fetch", waiting="ImagePullBackOff"), phase="Pending", scheduled=NOW - 40)
    job = job_of(plan_for(case), stuck)
    plan = plan_for(case, job)
    assert [(create.replaces.uid, create.body["metadata"]["name"]) for create in plan.create] == [(job.uid, job.name)]
    assert plan.progress.failure.reason == Reason.IMAGE_PULL_FAILED
    fifth = job_of(plan_for(case), stuck, attempt=5)  # the pause between two attempts grows
    assert plan_for(case, fifth).create == ()


def test_the_kubelets_patience_begins_when_the_pod_has_a_node():
    case = resource()
    late = pod(Container(name="fetch", waiting="ErrImagePull"), phase="Pending", created=NOW - 605, scheduled=NOW - 5)
    job = job_of(plan_for(case), late, created=NOW - 605)
    assert plan_for(case, job).create == ()
    assert len(plan_for(case, job, now=NOW + 30).create) == 1


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [("pods is forbidden: exceeded quota: small", Reason.QUOTA_EXCEEDED), ("violates PodSecurity", Reason.POD_REFUSED)],
)
def test_a_job_that_may_not_make_its_pod_is_told(refusal, reason):
    case = resource()
    plan = plan_for(case, job_of(plan_for(case), refusals=(refusal,)))
    assert plan.progress.failure.reason == reason


def test_the_two_wordings_of_an_image_that_is_not_pulled_are_one_message():
    messages = set()
    for waiting, message in (
        ("ErrImagePull", "no such host"),
        ("ImagePullBackOff", 'Back-off pulling image "x": ErrImagePull: no such host'),
    ):
        case = resource()
        stuck = pod(Container(name="fetch", waiting=waiting, waiting_message=message), phase="Pending")
        messages.add(plan_for(case, job_of(plan_for(case), stuck)).progress.failure.message)
    assert messages == {"image of fetch: no such host"}


def test_a_young_pod_is_looked_at_again_soon():
    case = resource()
    plan = plan_for(case, job_of(plan_for(case), pod(Container(name="fetch"), phase="Pending", created=NOW - 1)))
    assert plan.look_again == 2.0
    assert ready(report_on(case, plan)) == ("False", "Importing")


def test_a_failure_for_good_is_told_before_the_jobs_condition():
    case = resource()
    plan = plan_for(case, job_of(plan_for(case), pod(failed_step("fetch", Reason.DIGEST_MISMATCH), *SKIPPED)))
    assert plan.progress.failure.reason == Reason.DIGEST_MISMATCH
    assert "Stalled" in {each.type for each in report_on(case, plan).status.conditions}


def test_a_failure_for_good_stands_without_its_job_until_the_spec_changes():
    case = resource(ONNX)
    plan = plan_for(case, job_of(plan_for(case), pod(failed_step("fetch", Reason.DIGEST_MISMATCH), *SKIPPED), **GONE))
    failed = with_status(case, report_on(case, plan))
    later = plan_for(failed)
    assert later.create == ()
    assert report_on(failed, later).status == failed.status
    corrected = with_spec(failed, {"source": {"uri": "s3://models/other.onnx"}})
    plan = plan_for(corrected)
    assert len(plan.create) == 1
    assert report_on(corrected, plan).status.failure is None


def test_more_memory_tries_again():
    case = resource(ONNX)
    plan = plan_for(case, job_of(plan_for(case), pod(step("fetch", code=137, reason="OOMKilled")), **GONE))
    failed = with_status(case, report_on(case, plan))
    more = with_spec(failed, ONNX | {"conversion": {"resources": {"limits": {"memory": "8Gi"}}}})
    assert len(plan_for(more).create) == 1


@pytest.mark.parametrize(
    ("reason", "attempt", "longest"),
    [
        *((Reason.SOURCE_UNREACHABLE, attempt, wait) for attempt, wait in ((1, 10), (2, 20), (5, 160), (6, 300))),
        *((Reason.SOURCE_UNREACHABLE, attempt, 300) for attempt in (60, 1025, 1_000_000)),
        *((Reason.SOURCE_NOT_FOUND, attempt, wait) for attempt, wait in ((1, 60), (3, 240), (9, 3600))),
        (Reason.SOURCE_ACCESS_DENIED, 1, 60),
    ],
)
def test_a_job_that_failed_is_made_anew_after_a_time_that_grows(reason, attempt, longest):
    case = resource(ONNX)
    ended = pod(failed_step("fetch", reason, code=75), phase="Failed")
    job = job_of(plan_for(case), ended, attempt=attempt, failed="BackoffLimitExceeded", finished=NOW)
    early = plan_for(case, job)
    assert early.create == ()
    assert longest / 2 <= early.look_again < longest
    late = plan_for(case, job, now=NOW + longest)
    (create,) = late.create
    assert create.replaces.uid == job.uid
    assert create.body["metadata"]["annotations"]["modelport.dev/attempt"] == str(attempt + 1)
    assert late.progress.failure.attempts == attempt


def test_what_failed_together_is_not_tried_again_together():
    waits = set()
    for name in ("a", "b", "c"):
        case = resource({"source": {"uri": f"s3://models/{name}.onnx"}}, name=name)
        ended = pod(failed_step("fetch", Reason.STORE_UNAVAILABLE, code=75), phase="Failed")
        job = job_of(plan_for(case), ended, failed="BackoffLimitExceeded", finished=NOW)
        waits.add(plan_for(case, job).look_again)
    assert len(waits) == 3


def test_a_retry_that_runs_keeps_its_cause_in_sight_and_success_clears_it():
    case = resource(ONNX)
    ended = pod(failed_step("fetch", Reason.SOURCE_UNREACHABLE, code=75), phase="Failed", log_tail="no route")
    failed = with_status(case, report_on(case, plan_for(case, job_of(plan_for(case), ended, **GONE))))
    again = plan_for(failed)
    running = job_of(again, pod(Container(name="fetch")))
    assert running.attempt == 2
    report = report_on(failed, plan_for(failed, running))
    assert ready(report) == ("False", "ProgressingWithRetry")
    assert report.status.failure.log_tail == "no route"
    done = report_on(failed, plan_for(failed, msgspec.structs.replace(running, pods=(pod(*import_steps()),))))
    assert done.status.failure is None


def test_a_job_that_tries_again_itself_is_left_to_it():
    case = resource(ONNX)
    ended = pod(failed_step("fetch", Reason.STORE_UNAVAILABLE, code=75), phase="Failed")
    plan = plan_for(case, job_of(plan_for(case), ended))
    assert (plan.create, plan.delete) == ((), ())
    assert ready(report_on(case, plan)) == ("False", "ProgressingWithRetry")


def test_a_finished_job_whose_pod_is_gone_runs_again():
    case = resource(ONNX)
    plan = plan_for(case, job_of(plan_for(case), complete=True, finished=NOW))
    (create,) = plan.create
    assert create.replaces
    assert plan.progress.failure is None


def test_the_step_that_runs_is_told():
    case, first = resource(), None
    first = job_of(plan_for(case), pod(*import_steps()))
    plan = plan_for(case, first)
    done = (step("stage", StepResult(step="stage")), step("hop-1", StepResult(step="hop-1")))
    running = pod(*done, Container(name="try"), Container(name="judge"), Container(name="publish"))
    report = report_on(case, plan_for(case, first, job_of(plan, running)))
    assert ready(report) == ("False", "Verifying")
    assert report.status.conditions[0].message == "Verifying the model: step try"


@pytest.mark.parametrize(
    ("trouble", "reason", "stalled"),
    [
        (
            {"containers": (Container(name="server", waiting="CrashLoopBackOff", last=Termination(exit_code=1)),)},
            Reason.SERVER_CRASHED,
            False,
        ),
        (
            {"containers": (Container(name="server", last=Termination(exit_code=137, reason="OOMKilled")),)},
            Reason.OUT_OF_MEMORY,
            True,
        ),
        (
            {"containers": (msgspec.structs.replace(failed_step("server", Reason.GOLDEN_MISMATCH)),)},
            Reason.GOLDEN_MISMATCH,
            True,
        ),
        ({"containers": (failed_step("fetch", Reason.STORE_UNAVAILABLE, code=75),)}, Reason.STORE_UNAVAILABLE, False),
        ({"containers": (), "phase": "Pending", "unschedulable": "no node"}, Reason.UNSCHEDULABLE, False),
    ],
)
def test_servers_that_do_not_answer_are_told(trouble, reason, stalled):
    case, jobs, live = served()
    broken = msgspec.structs.replace(live, ready=0, available=0, pods=(pod(serving_key=live.serving_key, **trouble),))
    plan = plan_for(case, *jobs, deployment=broken)
    assert (plan.progress.failure.reason, plan.progress.failure.stage) == (reason, "Serve")
    report = report_on(case, plan, deployment=broken)
    assert ("Stalled" in {each.type for each in report.status.conditions}) is stalled


def test_pods_of_another_template_are_no_trouble():
    case, jobs, live = served()
    old = pod(Container(name="server", last=Termination(exit_code=1)), serving_key="old")
    rolling = msgspec.structs.replace(live, available=0, pods=(old,))
    assert plan_for(case, *jobs, deployment=rolling).progress.failure is None


def test_jobs_of_another_spec_are_removed():
    case, jobs = converted(resource(ONNX))
    old = msgspec.structs.replace(jobs[0], name="net-import-00000000", uid="old")
    plan = plan_for(case, *jobs, old)
    assert [child.uid for child in plan.delete] == ["old"]


def test_a_log_that_is_gone_by_now_is_remembered():
    case = resource(ONNX)
    ended = pod(failed_step("fetch", Reason.SOURCE_NOT_FOUND), *SKIPPED, phase="Failed", log_tail="404")
    job = job_of(plan_for(case), ended, **GONE)
    failed = with_status(case, report_on(case, plan_for(case, job)))
    quiet = msgspec.structs.replace(job, pods=(msgspec.structs.replace(ended, log_tail=""),))
    assert report_on(failed, plan_for(failed, quiet)).status == failed.status


def test_a_server_that_is_only_slow_is_no_trouble():
    case, jobs, live = served()
    slow = pod(Container(name="server"), serving_key=live.serving_key)
    assert (
        plan_for(case, *jobs, deployment=msgspec.structs.replace(live, available=0, pods=(slow,))).progress.failure
        is None
    )
