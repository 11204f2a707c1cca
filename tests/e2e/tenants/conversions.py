"""ModelConversions for tests: manifests, and questions to their status."""

from collections.abc import Callable
from typing import Any

from modelport.api.base import API_VERSION, KIND
from modelport.api.reasons import ADVICE, Reason

Body = dict[str, Any]
Predicate = Callable[[Body | None], bool]
STORE_SECRET = "modelport-store"


def conversion(
    name: str,
    namespace: str,
    source: Body,
    *,
    opset: int | None = None,
    **spec: Any,
) -> Body:
    """Return a manifest; a failed Job is not tried again unless `conversion` says so, because tests have no time."""
    body: Body = {
        "source": source,
        "target": {"format": "onnx", **({"options": {"opset": opset}} if opset else {})},
        "conversion": {"retries": 0, "timeoutSeconds": 300} | spec.pop("conversion", {}),
        **{field: value for field, value in spec.items() if value is not None},
    }
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": body}


def condition(body: Body | None, type_: str) -> Body:
    """Return the condition of a type, or an empty one."""
    found = (item for item in (body or {}).get("status", {}).get("conditions", []) if item["type"] == type_)
    return next(found, {})


def is_observed(body: Body | None) -> bool:
    """Whether the status is about the present spec."""
    if body is None:
        return False
    observed: bool = body.get("status", {}).get("observedGeneration") == body["metadata"]["generation"]
    return observed


def is_ready(body: Body | None) -> bool:
    """Whether the present spec is Ready."""
    return is_observed(body) and condition(body, "Ready").get("status") == "True"


def is_stalled(body: Body | None) -> bool:
    """Whether the operator gave the present spec up."""
    return is_observed(body) and condition(body, "Stalled").get("status") == "True"


def has_failed_with(reason: Reason) -> Predicate:
    """Return whether the present spec failed for this reason, so as the reason's advice says it must be shown."""

    def predicate(body: Body | None) -> bool:
        if not is_observed(body) or failure_of(body).get("reason") != reason:
            return False
        return is_stalled(body) or condition(body, "Ready").get("reason") == "ProgressingWithRetry"

    return predicate


def is_at(stage: str) -> Predicate:
    """Return whether a resource reached a stage (Importing, Converting, Verifying, Deploying)."""

    def predicate(body: Body | None) -> bool:
        if body and (is_ready(body) or is_stalled(body)):
            raise AssertionError(f"expected to see stage {stage}, found {body['status']['conditions']}")
        return condition(body, "Ready").get("reason") == stage

    return predicate


def failure_of(body: Body | None) -> Body:
    """Return status.failure, or an empty one."""
    failure: Body = (body or {}).get("status", {}).get("failure") or {}
    return failure


def check_failure(body: Body, reason: Reason, *, stage: str | None = None) -> None:
    """Assert that the status tells a failure as the contract says: reason, hint, and conditions by its advice."""
    advice, failure, ready = ADVICE[reason], failure_of(body), condition(body, "Ready")
    assert failure["reason"] == reason
    assert failure["hint"] == advice.hint
    assert failure["message"]
    assert failure["key"]
    assert stage is None or failure["stage"] == stage
    assert ready["status"] == "False"
    stalled, reconciling = condition(body, "Stalled"), condition(body, "Reconciling")
    assert not (stalled and reconciling), "Stalled and Reconciling exclude each other"
    if stalled:
        assert stalled["reason"] == ready["reason"] == reason
    else:
        assert failure["retryable"], f"{reason} is final, and shown as if it were tried again"
        assert reconciling["reason"] == "ProgressingWithRetry"
        assert str(reason) in reconciling["message"] or failure["message"] in reconciling["message"]


def check_conditions(body: Body) -> None:
    """Assert what holds for every status that was ever published (kstatus)."""
    status = body["status"]
    types = {item["type"]: item for item in status["conditions"]}
    assert "Ready" in types
    assert not ({"Stalled", "Reconciling"} <= types.keys())
    assert types["Ready"]["status"] != "True" or not ({"Stalled", "Reconciling"} & types.keys())
    assert all(types[name]["status"] == "True" for name in ("Stalled", "Reconciling") if name in types)
    assert status["observedGeneration"] <= body["metadata"]["generation"]


def jobs_selector(name: str) -> str:
    """Return the label selector of a resource's Jobs and pods."""
    return f"modelport.dev/resource={name}"


def is_running(pod: Body | None) -> bool:
    """Whether a pod is Ready."""
    conditions = (pod or {}).get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
