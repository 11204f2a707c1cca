"""Which logs there are of a resource: containers of its pods, in the order of the steps."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from modelport_cli.access.cluster import Body
from modelport_operator import reading
from modelport_operator.names import STAGE_LABEL
from modelport_operator.plan.progress import Stage

_PROGRAM = 3
"""Words before the steps in the command of a Job's container: `python -m MODULE STEP …`."""


class Log(NamedTuple):
    """The log of one container."""

    label: str
    pod: str
    container: str
    steps: tuple[str, ...]
    has_begun: bool
    previous: bool = False
    """Whether the container's run before the present one is meant."""

    @property
    def key(self) -> tuple[str, str]:
        """Which log it is."""
        return self.pod, self.container


def list_step_logs(objects: Iterable[Body], *, uid: str, step: str | None, previous: bool) -> Iterator[Log]:
    """Yield the logs of the Jobs of the resource with this uid: of the newest pod of each, or of the one before it."""
    found = list(objects)
    for job in (body for body in found if body["kind"] == "Job" and reading.is_controlled_by(body, uid)):
        pods = [body for body in found if body["kind"] == "Pod" and reading.job_of(body) == job["metadata"]["uid"]]
        for pod in pods[-2:-1] if previous else pods[-1:]:
            for container in pod["spec"]["containers"]:
                steps = tuple(container.get("command", [])[_PROGRAM:])
                if step in {None, *steps}:
                    label = f"{job['metadata']['labels'][STAGE_LABEL]}/{'+'.join(steps) or container['name']}"
                    yield Log(
                        label, pod["metadata"]["name"], container["name"], steps, _has_begun(pod, container["name"])
                    )


def list_server_logs(objects: Iterable[Body], *, step: str | None, previous: bool) -> Iterator[Log]:
    """Yield the logs of the pods that serve, of each the fetch and the server."""
    for pod in objects:
        labels = pod["metadata"].get("labels", {})
        if pod["kind"] != "Pod" or labels.get(STAGE_LABEL) != Stage.SERVE.lower():
            continue
        for container in (*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]):
            name, place = container["name"], pod["metadata"]["name"]
            if step in {None, name} and not (previous and _restarts(pod, name) == 0):
                yield Log(f"{place}/{name}", place, name, (name,), _has_begun(pod, name), previous)


def _statuses(pod: Body) -> dict[str, Body]:
    status = pod.get("status", {})
    listed = (*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or []))
    return {each["name"]: each for each in listed}


def _has_begun(pod: Body, container: str) -> bool:
    status = _statuses(pod).get(container, {})
    return bool(status.get("state", {}).keys() & {"running", "terminated"} or status.get("lastState"))


def _restarts(pod: Body, container: str) -> int:
    return int(_statuses(pod).get(container, {}).get("restartCount", 0))
