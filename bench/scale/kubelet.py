"""Plays the kubelet of a Node that is none: pods of Jobs run there for a moment, and end as those of real steps do.

A container leaves what its step would: a result of `modelport.jobs.results` in the termination message, cut by the
function that steps cut theirs with. All that is not of our making (scheduler, Job controller, garbage collection) is real.
"""

import asyncio
import datetime as dt
from typing import Any

from modelport.api.status import Latency, OutputStatus, Performance, Signature, Tensor
from modelport.encoding import digest_of
from modelport.jobs.environment import REQUEST_VARIABLE
from modelport.jobs.requests import ConvertRequest, ImportRequest, JobRequest, decode_request
from modelport.jobs.results import ArtifactFacts, SourceFacts, StepResult, VerificationFacts
from modelport.steps.runner import fit
from modelport_operator.kube.client import Kube, Object
from modelport_operator.kube.errors import ConflictError, NotFoundError, UnavailableError
from modelport_operator.names import OWNED_SELECTOR
from scale.changes import changes
from scale.node import NODE, timestamp

MANAGER = "scale-kubelet"
_CALLS = 8
"""Writes at the same time."""
_SHAPE: list[int | str] = ["batch", 16]


class Kubelet:
    """Runs each pod once."""

    def __init__(self, kube: Kube, namespace: str, *, seconds: float) -> None:
        """Take how long each pod runs."""
        self._kube, self._namespace, self._seconds = kube, namespace, seconds
        self._begun: set[str] = set()
        self._calls = asyncio.Semaphore(_CALLS)

    async def run(self) -> None:
        """Play until cancelled."""
        async with asyncio.TaskGroup() as pods:
            async for event in changes(self._kube, "Pod", self._namespace, labels=OWNED_SELECTOR):
                pod = event["object"]
                uid = pod["metadata"]["uid"]
                if event["type"] == "DELETED":
                    self._begun.discard(uid)
                elif uid not in self._begun and is_to_run(pod):
                    self._begun.add(uid)
                    pods.create_task(self._run_pod(pod))

    async def _run_pod(self, pod: Object) -> None:
        started = dt.datetime.now(dt.UTC)
        await self._tell(pod, running(pod, started=started))
        await asyncio.sleep(self._seconds)
        await self._tell(pod, succeeded(pod, started=started, finished=dt.datetime.now(dt.UTC)))

    async def _tell(self, pod: Object, status: Object) -> None:
        """Write a pod's status, until it is written or the pod is gone."""
        meta = pod["metadata"]
        identity = {name: meta[name] for name in ("name", "namespace", "uid")}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": identity, "status": status}
        while True:
            try:
                async with self._calls:
                    await self._kube.apply("Pod", meta["namespace"], body, manager=MANAGER, subresource="status")
            except (NotFoundError, ConflictError):
                return
            except UnavailableError:
                await asyncio.sleep(0.5)
            else:
                return


def is_to_run(pod: Object) -> bool:
    """Whether a pod was given to the Node, and has not begun there."""
    is_pending = pod.get("status", {}).get("phase", "Pending") == "Pending"
    return pod["spec"].get("nodeName") == NODE and is_pending and "deletionTimestamp" not in pod["metadata"]


def running(pod: Object, *, started: dt.datetime) -> Object:
    """Return the status of a pod whose containers all run."""
    state = {"running": {"startedAt": timestamp(started)}}
    states = [_container(each, state, runs=True) for each in pod["spec"]["containers"]]
    return _status("Running", states, started, ready=("True", ""))


def succeeded(pod: Object, *, started: dt.datetime, finished: dt.datetime) -> Object:
    """Return the status of a pod whose steps are all done, with what they found."""
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": timestamp(started), "finishedAt": timestamp(finished)}
    states = [
        _container(each, {"terminated": ended | {"message": message_of(each)}}, runs=False)
        for each in pod["spec"]["containers"]
    ]
    return _status("Succeeded", states, started, ready=("False", "PodCompleted"))


def message_of(container: Object) -> str:
    """Return what a container's last step leaves in the termination message."""
    variables = {each["name"]: each.get("value", "") for each in container["env"]}
    request = decode_request(variables[REQUEST_VARIABLE])
    return fit(_result(container["name"], request)).decode()


def _result(step: str, request: JobRequest) -> StepResult:
    match step, request:
        case "keep", ImportRequest(locations=locations, format=given):
            digests = {role: each.digest or digest_of(each.uri.encode()) for role, each in locations.items()}
            signature = Signature(inputs=[_tensor("input")], outputs=[_tensor("output")])
            facts = SourceFacts(digests=digests, format=given or "onnx", size_bytes=4096, signature=signature)
            return StepResult(step=step, source=facts)
        case "judge", ConvertRequest(verification=verification):
            return StepResult(step=step, verification=_evidence(verification.samples))
        case "publish", ConvertRequest(artifact_key=key):
            stored = ArtifactFacts(digest=digest_of(key.encode()), size_bytes=4096, uri=f"s3://scale/artifacts/{key}")
            return StepResult(step=step, artifact=stored)
        case _:
            return StepResult(step=step)


def _evidence(samples: int) -> VerificationFacts:
    output = OutputStatus(
        name="output",
        relative_rms="1.2e-07",
        max_absolute_error="2.4e-07",
        excess="0.02",
        limit="5e-06",
        noise_floor="1.1e-07",
        spread="0.9",
    )
    latency = Latency(rows=1, p50="0.05", p99="0.09", source_p50="0.2", source_p99="0.4")
    cost = Performance(latencies=[latency], load_milliseconds="12", memory_bytes=60 << 20)
    return VerificationFacts(samples=samples, outputs=[output], max_absolute_error="2.4e-07", performance=cost)


def _tensor(name: str) -> Tensor:
    return Tensor(name=name, dtype="float32", shape=_SHAPE)


def _container(container: Object, state: Object, *, runs: bool) -> Object:
    image = container["image"]
    held = {"ready": runs, "started": runs, "restartCount": 0, "state": state}
    return {"name": container["name"], "image": image, "imageID": image} | held


def _status(phase: str, states: list[Object], started: dt.datetime, *, ready: tuple[str, str]) -> Object:
    status, reason = ready
    is_ready: dict[str, Any] = {"status": status, "lastTransitionTime": timestamp(started)}
    is_ready |= {"reason": reason} if reason else {}
    conditions = [{"type": each} | is_ready for each in ("ContainersReady", "Ready")]
    return {"phase": phase, "startTime": timestamp(started), "conditions": conditions, "containerStatuses": states}
