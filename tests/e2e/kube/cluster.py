"""The cluster under test: a thin, typed layer over the official client. Waiting is driven by watches, never by sleeps.

Objects are plain dictionaries, as the API gives them. `wait_for` names in its failure what it waited for and shows
everything that tells why it did not come (`e2e.kube.diagnostics`).
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import urllib3
from kubernetes import config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

from e2e.kube import diagnostics

Body = dict[str, Any]
API_VERSIONS = {
    "ModelConversion": "modelport.dev/v1alpha1",
    "Job": "batch/v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "Lease": "coordination.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "APIService": "apiregistration.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "ScaledObject": "keda.sh/v1alpha1",
}
"""API versions of the kinds that are not of v1."""
CHILD_KINDS = ("Job", "Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Pod")
REQUEST_SECONDS = 30.0


class Access(NamedTuple):
    """How programs reach the cluster."""

    kubectl: str
    helm: str
    kubeconfig: Path
    context: str | None

    @property
    def environment(self) -> dict[str, str]:
        """Environment of kubectl, helm and modelport."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}


class Cluster:
    """Objects of a cluster: apply, get, list, patch, delete, wait."""

    def __init__(self, access: Access, cache: Path) -> None:
        self.access = access
        client = config.new_client_from_config(config_file=str(access.kubeconfig), context=access.context)
        self._client = DynamicClient(client, cache_file=str(cache / "discovery.json"))
        self.touched: dict[tuple[str, str], None] = {}
        """Resources that the running test looked at, in order: what a failure shows."""

    def apply(self, body: Body) -> Body:
        """Create or update `body` as a user does, by server-side apply."""
        self._touch(body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"])
        resource = self._resource(body["kind"])
        result = resource.server_side_apply(
            body=body,
            namespace=body["metadata"].get("namespace"),
            field_manager="e2e",
            force_conflicts=True,
            _request_timeout=REQUEST_SECONDS,
        )
        return _plain(result)

    def create(self, body: Body) -> Body:
        """Create `body`; an object of its name is an error."""
        namespace = body["metadata"].get("namespace")
        resource = self._resource(body["kind"])
        return _plain(resource.create(body=body, namespace=namespace, _request_timeout=REQUEST_SECONDS))

    def get(self, kind: str, name: str, namespace: str | None = None) -> Body | None:
        """Return the object, or None."""
        try:
            return _plain(self._resource(kind).get(name=name, namespace=namespace, _request_timeout=REQUEST_SECONDS))
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def find(self, kind: str, namespace: str | None = None, *, selector: str | None = None) -> list[Body]:
        """Return the objects of a kind, narrowed by labels."""
        found = self._resource(kind).get(namespace=namespace, label_selector=selector, _request_timeout=REQUEST_SECONDS)
        return list(_plain(found)["items"])

    def patch(self, kind: str, name: str, namespace: str, body: Body) -> Body:
        """Merge `body` into the object."""
        self._touch(kind, namespace, name)
        result = self._resource(kind).patch(
            body=body,
            name=name,
            namespace=namespace,
            content_type="application/merge-patch+json",
            _request_timeout=REQUEST_SECONDS,
        )
        return _plain(result)

    def delete(self, kind: str, name: str, namespace: str | None = None, *, grace: int | None = None) -> None:
        """Delete the object if it is there; what it owns goes in the background."""
        try:
            self._resource(kind).delete(
                name=name,
                namespace=namespace,
                grace_period_seconds=grace,
                propagation_policy="Background",
                _request_timeout=REQUEST_SECONDS,
            )
        except ApiException as error:
            if error.status != 404:
                raise

    def logs(self, pod: str, namespace: str, container: str) -> str:
        """Return a container's log."""
        return self.kubectl("logs", pod, "-n", namespace, "-c", container)

    def wait_for(
        self,
        kind: str,
        name: str,
        namespace: str | None,
        predicate: Callable[[Body | None], bool],
        *,
        what: str,
        seconds: float = 60,
    ) -> Body | None:
        """Return the object as soon as `predicate` holds for it; None stands for an object that is not there."""
        self._touch(kind, namespace or "", name)
        deadline = time.monotonic() + seconds
        for body in self._states(kind, name, namespace, deadline):
            if predicate(body):
                return body
        raise AssertionError(
            f"{kind} {namespace}/{name}: expected {what} within {seconds:g} s\n"
            + diagnostics.describe(self, kind, name, namespace or "")
        )

    def wait_gone(self, kind: str, name: str, namespace: str | None, *, seconds: float = 60) -> None:
        """Wait until the object is not there."""
        self.wait_for(kind, name, namespace, lambda body: body is None, what="that it goes", seconds=seconds)

    def children(self, name: str, namespace: str) -> list[str]:
        """Return kind and name of every object that the operator made for a resource, pods of pods' owners included."""
        return [
            f"{kind}/{item['metadata']['name']}"
            for kind in CHILD_KINDS
            for item in self.find(kind, namespace, selector=f"modelport.dev/resource={name}")
        ]

    def wait_no_children(self, name: str, namespace: str, *, seconds: float = 60) -> None:
        """Wait until nothing that was made for a resource is left."""
        for kind in CHILD_KINDS:
            for item in self.find(kind, namespace, selector=f"modelport.dev/resource={name}"):
                self.wait_gone(kind, item["metadata"]["name"], namespace, seconds=seconds)
        left = self.children(name, namespace)
        assert not left, f"{namespace}/{name}: expected no child to be left, found {left}"

    def watch(self, kind: str, namespace: str | None, *, seconds: float, **options: Any) -> Iterator[tuple[str, Body]]:
        """Yield (type, object) of each change, at most for some seconds."""
        for event in self._client.watch(
            self._resource(kind), namespace=namespace, timeout=max(1, int(seconds)), **options
        ):
            yield event["type"], event["raw_object"]

    @contextmanager
    def recording(self, kind: str, namespace: str, *, selector: str) -> Iterator[dict[str, str]]:
        """Yield a dictionary that collects uid and name of every object that exists while the block runs.

        What was created and deleted again is in it too, which a list at the end would not show.
        """
        seen: dict[str, str] = {}
        version = self._note(kind, namespace, selector, seen)
        watcher, stop = watch.Watch(), threading.Event()
        options = {"label_selector": selector, "resource_version": version, "watcher": watcher}
        arguments = (kind, namespace, seen, stop)
        thread = threading.Thread(target=self._record, args=arguments, kwargs=options, daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            watcher.stop()
            self._note(kind, namespace, selector, seen)  # what the watch may not have told yet

    def kubectl(self, *arguments: str, text: str | None = None, seconds: float = 60) -> str:
        """Run kubectl and return what it prints."""
        command = self.kubectl_command(*arguments)
        done = subprocess.run(
            command,
            input=text,
            env=self.access.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def kubectl_command(self, *arguments: str) -> list[str]:
        """Return the command line of kubectl for this cluster."""
        context = ["--context", self.access.context] if self.access.context else []
        return [self.access.kubectl, *context, *arguments]

    @contextmanager
    def forwarded(self, target: str, namespace: str, port: int) -> Iterator[int]:
        """Forward a free port of 127.0.0.1 to `target` (`service/x`) and yield it."""
        command = self.kubectl_command("port-forward", "-n", namespace, "--address=127.0.0.1", target, f":{port}")
        with subprocess.Popen(
            command, env=self.access.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                assert process.stdout
                line = process.stdout.readline()  # Forwarding from 127.0.0.1:34567 -> 8333
                assert " -> " in line, f"kubectl port-forward {target}: expected 'Forwarding from …', found {line!r}"
                yield int(line.split(" -> ")[0].rpartition(":")[2])
            finally:
                process.terminate()

    def _states(self, kind: str, name: str, namespace: str | None, deadline: float) -> Iterator[Body | None]:
        """Yield the object now, and after each change, until the deadline; a lost connection is made again."""
        while True:
            remaining = deadline - time.monotonic()
            try:
                body = self.get(kind, name, namespace)
                yield body
                if remaining <= 0:
                    return
                version = body["metadata"]["resourceVersion"] if body else None
                for type_, changed in self.watch(
                    kind, namespace, name=name, seconds=min(remaining, 10), resource_version=version
                ):
                    yield None if type_ == "DELETED" else changed
            except (ApiException, urllib3.exceptions.HTTPError, ConnectionError) as error:
                # 410: the version is too old; 5xx: the API server is away or lags, which some tests bring about
                if isinstance(error, ApiException) and error.status not in {None, 0, 410} and error.status < 500:
                    raise
                if time.monotonic() > deadline:
                    return
                time.sleep(0.5)  # a pause between attempts to connect, not a wait for a state

    def _note(self, kind: str, namespace: str, selector: str, seen: dict[str, str]) -> str:
        """Add what exists now; return the version of the list."""
        found = _plain(
            self._resource(kind).get(namespace=namespace, label_selector=selector, _request_timeout=REQUEST_SECONDS)
        )
        seen.update({item["metadata"]["uid"]: item["metadata"]["name"] for item in found["items"]})
        version: str = found["metadata"]["resourceVersion"]
        return version

    def _record(self, kind: str, namespace: str, seen: dict[str, str], stop: threading.Event, **options: Any) -> None:
        while not stop.is_set():
            try:
                for _, body in self.watch(kind, namespace, seconds=2, **options):
                    seen[body["metadata"]["uid"]] = body["metadata"]["name"]
                    options["resource_version"] = body["metadata"]["resourceVersion"]
            except (ApiException, urllib3.exceptions.HTTPError, ConnectionError):
                stop.wait(0.5)

    def _resource(self, kind: str) -> Any:
        return self._client.resources.get(api_version=API_VERSIONS.get(kind, "v1"), kind=kind)

    def _touch(self, kind: str, namespace: str, name: str) -> None:
        if kind == "ModelConversion":
            self.touched[namespace, name] = None


def _plain(instance: Any) -> Body:
    """Return the dictionary inside what the client returns."""
    plain: Body = json.loads(json.dumps(instance.to_dict()))
    return plain
