"""An API server in memory with the few rules that the operator relies on: names, uids, owners, and managers of fields.

It stands in where a test is about what the operator calls, in which order; what a real server does is tested on the
cluster.
"""

import copy
import itertools
from typing import Any

from modelport.api.base import API_VERSION, KIND
from modelport_operator.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from unit.operator.scenes import ARTIFACT_DIGEST, DIGEST

Object = dict[str, Any]
TIME = "2027-01-15T07:59:00Z"


def _merged(live: Any, wanted: Any) -> Any:
    if isinstance(live, dict) and isinstance(wanted, dict):
        return live | {name: _merged(live.get(name), value) for name, value in wanted.items()}
    return wanted


class MemoryKube:
    """The calls of `kube.client.Kube`, on objects in memory."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.writes: list[tuple[str, str, str]] = []
        self.refuse: dict[str, str] = {}
        self.fail_next: list[Exception] = []
        self._numbers = itertools.count(1)

    def put(self, kind: str, body: Object) -> Object:
        """Store an object as it comes."""
        meta = body["metadata"]
        stored = copy.deepcopy(body)
        stored["kind"] = kind
        number = next(self._numbers)
        stored["metadata"] = {
            "uid": f"uid-{number}",
            "generation": 1,
            "creationTimestamp": TIME,
            "labels": {},
        } | stored["metadata"]
        stored["metadata"]["resourceVersion"] = str(number)
        self.objects[kind, meta["namespace"], meta["name"]] = stored
        return stored

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        if self.fail_next:
            raise self.fail_next.pop()
        try:
            return copy.deepcopy(self.objects[kind, namespace, name])
        except KeyError as error:
            raise NotFoundError(f"{kind} {name} not found", status=404) from error

    async def list_all(self, kind: str, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        if kind == "CoreEvent":
            return []
        wanted = dict(pair.split("=") for pair in labels.split(",") if pair)
        found = [body for (of, where, _), body in self.objects.items() if (of, where) == (kind, namespace)]
        return [copy.deepcopy(body) for body in found if wanted.items() <= body["metadata"]["labels"].items()]

    async def create(self, kind: str, namespace: str, body: Object, *, manager: str) -> Object:
        name = body["metadata"]["name"]
        if kind in self.refuse:
            raise RefusedError(self.refuse[kind], status=403)
        if (kind, namespace, name) in self.objects:
            raise AlreadyExistsError(f"{kind} {name} already exists", status=409)
        self.writes.append(("create", kind, name))
        stored = self.put(kind, body)
        stored["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update"}]
        if kind == "Deployment":
            stored["spec"].setdefault("replicas", 1)
        return copy.deepcopy(stored)

    async def apply(self, kind: str, namespace: str, body: Object, *, manager: str, subresource: str = "") -> Object:
        name = body["metadata"]["name"]
        live = self.objects.get((kind, namespace, name))
        if live is None or live["metadata"]["uid"] != body["metadata"]["uid"]:
            raise ConflictError(f"{kind} {name}: uid mismatch", status=409)
        assert kind != "Job", "a Job is never applied"
        self.writes.append(("apply", f"{kind}/{subresource}" if subresource else kind, name))
        if subresource:
            live[subresource] = body[subresource]
        else:
            live["spec"] = _merged(live["spec"], body["spec"])
            notes = body["metadata"].get("annotations", {})
            live["metadata"]["annotations"] = live["metadata"].get("annotations", {}) | notes
        live["metadata"]["resourceVersion"] = str(next(self._numbers))
        return copy.deepcopy(live)

    async def replace(self, kind: str, namespace: str, name: str, body: Object, *, manager: str) -> Object:
        live = self.objects.get((kind, namespace, name))
        if live is None:
            raise NotFoundError(f"{kind} {name} not found", status=404)
        if live["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise ConflictError(f"{kind} {name}: the object has been modified", status=409)
        self.writes.append(("replace", kind, name))
        stored = copy.deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.objects[kind, namespace, name] = stored
        return copy.deepcopy(stored)

    async def patch(self, kind: str, namespace: str, name: str, operations: list[Object]) -> Object:
        self.writes.append(("patch", kind, name))
        live = self.objects[kind, namespace, name]
        *tests, change = operations
        for test in tests:
            assert live["metadata"][test["path"].rsplit("/", 1)[1]] == test["value"]
        live["metadata"]["managedFields"][int(change["path"].split("/")[3])]["operation"] = change["value"]
        return copy.deepcopy(live)

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str) -> None:
        live = self.objects.get((kind, namespace, name))
        if live is None:
            raise NotFoundError(f"{kind} {name} not found", status=404)
        if live["metadata"]["uid"] != uid:
            raise ConflictError("uid mismatch", status=409)
        self.writes.append(("delete", kind, name))
        del self.objects[kind, namespace, name]
        for key, body in list(self.objects.items()):
            if any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences", [])):
                del self.objects[key]

    async def log(self, namespace: str, pod: str, container: str, *, previous: bool = False) -> str:
        if container == "silent":
            raise UnavailableError("no log")
        return f"log of {container}\x00\n"

    # --- what the rest of a cluster does ---------------------------------------------------------------------------

    def apply_resource(self, spec: Object, name: str = "net", namespace: str = "team") -> Object:
        """Do what `kubectl apply` of a ModelConversion does."""
        key = (KIND, namespace, name)
        if key not in self.objects:
            meta = {"name": name, "namespace": namespace}
            return self.put(
                KIND,
                {"apiVersion": API_VERSION, "metadata": meta, "spec": spec, "status": {"observedGeneration": -1}},
            )
        self.objects[key]["spec"] = spec
        self.objects[key]["metadata"]["generation"] += 1
        return self.objects[key]

    def named(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [body for (of, _, _), body in self.objects.items() if of == kind]

    def run_job(self, name: str, *, failing: str | None = None) -> None:
        """Run the pod of a Job to its end; the step `fetch` or `stage` may fail with a termination message."""
        job = next(body for body in self.named("Job") if body["metadata"]["name"].startswith(name))
        template = job["spec"]["template"]
        owner = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": True}
        meta = {"name": f"{job['metadata']['name']}-pod", "namespace": job["metadata"]["namespace"]}
        meta |= {"labels": template["metadata"]["labels"], "ownerReferences": [owner]}
        states = [
            self._ended(step["name"], first=not index, failing=failing)
            for index, step in enumerate(template["spec"]["containers"])
        ]
        phase = "Failed" if failing else "Succeeded"
        self.put(
            "Pod", {"metadata": meta, "spec": template["spec"], "status": {"phase": phase, "containerStatuses": states}}
        )

    def roll_out(self, name: str = "net") -> None:
        """Do what the Deployment controller does."""
        body = next(each for each in self.named("Deployment") if each["metadata"]["name"] == name)
        count = body["spec"]["replicas"]
        body["status"] = {"observedGeneration": body["metadata"]["generation"]} | dict.fromkeys(
            ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count
        )

    def _ended(self, step: str, *, first: bool, failing: str | None) -> Object:
        said = {
            "keep": f'{{"step":"keep","source":{{"digests":{{"source":"{DIGEST}"}},"format":"onnx","sizeBytes":12}}}}',
            "judge": '{"step":"judge","verification":{"samples":8,"maxAbsoluteError":"1e-7","outputs":'
            '[{"name":"y","relativeRms":"1e-7","maxAbsoluteError":"1e-7","excess":"0.02","limit":"5e-6",'
            '"noiseFloor":"1e-8","spread":"0.9"}]}}',
            "publish": f'{{"step":"publish","artifact":{{"digest":"{ARTIFACT_DIGEST}","sizeBytes":13,"uri":"s3://store/a"}}}}',
        }
        message, code = said.get(step, f'{{"step":"{step}"}}'), 0
        if failing:
            message, code = (failing, 64) if first else ("", 69)
        return {"name": step, "state": {"terminated": {"exitCode": code, "message": message}}}
