"""An API server in memory with the few rules that the operator relies on: names, uids, owners, and managers of fields.

It stands in where a test is about what the operator calls, in which order; what a real server does is tested on the
cluster.
"""

import copy
import itertools
from collections.abc import AsyncIterator, Iterable
from typing import Any

from modelport.api.base import API_VERSION, KIND
from modelport_operator.kube.client import Address, Version
from modelport_operator.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    NotServedError,
    RefusedError,
    UnavailableError,
)
from modelport_operator.kube.kinds import KINDS, Kind
from modelport_operator.names import OWNED_SELECTOR, RESOURCE_LABEL
from unit.operator.scenes import ARTIFACT_DIGEST, DIGEST

Object = dict[str, Any]
TIME = "2027-01-15T07:59:00Z"


Path = tuple[str, ...]


def _leaves(body: Any, path: Path = ()) -> dict[Path, Any]:
    """Return the fields of a body; lists are fields as a whole."""
    if not isinstance(body, dict) or not body:
        return {path: body}
    return {leaf: value for name, each in body.items() for leaf, value in _leaves(each, (*path, name)).items()}


def _fields(paths: Iterable[Path]) -> Object:
    """Return paths as `fieldsV1` has them."""
    found: Object = {}
    for path in paths:
        node = found
        for name in path:
            node = node.setdefault(f"f:{name}", {})
    return found


def _paths(fields: Object, path: Path = ()) -> set[Path]:
    if not fields:
        return {path}
    return {leaf for name, each in fields.items() for leaf in _paths(each, (*path, name.removeprefix("f:")))}


def _remove(body: Object, path: Path) -> None:
    *above, name = path
    for each in above:
        body = body.get(each, {})
    body.pop(name, None)


def _merged(live: Any, wanted: Any) -> Any:
    if isinstance(live, dict) and isinstance(wanted, dict):
        return live | {name: _merged(live.get(name), value) for name, value in wanted.items()}
    return wanted


class MemoryKube:
    """The calls of `kube.client.Kube`, on objects in memory."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.writes: list[tuple[str, str, str]] = []
        self.reads: list[tuple[str, str]] = []
        self.refuse: dict[str, str] = {}
        self.fail_next: list[Exception] = []
        self.lacking: set[str] = set()
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
        self.reads.append(("get", kind))
        if self.fail_next:
            raise self.fail_next.pop()
        if kind in self.lacking:
            raise NotServedError("404 page not found", status=404)
        try:
            return copy.deepcopy(self.objects[kind, namespace, name])
        except KeyError as error:
            raise NotFoundError(f"{kind} {name} not found", status=404) from error

    async def list_all(self, kind: str, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        self.reads.append(("list", kind))
        if kind == "CoreEvent":
            return []
        wanted = dict(pair.split("=") for pair in labels.split(",") if pair)
        found = [body for (of, where, _), body in self.objects.items() if (of, where) == (kind, namespace)]
        return [copy.deepcopy(body) for body in found if wanted.items() <= body["metadata"]["labels"].items()]

    async def list_of(self, kind: str, namespace: str, resource: str) -> list[Object]:
        return await self.list_all(kind, namespace, labels=f"{OWNED_SELECTOR},{RESOURCE_LABEL}={resource}")

    async def versions(self, kind: str, namespace: str = "") -> dict[Address, Version]:
        return {
            Address.of(body): Version.of(kind, body)
            for (of, where, _), body in self.objects.items()
            if of == kind and namespace in {"", where}
        }

    async def pages(self, kind: str, namespace: str = "", *, labels: str = "") -> AsyncIterator[list[Object]]:
        for where in [namespace] if namespace else sorted({where for _, where, _ in self.objects}):
            yield await self.list_all(kind, where, labels=labels)

    async def create(self, kind: str, namespace: str, body: Object, *, manager: str) -> Object:
        name = body["metadata"]["name"]
        if kind in self.lacking:
            raise NotServedError("404 page not found", status=404)
        if kind in self.refuse:
            raise RefusedError(self.refuse[kind], status=403)
        if (kind, namespace, name) in self.objects:
            raise AlreadyExistsError(f"{kind} {name} already exists", status=409)
        self.writes.append(("create", kind, name))
        stored = self.put(kind, body)
        fields = _fields(_leaves({"spec": body.get("spec", {})}))
        stored["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update", "fieldsV1": fields}]
        self._default(stored)
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
            self._own(live, body, manager)
            live["spec"] = _merged(live["spec"], body["spec"])
            self._default(live)
            notes = body["metadata"].get("annotations", {})
            live["metadata"]["annotations"] = live["metadata"].get("annotations", {}) | notes
        self._stamp(live)
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
        for each in operations:
            *above, name = each["path"].split("/")[1:]
            node: Any = live
            for part in above:
                node = node[int(part)] if isinstance(node, list) else node[part]
            if each["op"] == "test":
                assert node[name] == each["value"]
            elif each["op"] == "remove":
                del node[name]
            else:
                node[name] = each["value"]
        return copy.deepcopy(live)

    async def serves(self, kind: Kind) -> bool:
        return not any(KINDS[name] == kind for name in self.lacking)

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

    def _own(self, live: Object, body: Object, manager: str) -> None:
        """Give an apply the fields that it states, and remove what it stated before, states no more, and nobody else owns."""
        entries = live["metadata"].setdefault("managedFields", [])
        own = next((each for each in entries if (each["manager"], each["operation"]) == (manager, "Apply")), None)
        if own is None:
            own = {"manager": manager, "operation": "Apply", "fieldsV1": {}}
            entries.append(own)
        stated, held = _leaves({"spec": body["spec"]}), _leaves({"spec": live["spec"]})
        for other in entries:
            taken = {path for path, value in stated.items() if path in held and held[path] != value}
            if other is not own:
                other["fieldsV1"] = _fields(_paths(other["fieldsV1"]) - taken)
        others = {path for each in entries if each is not own for path in _paths(each["fieldsV1"])}
        for path in _paths(own["fieldsV1"]) - set(stated) - others - {()}:
            _remove(live, path)
        own["fieldsV1"] = _fields(stated)

    def _default(self, body: Object) -> None:
        if body["kind"] == "Deployment":
            body["spec"].setdefault("replicas", 1)

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
        self._stamp(self.objects[key])
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
        self._stamp(body)

    def _stamp(self, body: Object) -> None:
        body["metadata"]["resourceVersion"] = str(next(self._numbers))

    def scale(self, replicas: int, name: str = "net", manager: str = "kube-controller-manager") -> None:
        """Do what an autoscaler does: write the number, and own it from then on."""
        body = next(each for each in self.named("Deployment") if each["metadata"]["name"] == name)
        path = ("spec", "replicas")
        for each in body["metadata"]["managedFields"]:
            each["fieldsV1"] = _fields(_paths(each["fieldsV1"]) - {path})
        entry = {"manager": manager, "operation": "Update", "subresource": "scale", "fieldsV1": _fields([path])}
        body["metadata"]["managedFields"].append(entry)
        body["spec"]["replicas"] = replicas
        self.roll_out(name)

    def tell(self, kind: str, *conditions: tuple[str, str, str], name: str = "net") -> None:
        """Let an object's controller say conditions: type, status and reason."""
        body = next(each for each in self.named(kind) if each["metadata"]["name"] == name)
        told = [dict(zip(("type", "status", "reason"), each, strict=True)) | {"message": "told"} for each in conditions]
        body["status"] = {"conditions": told}

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
