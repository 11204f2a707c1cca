"""What a failed test prints: status, children, containers, Events, log tails. Never raises: it must not hide the failure."""

import json
from typing import TYPE_CHECKING, Any

from kubernetes.client.exceptions import ApiException

if TYPE_CHECKING:
    from e2e.kube.cluster import Cluster

Body = dict[str, Any]
SYSTEM = "modelport-system"
OPERATOR = "app.kubernetes.io/name=modelport,app.kubernetes.io/component=operator"
CHILD_KINDS = ("Job", "Deployment", "HorizontalPodAutoscaler", "Service", "Pod")
LOG_LINES = "40"


def describe(cluster: "Cluster", kind: str, name: str, namespace: str) -> str:
    """Return everything that tells about an object."""
    try:
        body = cluster.get(kind, name, namespace or None)
        parts = [f"--- {kind} {namespace}/{name}", _dump((body or {}).get("status"))]
        if kind == "ModelConversion":
            parts += _children(cluster, name, namespace)
        parts += _events(cluster, name, namespace)
        parts += ["--- operator's log", operator_log(cluster, name)]
    except (ApiException, OSError, AssertionError) as error:
        return f"(no more to tell: {error})"
    return "\n".join(parts)


def operator_log(cluster: "Cluster", name: str) -> str:
    """Return what the operator logged about a resource last."""
    try:
        lines = cluster.kubectl("logs", "-n", SYSTEM, "-l", OPERATOR, "--tail=2000").splitlines()
        lines.sort()  # by time, which each begins with: several pods are told one after the other
    except (OSError, AssertionError) as error:
        return f"(none: {error})"
    return "\n".join(_shortened(line) for line in [line for line in lines if name in line][-30:])


def _shortened(line: str) -> str:
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    known = ("time", "level", "message", "reason", "generation", "error", "exception")
    return " ".join(str(fields[field]) for field in known if field in fields)


def _children(cluster: "Cluster", name: str, namespace: str) -> list[str]:
    parts = []
    for kind in CHILD_KINDS:
        for body in cluster.find(kind, namespace):
            child = body["metadata"]["name"]
            if body["metadata"].get("labels", {}).get("modelport.dev/resource") != name:
                continue
            if kind == "Pod":
                parts += [f"--- Pod {child}: {_dump(_pod_state(body.get('status', {})))}", *_logs(cluster, body)]
            else:
                parts += [f"--- {kind} {child}: {_dump(body.get('status'))}"]
    return parts


def _pod_state(status: Body) -> Body:
    """Return what tells how a pod is, without what it was given."""
    states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    unmet = [each for each in status.get("conditions", []) if each["status"] != "True"]
    plain = {key: status[key] for key in ("phase", "reason", "message") if key in status}
    return plain | {"unmet": unmet, "containers": {each["name"]: [each["state"], each["lastState"]] for each in states}}


def _logs(cluster: "Cluster", pod: Body) -> list[str]:
    status, spec, metadata = pod.get("status", {}), pod["spec"], pod["metadata"]
    states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    started = {state["name"] for state in states if not state["state"].get("waiting")}
    parts = []
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        if container["name"] in started:
            arguments = ("logs", metadata["name"], "-n", metadata["namespace"], "-c", container["name"])
            text = cluster.kubectl(*arguments, f"--tail={LOG_LINES}")
            parts += [f"--- log of {metadata['name']}/{container['name']}", text]
    return parts


def _events(cluster: "Cluster", name: str, namespace: str) -> list[str]:
    events = cluster.find("Event", namespace) if namespace else []
    lines = [
        f"{event.get('type')} {event['involvedObject'].get('kind')}/{event['involvedObject'].get('name')} "
        f"{event.get('reason')}: {event.get('message')}"
        for event in events
        if str(event["involvedObject"].get("name", "")).startswith(name)
    ]
    return ["--- Events", *lines[-30:]]


def _dump(value: object) -> str:
    return json.dumps(
        value, indent=1 if isinstance(value, dict) and "conditions" in value else None, ensure_ascii=False
    )
