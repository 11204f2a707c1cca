"""Every state that a ModelConversion can be seen in, as the API server shows it, with the health that it must have.

The bodies are made by what decides in the operator: plans and reports of observed facts, never by hand.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import msgspec

from gitops.checkers import CURRENT, DELETING, FAILED, IN_PROGRESS, SUSPENDED, SUSPENDED_BEFORE, Body, Seen
from modelport.api.reasons import ADVICE, Reason
from modelport.api.resource import ModelConversion
from modelport.api.status import Status
from modelport.crd import root_schema
from modelport_operator.facts import Container, LiveObject, Termination, Turn
from modelport_operator.plan.troubles import Trouble, failure_of
from modelport_operator.report import report_fault, report_unreadable
from unit.operator.scenes import (
    NOW,
    ONNX,
    PLATFORM,
    SERVED,
    TODAY,
    UPGRADED,
    converted,
    deployed,
    failed_step,
    imported,
    job_of,
    plan_for,
    pod,
    report_on,
    resource,
    served,
    step,
    verify_steps,
    with_spec,
    with_status,
)

EDIT = SERVED | {"target": {"options": {"opset": 18}}}
FULL = Turn(may_begin=False, place=3, waiting=7, running=2, limit=2)
MONITORED = msgspec.structs.replace(PLATFORM, prometheus_address="http://prometheus:9090")
BY_CPU = {"maxReplicas": 5, "cpuUtilization": 70}
BY_CRON = {"minReplicas": 0, "maxReplicas": 3, "triggers": [{"type": "cron", "metadata": {"timezone": "UTC"}}]}
BY_QUEUE = {"maxReplicas": 3, "queueSize": 1}
KILLED = Container(name="server", last=Termination(exit_code=137, reason="OOMKilled"), waiting="CrashLoopBackOff")


class State(NamedTuple):
    """A state, and what those who deploy the resource must see."""

    make: Callable[[], ModelConversion | Body]
    seen: Seen


def body_of(case: ModelConversion | Body) -> Body:
    """Return the object as the API server has it: empty fields are left out, and the status is never empty."""
    if isinstance(case, dict):
        return case
    body: Body = msgspec.to_builtins(case)
    meta = {name: value for name, value in body["metadata"].items() if value not in ({}, None)}
    return body | {"metadata": meta, "status": body.get("status") or unseen()}


def unseen() -> Body:
    """Return the status of a resource that no operator has seen, which the API server gives it."""
    default: Body = root_schema()["properties"]["status"]["default"]
    return default


def _told(
    case: ModelConversion, *jobs: Any, deployment: Any = None, platform: Any = None, **observed: Any
) -> ModelConversion:
    """Return the resource with the status that the operator writes about it."""
    more = {"platform": platform} if platform else {}
    plan = plan_for(case, *jobs, deployment=deployment, **more, **observed)
    return with_status(case, report_on(case, plan, deployment=deployment))


def _edited(case: ModelConversion, **change: Any) -> ModelConversion:
    """Return the resource after a change of its spec that no operator has seen yet."""
    return with_spec(case, SERVED | change)


# --- nobody has looked yet ------------------------------------------------------------------------------------------


def applied_without_an_operator() -> ModelConversion:
    return resource(SERVED)


def edited_without_an_operator() -> ModelConversion:
    return _edited(served()[0], target={"options": {"opset": 18}})


def failed_and_corrected_without_an_operator() -> ModelConversion:
    return with_spec(wrong_digest(), ONNX)


def suspended_without_an_operator() -> ModelConversion:
    return _edited(served()[0], suspend=True)


# --- under way ------------------------------------------------------------------------------------------------------


def importing() -> ModelConversion:
    return _told(resource(SERVED))


def converting() -> ModelConversion:
    case, first = imported(resource(SERVED))
    running = job_of(plan_for(case, first), pod(step("stage"), Container(name="hop-1")))
    return _told(case, first, running)


def verifying() -> ModelConversion:
    case, first = imported(resource(SERVED))
    running = job_of(plan_for(case, first), pod(step("stage"), step("hop-1"), Container(name="try")))
    return _told(case, first, running)


def deploying() -> ModelConversion:
    case, jobs = converted(resource(SERVED))
    live = deployed(plan_for(case, *jobs), observed_generation=0, replicas=0, updated=0, ready=0, available=0)
    return _told(case, *jobs, deployment=live)


def restarted_while_converting() -> ModelConversion:
    case, first = imported(resource(SERVED))
    running = job_of(plan_for(case, first), pod(step("stage"), Container(name="hop-1")))
    return _told(_told(case, first, running), first, running, platform=UPGRADED)


def converting_while_the_old_artifact_serves() -> ModelConversion:
    case, jobs, live = served()
    return _told(with_spec(case, EDIT), *jobs, deployment=live)


def rolling_out_while_the_old_artifact_serves() -> ModelConversion:
    case, jobs, live = served()
    return _told(case, *jobs, deployment=msgspec.structs.replace(live, serving_key="old"))


def queued() -> ModelConversion:
    return _told(resource(SERVED), turn=FULL)


def queued_while_the_old_artifact_serves() -> ModelConversion:
    case, jobs, live = served()
    return _told(with_spec(case, EDIT), *jobs, deployment=live, turn=FULL)


def queued_for_another_attempt() -> ModelConversion:
    return _told(trying_again(), turn=FULL)


def queued_by_kueue() -> ModelConversion:
    case = resource(SERVED | {"conversion": {"queueName": "gold"}})
    return _told(case, job_of(plan_for(case)))


def queued_behind_another_resource() -> ModelConversion:
    case, first = imported(resource(SERVED))
    return _told(case, first, makers={plan_for(case, first).demand.makes: "other"})


def waking() -> ModelConversion:
    return _autoscaled(BY_CRON, _scaled_object("Ready", "True"), wanted=1, replicas=1, updated=1)


def zero_before_the_autoscaler_has_spoken() -> ModelConversion:
    return _autoscaled(BY_CRON)


def zero_that_nothing_would_wake() -> ModelConversion:
    return _autoscaled(BY_CRON, lacking=frozenset({"ScaledObject"}))


def taking_serving_down() -> ModelConversion:
    case, jobs, live = served()
    return _told(with_spec(case, ONNX), *jobs, deployment=live)


def waiting_for_what_a_deleted_resource_left() -> ModelConversion:
    case, jobs = converted(resource(SERVED))
    return _told(case, *jobs, leaving=("Deployment net", "Service net"))


def trying_again() -> ModelConversion:
    case = resource(SERVED)
    ended = pod(failed_step("fetch", Reason.SOURCE_UNREACHABLE, code=75), phase="Failed")
    return _told(case, job_of(plan_for(case), ended, attempt=2, failed="BackoffLimitExceeded", finished=NOW))


def refused_by_the_api_server() -> ModelConversion:
    case = resource(SERVED)
    failure = failure_of(Trouble(Reason.QUOTA_EXCEEDED, "exceeded quota"), stage="Import", key="k")
    return with_status(case, report_on(case, plan_for(case), refused=failure))


def rollout_without_quota() -> ModelConversion:
    case, jobs, live = served()
    none = msgspec.structs.replace(live, replicas=0, updated=0, ready=0, available=0, pods_refused="exceeded quota: q")
    return _told(case, *jobs, deployment=none)


def fault_of_the_operator() -> ModelConversion:
    case = served()[0]
    report = report_fault(case.status, ValueError(), generation=case.metadata.generation, now=TODAY)
    return msgspec.structs.replace(case, status=report.status)


# --- done -----------------------------------------------------------------------------------------------------------


def serving() -> ModelConversion:
    return served()[0]


def restarted_while_serving() -> ModelConversion:
    case, _, live = served()
    return _told(case, deployment=live, platform=UPGRADED)  # its Jobs are cleared away, its images are others


def stored() -> ModelConversion:
    case, jobs = converted(resource(ONNX))
    return _told(case, *jobs)


def only_reported() -> ModelConversion:
    case, first = imported(resource(ONNX | {"verification": {"policy": "Report"}}))
    return _told(case, first, job_of(plan_for(case, first), pod(*verify_steps(error="0.1"))))


def scaled_to_zero() -> ModelConversion:
    case, jobs = converted(resource(ONNX | {"serving": {"replicas": 0}}))
    return _told(case, *jobs, deployment=deployed(plan_for(case, *jobs)))


def _autoscaled(scaling: Body, *objects: LiveObject, **observed: Any) -> ModelConversion:
    """Return a resource with as many pods as `observed` says, and the least that are asked for if not."""
    counts = {name: value for name, value in observed.items() if name != "lacking"}
    serving = {"autoscaling": scaling, "resources": {"requests": {"cpu": "1"}}}
    case, jobs = converted(resource(ONNX | {"serving": serving}))
    live = deployed(plan_for(case, *jobs, platform=MONITORED), **counts)
    lacking = observed.get("lacking", frozenset())
    return _told(case, *jobs, deployment=live, platform=MONITORED, objects=objects, lacking=lacking)


def _scaled_object(condition: str, status: str) -> LiveObject:
    told = {"type": condition, "status": status, "reason": "Told", "message": "words"}
    return LiveObject(kind="ScaledObject", uid="uid-of-autoscaler", body={"status": {"conditions": [told]}})


def autoscaled() -> ModelConversion:
    return _autoscaled(BY_QUEUE, _scaled_object("Ready", "True"))


def autoscaled_and_not_reported_yet() -> ModelConversion:
    return _autoscaled(BY_CPU)


def without_keda_while_pods_answer() -> ModelConversion:
    return _autoscaled(BY_QUEUE, lacking=frozenset({"ScaledObject"}))


def autoscaler_in_trouble_while_pods_answer() -> ModelConversion:
    return _autoscaled(BY_QUEUE, _scaled_object("Ready", "False"))


def promoted_and_not_tried_yet() -> ModelConversion:
    return _autoscaled(BY_CRON, _scaled_object("Ready", "True"))


def _of_three(**change: Any) -> ModelConversion:
    case, jobs, live = served(ONNX | {"serving": {"replicas": 3}})
    return _told(case, *jobs, deployment=msgspec.structs.replace(live, **change))


def one_replica_lost() -> ModelConversion:
    key = served(ONNX | {"serving": {"replicas": 3}})[2].serving_key
    pods = (pod(KILLED, serving_key=key), pod(ready=True, serving_key=key), pod(ready=True, serving_key=key))
    return _of_three(ready=2, available=2, pods=pods)


def one_replica_on_its_way() -> ModelConversion:
    return _of_three(replicas=2, updated=2, ready=2, available=2)


def more_replicas_asked_for() -> ModelConversion:
    return _of_three(wanted=5, replicas=3)


def suspended_as_it_is() -> ModelConversion:
    case, jobs, live = served()
    return _told(_edited(case, suspend=True), *jobs, deployment=live)


def suspended_with_an_edit() -> ModelConversion:
    case, jobs, live = served()
    return _told(with_spec(case, EDIT | {"suspend": True}), *jobs, deployment=live)


def suspended_after_a_failure() -> ModelConversion:
    case, jobs, live = served()
    wrong = with_spec(case, SERVED | {"suspend": True, "target": {"options": {"opsett": 18}}})
    return _told(wrong, *jobs, deployment=live)


# --- failed ---------------------------------------------------------------------------------------------------------


def wrong_digest() -> ModelConversion:
    case = resource(ONNX)
    ended = pod(failed_step("fetch", Reason.DIGEST_MISMATCH), phase="Failed")
    return _told(case, job_of(plan_for(case), ended, failed="PodFailurePolicy", finished=NOW))


def wrong_digest_after_its_job_is_gone() -> ModelConversion:
    return _told(wrong_digest())


def failed_while_the_old_artifact_serves() -> ModelConversion:
    case, jobs, live = served()
    edited = with_spec(case, EDIT)
    ended = pod(step("stage"), failed_step("hop-1", Reason.CONVERSION_FAILED), phase="Failed")
    job = job_of(plan_for(edited, *jobs, deployment=live), ended, failed="PodFailurePolicy", finished=NOW)
    return _told(edited, *jobs, job, deployment=live)


def no_replica_left() -> ModelConversion:
    key = served(ONNX | {"serving": {"replicas": 3}})[2].serving_key
    return _of_three(ready=0, available=0, pods=(pod(KILLED, serving_key=key),))


def taken_name() -> ModelConversion:
    return _told(resource(SERVED), foreign=("Service net",))


def taken_name_after_it_served() -> ModelConversion:
    case, jobs, _ = served()
    return _told(case, *jobs, foreign=("Deployment net",))


def impossible_spec() -> ModelConversion:
    case, first = imported(resource(ONNX | {"target": {"options": {"opsett": 3}}}))
    return _told(case, first)


def unreadable_spec() -> ModelConversion:
    case = served()[0]
    report = report_unreadable(case.status, "unknown field", generation=case.metadata.generation, now=TODAY)
    return msgspec.structs.replace(case, status=report.status)


# --- going ----------------------------------------------------------------------------------------------------------


def deleting() -> Body:
    body = body_of(serving())
    return body | {"metadata": body["metadata"] | {"deletionTimestamp": TODAY}}


def deleting_what_failed() -> Body:
    body = body_of(wrong_digest())
    return body | {"metadata": body["metadata"] | {"deletionTimestamp": TODAY}}


STATES: tuple[State, ...] = (
    *(
        State(make, IN_PROGRESS)
        for make in (
            applied_without_an_operator,
            edited_without_an_operator,
            failed_and_corrected_without_an_operator,
            importing,
            converting,
            verifying,
            deploying,
            restarted_while_converting,
            converting_while_the_old_artifact_serves,
            rolling_out_while_the_old_artifact_serves,
            taking_serving_down,
            waiting_for_what_a_deleted_resource_left,
            queued,
            queued_while_the_old_artifact_serves,
            queued_for_another_attempt,
            queued_by_kueue,
            queued_behind_another_resource,
            waking,
            zero_before_the_autoscaler_has_spoken,
            zero_that_nothing_would_wake,
            trying_again,
            refused_by_the_api_server,
            rollout_without_quota,
            fault_of_the_operator,
        )
    ),
    *(
        State(make, CURRENT)
        for make in (
            serving,
            restarted_while_serving,
            stored,
            only_reported,
            scaled_to_zero,
            promoted_and_not_tried_yet,
            autoscaled,
            autoscaled_and_not_reported_yet,
            without_keda_while_pods_answer,
            autoscaler_in_trouble_while_pods_answer,
            one_replica_lost,
            one_replica_on_its_way,
            more_replicas_asked_for,
        )
    ),
    State(suspended_as_it_is, SUSPENDED),
    *(
        State(make, SUSPENDED_BEFORE)
        for make in (suspended_without_an_operator, suspended_with_an_edit, suspended_after_a_failure)
    ),
    *(
        State(make, FAILED)
        for make in (
            wrong_digest,
            wrong_digest_after_its_job_is_gone,
            failed_while_the_old_artifact_serves,
            no_replica_left,
            taken_name,
            taken_name_after_it_served,
            impossible_spec,
            unreadable_spec,
        )
    ),
    State(deleting, DELETING),
    State(deleting_what_failed, DELETING),
)


def failed_with(reason: Reason) -> ModelConversion:
    """Return a resource that failed for a reason: stalled, or tried again."""
    case = resource(SERVED)
    failure = failure_of(Trouble(reason, "expected this, found that"), stage="Import", key="k")
    return with_status(case, report_on(case, plan_for(case), refused=failure))


def failures() -> Iterator[tuple[Reason, State]]:
    """Yield each reason with its state: what is tried again is no failure yet."""
    for reason, advice in ADVICE.items():
        yield reason, State(partial(failed_with, reason), IN_PROGRESS if advice.retryable else FAILED)


def status_of(case: ModelConversion | Body) -> Status:
    """Return the status."""
    return msgspec.convert(body_of(case)["status"], Status)
