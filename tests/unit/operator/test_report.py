"""The table of conditions, row by row; what holds for every report is checked in `scenes.report_on`."""

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport.api.status import Condition, Failure, Status
from modelport_operator.facts import Container, Termination
from modelport_operator.plan.troubles import Trouble, clean, failure_of
from modelport_operator.reading import with_progress
from modelport_operator.report.invariants import violations
from unit.operator.scenes import (
    ONNX,
    SERVED,
    converted,
    deployed,
    held,
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

TOMORROW = "2027-01-16T08:00:00Z"


def test_a_job_that_is_wanted_is_under_way():
    case = resource()
    report = report_on(case, plan_for(case))
    assert ready(report) == ("False", "Importing")
    assert held(report) == {"Reconciling"}
    assert report.status.serving is None


def test_a_deployment_that_rolls():
    case, jobs = converted(resource())
    plan = plan_for(case, *jobs)
    fresh = deployed(plan, observed_generation=0, replicas=0, updated=0, ready=0, available=0)
    report = report_on(case, plan, deployment=fresh)
    assert ready(report) == ("False", "Deploying")
    assert held(report) == {"Reconciling", "Imported", "Converted", "Verified"}
    assert report.status.serving is None


def test_what_serves():
    case, _jobs, live = served()
    conditions = {each.type: each for each in case.status.conditions}
    assert (conditions["Ready"].status, conditions["Ready"].reason) == ("True", "Serving")
    assert conditions["Available"].status == "True"
    serving = case.status.serving
    assert (serving.url, serving.replicas, serving.artifact_digest) == (
        "http://net.team.svc.cluster.local",
        1,
        live.artifact_digest,
    )
    assert serving.selector == "modelport.dev/resource=net,modelport.dev/stage=serve"


@pytest.mark.parametrize(
    "change",
    [
        {"observed_generation": 0},
        {"updated": 0},
        {"replicas": 2},
        {"available": 0},
        {"serving_key": "old"},
        {"pods": (pod(ready=True, serving_key="old", deleting=True),)},
    ],
)
def test_what_is_not_rolled_out_is_not_ready(change):
    case, jobs, live = served()
    rolling = msgspec.structs.replace(live, **change)
    assert ready(report_on(case, plan_for(case, *jobs, deployment=rolling), deployment=rolling)) == (
        "False",
        "Deploying",
    )


def _three(**change):
    case, jobs, live = served(ONNX | {"serving": {"replicas": 3}})
    live = msgspec.structs.replace(live, **change)
    plan = plan_for(case, *jobs, deployment=live)
    return report_on(case, plan, deployment=live), plan


KILLED = Container(name="server", last=Termination(exit_code=137, reason="OOMKilled"), waiting="CrashLoopBackOff")


@pytest.mark.parametrize("available", [2, 1])
def test_one_lost_replica_is_told_and_the_others_are_ready(available):
    key = _three()[1].rollout.key
    pods = (pod(KILLED, serving_key=key), *(pod(ready=True, serving_key=key) for _ in range(available)))
    report, plan = _three(ready=available, available=available, pods=pods)
    assert ready(report) == ("True", "Serving")
    assert not {"Stalled", "Reconciling"} & held(report)
    replicas = {each.type: each for each in report.status.conditions}["ReplicasAvailable"]
    assert (replicas.status, replicas.reason) == ("False", "OutOfMemory")
    assert f"{available} of 3 pods answer; another one: OutOfMemory" in replicas.message
    assert "before it" not in report.status.conditions[0].message
    assert (report.status.failure, plan.delete) == (None, ())


def test_no_replica_left_is_a_failure_and_no_other_artifact_is_told_to_serve():
    report, _ = _three(ready=0, available=0, pods=(pod(KILLED, serving_key=_three()[1].rollout.key),))
    assert ready(report) == ("False", "OutOfMemory")
    assert "before it" not in report.status.conditions[0].message


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_pods_that_were_evicted_are_history(phase):
    key = _three()[1].rollout.key
    gone = pod(Container(name="server"), serving_key=key, phase=phase, reason="Evicted", message="low on memory")
    report, plan = _three(replicas=2, updated=2, available=2, pods=(gone,))
    assert (plan.trouble, ready(report)) == (None, ("True", "Serving"))
    report, plan = _three(replicas=0, updated=0, available=0, pods=(gone,))
    assert ready(report) == ("False", "Deploying")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pods_refused": 'pods "net-1" is forbidden: exceeded quota: small'}, "QuotaExceeded"),
        ({"pods_refused": "violates PodSecurity restricted"}, "PodRefused"),
        ({"overdue": 'ReplicaSet "net-1" has timed out progressing.'}, "RolloutOverdue"),
    ],
)
def test_what_the_deployment_says_itself_is_told(change, reason):
    report, _ = _three(replicas=0, updated=0, available=0, **change)
    assert ready(report) == ("False", "ProgressingWithRetry")
    assert report.status.failure.reason == reason
    report, _ = _three(replicas=2, updated=2, available=2, **change)
    assert ready(report) == ("True", "Serving")
    assert {each.type: each.reason for each in report.status.conditions}["ReplicasAvailable"] == reason


def test_more_replicas_are_asked_for_and_those_that_are_there_go_on():
    report, _ = _three(wanted=5, replicas=3)
    assert ready(report) == ("True", "Serving")
    assert "ReplicasAvailable" not in held(report)


def test_facts_stand_where_a_name_is_taken():
    case, jobs, _ = served()
    report = report_on(case, plan_for(case, *jobs, foreign=("Service net",)))
    assert ready(report) == ("False", "NameConflict")
    assert held(report) == {"Stalled", "Imported", "Converted", "Verified"}
    assert not report.status.failure.retryable


def test_the_old_artifact_serves_while_the_new_one_is_made():
    case, jobs, live = served()
    changed = with_spec(case, SERVED | {"target": {"options": {"opset": 18}}})
    report = report_on(changed, plan_for(changed, *jobs, deployment=live), deployment=live)
    assert ready(report) == ("False", "Converting")
    assert held(report) == {"Reconciling", "Imported", "Available"}
    assert report.status.conditions[0].message.endswith("; the artifact before it goes on serving")
    assert report.status.serving == case.status.serving


def test_the_digest_that_answers_changes_with_the_rollout_only():
    case, _jobs, live = served()
    half = msgspec.structs.replace(
        live, artifact_digest="sha256:new", serving_key="new", updated=1, replicas=2, available=1
    )
    report = report_on(case, plan_for(case, *_jobs, deployment=half), deployment=half)
    assert report.status.serving.artifact_digest == live.artifact_digest


def test_an_artifact_alone():
    case, jobs = converted(resource(ONNX))
    report = report_on(case, plan_for(case, *jobs))
    assert ready(report) == ("True", "Stored")
    assert "Available" not in {each.type for each in report.status.conditions}


def test_scaled_to_zero():
    case, jobs = converted(resource(ONNX | {"serving": {"replicas": 0}}))
    plan = plan_for(case, *jobs)
    report = report_on(case, plan, deployment=deployed(plan))
    assert ready(report) == ("True", "ScaledToZero")
    assert "Available" not in held(report)


def test_serving_that_is_taken_down():
    case, jobs, live = served()
    without = with_spec(case, ONNX)
    plan = plan_for(without, *jobs, deployment=live)
    assert ready(report_on(without, plan, deployment=live)) == ("False", "Deploying")
    gone = report_on(without, plan, deployment=None)
    assert ready(gone) == ("True", "Stored")
    assert gone.status.serving is None


def test_suspended_is_ready_only_with_what_the_spec_asks():
    case, jobs, live = served()
    same = with_spec(case, SERVED | {"suspend": True})
    assert ready(report_on(same, plan_for(same, *jobs, deployment=live), deployment=live)) == ("True", "Suspended")
    other = with_spec(case, SERVED | {"suspend": True, "target": {"options": {"opset": 18}}})
    report = report_on(other, plan_for(other, *jobs, deployment=live), deployment=live)
    assert ready(report) == ("False", "Suspended")
    assert not {"Reconciling", "Stalled"} & {each.type for each in report.status.conditions}


def test_a_taken_name():
    case = resource()
    report = report_on(case, plan_for(case, foreign=("Service net",)))
    assert ready(report) == ("False", "NameConflict")
    assert "Stalled" in held(report)
    assert "Service net" in report.status.failure.message


def test_a_refusal_of_the_api_server():
    case = resource()
    failure = failure_of(Trouble(Reason.QUOTA_EXCEEDED, "exceeded quota"), stage="Import", key="k", retryable=True)
    report = report_on(case, plan_for(case), refused=failure)
    assert ready(report) == ("False", "ProgressingWithRetry")
    assert report.status.failure.reason == "QuotaExceeded"


def test_times_change_with_the_status_only():
    case = resource()
    first = report_on(case, plan_for(case))
    told = with_status(case, first)
    running = job_of(plan_for(case), pod(Container(name="fetch")))
    second = report_on(told, plan_for(told, running), now=TOMORROW)
    assert second.status != first.status
    assert {each.last_transition_time for each in second.status.conditions} == {"2027-01-15T08:00:00Z"}
    served_case, jobs, live = served()
    broken = msgspec.structs.replace(live, available=0)
    third = report_on(served_case, plan_for(served_case, *jobs, deployment=broken), deployment=broken, now=TOMORROW)
    assert third.status.conditions[0].last_transition_time == TOMORROW


def test_events_tell_transitions_once():
    case = resource()
    first = report_on(case, plan_for(case))
    assert [(event.type, event.reason) for event in first.events] == [("Normal", "Importing")]
    told = with_status(case, first)
    assert report_on(told, plan_for(told, job_of(plan_for(case), pod(Container(name="fetch"))))).events == ()


def test_events_of_failures_are_warnings():
    case = resource()
    report = report_on(case, plan_for(case, foreign=("Service net",)))
    assert [(event.type, event.reason) for event in report.events] == [("Warning", "NameConflict")]


def test_everything_that_came_true_at_once_has_its_event():
    case, jobs = converted(resource(ONNX))
    fresh = resource(ONNX)
    report = report_on(fresh, plan_for(fresh, *jobs))
    assert [event.reason for event in report.events] == ["Stored", "Imported", "Converted", "Verified"]
    assert case.status.artifact == report.status.artifact


@pytest.mark.parametrize(
    ("text", "limit", "tail", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m\x00 text\r\n", 100, False, "red text"),
        ("abcdef", 3, False, "abc"),
        ("abcdef", 3, True, "def"),
        ("ünï\u202ecode", 100, False, "ünï\u202ecode"),
    ],
)
def test_foreign_text_is_cleaned(text, limit, tail, cleaned):
    assert clean(text, limit, tail=tail) == cleaned


def condition(name, status="True", generation=1, time="t", reason="R"):
    return Condition(
        type=name, status=status, reason=reason, message="m", observed_generation=generation, last_transition_time=time
    )


BROKEN = [
    ([], None),
    ([condition("Ready"), condition("Reconciling")], None),
    ([condition("Ready", "False"), condition("Reconciling"), condition("Stalled")], None),
    ([condition("Ready", "False"), condition("Stalled", "False")], None),
    ([condition("Ready", "False", generation=0)], None),
    ([condition("Ready", "False"), condition("Ready", "False")], None),
    ([condition("Ready", "False"), condition("Stalled")], None),
    ([condition("Ready")], None),
    ([condition("Ready", "False"), condition("Verified")], None),  # nobody judged
    ([condition("Ready", "False", time="later")], [condition("Ready", "False")]),
    (
        [
            condition("Ready", reason="ScaledToZero"),
            condition("Autoscaled", "Unknown"),
            condition("Verified", "False", reason="NotEnforced"),
        ],
        None,
    ),
]


@pytest.mark.parametrize(("conditions", "before"), BROKEN)
def test_the_invariants_can_fail(conditions, before):
    status = Status(observed_generation=1, conditions=conditions)
    old = Status(conditions=before) if before else None
    assert list(violations(status, generation=1, old=old))


def test_the_invariants_hold_for_a_failure():
    failure = Failure(key="k", stage="Import", reason="R", message="m")
    status = Status(
        observed_generation=1, conditions=[condition("Ready", "False"), condition("Stalled")], failure=failure
    )
    assert list(violations(status, generation=1)) == []
    assert list(violations(status, generation=0))


def test_what_is_only_reported_is_stored_and_not_called_verified():
    case, first = imported(resource(ONNX | {"verification": {"policy": "Report"}}))
    job = job_of(plan_for(case, first), pod(*verify_steps(error="0.1")))
    plan = plan_for(case, first, job)
    report = report_on(case, plan)
    verified = next(each for each in report.status.conditions if each.type == "Verified")
    assert (ready(report), verified.status, verified.reason) == (("True", "Stored"), "False", "NotEnforced")
    assert "verified" not in report.status.conditions[0].message
    assert [event.reason for event in report.events] == ["Stored", "Converted"]
    settled = with_status(case, report)
    assert report_on(settled, plan_for(settled, first, job)).status == report.status
    judged = with_spec(settled, ONNX)
    assert "Verified" not in held(report_on(judged, plan_for(judged, first, job)))


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (
            "12:00:00 tvm: measured 32 of 400 programs\n12:00:20 tvm: measured 48 of 400 programs\n",
            "measured 48 of 400 programs",
        ),
        ("12:00:00 tvm: 20 nodes to compile\nmeasured 1 of 2\n", ""),
        (f"12:00:00 tvm: measured 1 of 2 {'x' * 500}\n", f"measured 1 of 2 {'x' * 500}"[:120]),
    ],
)
def test_a_step_that_counts_is_told_with_how_far_it_is(log, told):
    case, first = imported(resource())
    plan = plan_for(case, first)
    running = with_progress(pod(step("stage"), Container(name="hop-1")), log)
    assert running.progress == told
    report = report_on(case, plan_for(case, first, job_of(plan, running)))
    wanted = f"Converting the model: step hop-1{f': {told}' if told else ''}"
    assert report.status.conditions[0].message == wanted
