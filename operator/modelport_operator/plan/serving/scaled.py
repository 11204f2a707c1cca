"""What the autoscaler says of itself: the condition Autoscaled is True by its own word alone."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from modelport.api.reasons import ADVICE, Reason
from modelport.encoding import key_of
from modelport_operator.facts import Observed
from modelport_operator.plan.serving.scaling import HPA, lacks_prometheus, scaler_of
from modelport_operator.plan.serving.served import Served

NOT_REPORTED = "NotReported"
_MAX_WORDS = 800


class Autoscaled(NamedTuple):
    """Whether load says how many pods there are."""

    holds: bool | None
    """None: the autoscaler has not said yet."""
    reason: str
    message: str


def autoscaled(served: Served, observed: Observed) -> Autoscaled | None:
    """Return what the autoscaler reports, or what it lacks; None where none is asked for."""
    scaling = served.serving.autoscaling
    if scaling is None:
        return None
    kind = scaler_of(scaling)
    if kind in observed.lacking:
        message = f"expected KEDA, which requestsInFlight, queueSize and triggers need; the cluster has no {kind}"
        return _lacks(Reason.KEDA_NOT_INSTALLED, message)
    if lacks_prometheus(served):
        message = "requestsInFlight and queueSize are measured by Prometheus, and the operator was told of none"
        return _lacks(Reason.PROMETHEUS_NOT_CONFIGURED, message)
    live = observed.live.get(kind)
    told = {each["type"]: each for each in (live.body.get("status") or {}).get("conditions") or []} if live else {}
    found = _of_hpa(told) if kind == HPA else _of_scaled_object(told)
    if found:
        return found
    return Autoscaled(None, NOT_REPORTED, f"the {kind} has not reported yet")


def worth_telling(body: Mapping[str, Any]) -> str:
    """Return a key of what is told of an autoscaler, and of what it is asked for.

    The rest of its status, such as what it measured last, changes every few seconds.
    """
    conditions = (body.get("status") or {}).get("conditions") or []
    told = [[each.get(name) for name in ("type", "status", "reason")] for each in conditions]
    meta = body["metadata"]
    return key_of([meta.get("uid"), meta.get("deletionTimestamp"), body.get("spec"), told])


def _lacks(reason: Reason, message: str) -> Autoscaled:
    return Autoscaled(False, reason, f"{message}. {ADVICE[reason].hint}")


def _of_hpa(told: dict[str, dict[str, Any]]) -> Autoscaled | None:
    able, active = told.get("AbleToScale", {}), told.get("ScalingActive", {})
    if able.get("status") == "False":
        return _failed(Reason.AUTOSCALER_FAILED, HPA, able)
    if active.get("status") == "False":
        lacks = active.get("reason", "").startswith(("FailedGet", "FailedComputeMetrics"))
        return _failed(Reason.METRICS_UNAVAILABLE if lacks else Reason.AUTOSCALER_FAILED, HPA, active)
    return _holds(HPA) if active.get("status") == "True" else None


def _of_scaled_object(told: dict[str, dict[str, Any]]) -> Autoscaled | None:
    kind, ready, paused = "ScaledObject", told.get("Ready", {}), told.get("Paused", {})
    if paused.get("status") == "True":
        return _failed(Reason.AUTOSCALER_FAILED, kind, paused)
    # with some triggers in trouble, and others not, it is neither Ready nor not
    if ready.get("reason", "").endswith(("TriggerError", "MetricsUnavailable")) and ready.get("status") != "True":
        return _failed(Reason.METRICS_UNAVAILABLE, kind, ready)
    if ready.get("status") == "False":
        return _failed(Reason.AUTOSCALER_FAILED, kind, ready)
    return _holds(kind) if ready.get("status") == "True" else None


def _holds(kind: str) -> Autoscaled:
    return Autoscaled(True, "Autoscaled", f"the {kind} has its metrics and scales")


def _failed(reason: Reason, kind: str, told: dict[str, Any]) -> Autoscaled:
    words = f"{told.get('reason', '')}: {told.get('message', '')}"
    return Autoscaled(False, reason, f"the {kind} reports {words[:_MAX_WORDS]}")
