"""What is told of autoscaled serving: the autoscaler's own words, and what zero pods mean."""

import msgspec
import pytest

from modelport_operator.facts import LiveObject
from unit.operator.scenes import (
    ONNX,
    PLATFORM,
    converted,
    deployed,
    held,
    plan_for,
    ready,
    report_on,
    resource,
    with_spec,
    with_status,
)

MONITORED = msgspec.structs.replace(PLATFORM, prometheus_address="http://prometheus:9090")
CRON = {"type": "cron", "metadata": {"timezone": "UTC"}}
BY_CPU = ONNX | {
    "serving": {
        "autoscaling": {"minReplicas": 2, "maxReplicas": 5, "cpuUtilization": 70},
        "resources": {"requests": {"cpu": "1"}},
    }
}
BY_CRON = ONNX | {"serving": {"autoscaling": {"minReplicas": 0, "maxReplicas": 3, "triggers": [CRON]}}}
BY_QUEUE = ONNX | {"serving": {"autoscaling": {"maxReplicas": 3, "queueSize": 1}}}
ALL = ("wanted", "replicas", "updated", "ready", "available")


def scaler(kind, *told):
    """Return an autoscaler as it is observed, with the conditions that it tells: type, status and reason."""
    conditions = [
        {"type": name, "status": status, "reason": reason, "message": "words"} for name, status, reason in told
    ]
    return LiveObject(kind=kind, uid=f"uid-of-{kind}", body={"status": {"conditions": conditions}} if told else {})


def told(spec, *objects, platform=MONITORED, deployment=True, **fields):
    """Return what is told of a resource with as many pods as `fields` say, and the least that are asked for if not."""
    case, jobs = converted(resource(spec))
    plan = plan_for(case, *jobs, platform=platform)
    live = deployed(plan, **{each: value for each, value in fields.items() if each != "lacking"})
    lacking = fields.get("lacking", frozenset())
    plan = plan_for(
        case, *jobs, platform=platform, deployment=live if deployment else None, objects=objects, lacking=lacking
    )
    return case, jobs, live, report_on(case, plan, deployment=live)


def autoscaled(report):
    (found,) = [each for each in report.status.conditions if each.type == "Autoscaled"]
    return found.status, found.reason


HPA, SCALED = "HorizontalPodAutoscaler", "ScaledObject"
READY = ("Ready", "True", "ScaledObjectReady")


@pytest.mark.parametrize(
    ("spec", "kind", "conditions", "wanted"),
    [
        (BY_CPU, HPA, None, ("Unknown", "NotReported")),
        (BY_CPU, HPA, [], ("Unknown", "NotReported")),
        (BY_CPU, HPA, [("AbleToScale", "True", "SucceededGetScale")], ("Unknown", "NotReported")),
        (BY_CPU, HPA, [("ScalingActive", "True", "ValidMetricFound")], ("True", "Autoscaled")),
        (
            BY_CPU,
            HPA,
            [("ScalingActive", "False", "FailedGetContainerResourceMetric")],
            ("False", "MetricsUnavailable"),
        ),
        (BY_CPU, HPA, [("ScalingActive", "False", "FailedGetResourceMetric")], ("False", "MetricsUnavailable")),
        (BY_CPU, HPA, [("ScalingActive", "False", "ScalingDisabled")], ("False", "AutoscalerFailed")),
        (
            BY_CPU,
            HPA,
            [("AbleToScale", "False", "FailedGetScale"), ("ScalingActive", "True", "ValidMetricFound")],
            ("False", "AutoscalerFailed"),
        ),
        (BY_QUEUE, SCALED, None, ("Unknown", "NotReported")),
        (BY_QUEUE, SCALED, [("Ready", "Unknown", "")], ("Unknown", "NotReported")),
        (BY_QUEUE, SCALED, [READY], ("True", "Autoscaled")),
        (BY_QUEUE, SCALED, [READY, ("Paused", "True", "ScaledObjectPaused")], ("False", "AutoscalerFailed")),
        (BY_QUEUE, SCALED, [READY, ("Paused", "False", "ScaledObjectUnpaused")], ("True", "Autoscaled")),
        (BY_QUEUE, SCALED, [("Ready", "False", "TriggerError")], ("False", "MetricsUnavailable")),
        (BY_QUEUE, SCALED, [("Ready", "Unknown", "PartialTriggerError")], ("False", "MetricsUnavailable")),
        (BY_QUEUE, SCALED, [("Ready", "False", "ScaledObjectCheckFailed")], ("False", "AutoscalerFailed")),
    ],
)
def test_autoscaled_is_what_the_autoscaler_says(spec, kind, conditions, wanted):
    objects = () if conditions is None else (scaler(kind, *conditions),)
    report = told(spec, *objects)[-1]
    assert autoscaled(report) == wanted
    assert ready(report) == ("True", "Serving"), "pods answer, whoever counts them"
    if wanted[0] == "False":
        (found,) = [each for each in report.status.conditions if each.type == "Autoscaled"]
        assert conditions[-1][2] in found.message or conditions[0][2] in found.message


def test_a_cluster_without_keda_is_told_what_to_install():
    report = told(BY_QUEUE, lacking=frozenset({SCALED}))[-1]
    assert autoscaled(report) == ("False", "KedaNotInstalled")
    assert ready(report) == ("True", "Serving")
    (found,) = [each for each in report.status.conditions if each.type == "Autoscaled"]
    assert "Install KEDA" in found.message


def test_an_operator_without_prometheus_is_told():
    report = told(BY_QUEUE, platform=PLATFORM)[-1]
    assert autoscaled(report) == ("False", "PrometheusNotConfigured")
    assert ready(report) == ("True", "Serving")


def test_replicas_that_a_person_states_are_not_autoscaled():
    report = told(ONNX | {"serving": {"replicas": 2}})[-1]
    assert "Autoscaled" not in {each.type for each in report.status.conditions}


def test_as_many_pods_are_available_as_the_autoscaler_asks_for():
    four = dict.fromkeys(ALL, 4)
    report = told(BY_CPU, scaler(HPA, ("ScalingActive", "True", "ValidMetricFound")), **four)[-1]
    assert {"Ready", "ReplicasAvailable", "Autoscaled"} <= held(report)
    assert report.status.conditions[0].message.endswith("4 of 4 pods answer")
    report = told(BY_CPU, scaler(HPA, ("ScalingActive", "True", "ValidMetricFound")), **four | {"wanted": 5})[-1]
    assert ready(report) == ("True", "Serving")
    assert "ReplicasAvailable" not in held(report)


def test_a_new_artifact_at_zero_is_promoted_and_not_tried():
    report = told(BY_CRON, scaler(SCALED, READY))[-1]
    assert ready(report) == ("True", "ScaledToZero")
    assert (
        report.status.conditions[0].message == "no pod is asked for; the verified artifact is promoted, not tried yet"
    )
    assert report.status.serving.has_answered is False
    assert not {"Available", "Reconciling", "Stalled"} & held(report)


def test_what_has_answered_is_stored_at_zero_until_another_artifact_comes():
    case, jobs, live, awake = told(BY_CRON, scaler(SCALED, READY), **dict.fromkeys(ALL, 1))
    assert (ready(awake), awake.status.serving.has_answered) == (("True", "Serving"), True)
    asleep = msgspec.structs.replace(live, **dict.fromkeys(ALL, 0))
    case = with_status(case, awake)
    plan = plan_for(case, *jobs, platform=MONITORED, deployment=asleep, objects=(scaler(SCALED, READY),))
    report = report_on(case, plan, deployment=asleep)
    assert ready(report) == ("True", "ScaledToZero")
    assert report.status.conditions[0].message == "no pod is asked for; the verified artifact is stored"
    assert report.status.serving.has_answered
    case = with_status(case, report)
    other = msgspec.structs.replace(asleep, artifact_digest="sha256:" + "d" * 64)
    assert report_on(case, plan, deployment=other).status.serving.has_answered is False


def test_waking_is_under_way():
    waking = dict.fromkeys(ALL, 1) | {"ready": 0, "available": 0}
    report = told(BY_CRON, scaler(SCALED, READY), **waking)[-1]
    assert ready(report) == ("False", "Deploying")
    assert "0 of 1 pods answer" in report.status.conditions[0].message


def test_zero_is_waited_for_until_the_autoscaler_has_spoken():
    report = told(BY_CRON)[-1]
    assert ready(report) == ("False", "Deploying")
    assert report.status.conditions[0].message.endswith("; the ScaledObject has not reported yet")


@pytest.mark.parametrize(
    ("objects", "fields", "reason"),
    [
        ((), {"lacking": frozenset({SCALED})}, "KedaNotInstalled"),
        ((scaler(SCALED, ("Ready", "False", "TriggerError")),), {}, "MetricsUnavailable"),
        ((scaler(SCALED, READY, ("Paused", "True", "ScaledObjectPaused")),), {}, "AutoscalerFailed"),
    ],
)
def test_what_nothing_would_wake_is_not_ready(objects, fields, reason):
    for deployment in (True, False):  # also at the moment that it is made
        report = told(BY_CRON, *objects, deployment=deployment, **fields)[-1]
        assert ready(report) == ("False", "ProgressingWithRetry")
        assert (report.status.failure.reason, report.status.failure.retryable) == (reason, True)
        assert autoscaled(report) == ("False", reason)
    one = dict.fromkeys(ALL, 1)
    awake = told(BY_CRON, *objects, **fields, **one)[-1]
    assert ready(awake) == ("True", "Serving"), "whoever answers is Ready"


def test_autoscaling_that_is_left_out_is_told_no_more():
    case, jobs, live, report = told(BY_CPU, scaler(HPA, ("ScalingActive", "True", "ValidMetricFound")))
    case = with_status(case, report)
    fixed = with_spec(case, ONNX | {"serving": {"replicas": 2, "resources": {"requests": {"cpu": "1"}}}})
    plan = plan_for(fixed, *jobs, platform=MONITORED, deployment=live)
    after = report_on(fixed, plan, deployment=live)
    assert ready(after) == ("True", "Serving")
    assert "Autoscaled" not in {each.type for each in after.status.conditions}
