"""A namespace with all that a test needs in it: resources, store, and a client inside the cluster."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from e2e.kube.cluster import Body, Cluster
from e2e.pods.client import Client
from e2e.sources.models import Model
from e2e.tenants.conversions import Predicate, check_failure, conversion, has_failed_with, is_ready, jobs_selector
from e2e.tenants.stores import NamespaceStore, Uploaded
from modelport.api.reasons import Reason

KIND = "ModelConversion"
ONE = {"replicas": 1}
"""spec.serving of most tests."""


class Tenant:
    """One namespace; what is applied through it is deleted by `clean`."""

    def __init__(
        self, cluster: Cluster, store: NamespaceStore, client: Client, *, factories: Uploaded, images: dict[str, str]
    ) -> None:
        self.namespace = store.namespace
        self.cluster = cluster
        self.store = store
        self.client = client
        self.factories = factories
        self.images = images
        self._applied: dict[str, None] = {}

    def apply(self, name: str, source: Body, **spec: Any) -> Body:
        """Apply a resource."""
        self._applied[name] = None
        return self.cluster.apply(conversion(name, self.namespace, source, **spec))

    def apply_by_kubectl(self, body: Body, *options: str) -> str:
        """Apply a resource as a user or a GitOps tool does, and return what kubectl prints."""
        self._applied[body["metadata"]["name"]] = None
        return self.cluster.kubectl("apply", *options, "--filename=-", text=json.dumps(body))

    def source(self, model: Model, **fields: Any) -> Body:
        """Upload an ONNX model and return where it is."""
        return self.store.upload("model.onnx", model.content).location(**fields)

    def wait(self, name: str, predicate: Predicate, *, what: str, seconds: float = 120) -> Body:
        """Return the resource as soon as `predicate` holds."""
        body = self.cluster.wait_for(KIND, name, self.namespace, predicate, what=what, seconds=seconds)
        assert body
        return body

    def ready(self, name: str, *, seconds: float = 120) -> Body:
        """Return the resource as soon as it is Ready."""
        return self.wait(name, is_ready, what="Ready", seconds=seconds)

    def failed(self, name: str, reason: Reason, *, seconds: float = 90) -> Body:
        """Return the resource as soon as it shows a failure, told as the contract says."""
        body = self.wait(name, has_failed_with(reason), what=reason, seconds=seconds)
        check_failure(body, reason)
        return body

    def look_again(self, name: str, mark: str = "again") -> None:
        """Touch a resource, so that the operator looks at it before the next resync."""
        self.cluster.patch(KIND, name, self.namespace, {"metadata": {"annotations": {"e2e": mark}}})

    def resource(self, name: str) -> Body | None:
        """Return the resource, or None."""
        return self.cluster.get(KIND, name, self.namespace)

    def jobs(self, name: str) -> list[str]:
        """Return the stages of the Jobs of a resource, sorted."""
        found = self.cluster.find("Job", self.namespace, selector=jobs_selector(name))
        return sorted(job["metadata"]["labels"]["modelport.dev/stage"] for job in found)

    def servers(self, name: str) -> list[str]:
        """Return the names of the pods that serve a resource."""
        selector = f"{jobs_selector(name)},modelport.dev/stage=serve"
        return [pod["metadata"]["name"] for pod in self.cluster.find("Pod", self.namespace, selector=selector)]

    def recording_jobs(self, name: str) -> AbstractContextManager[dict[str, str]]:
        """Collect all Jobs of a resource while a block runs, those that are deleted again too."""
        return self.cluster.recording("Job", self.namespace, selector=jobs_selector(name))

    def check(self, name: str, model: Model) -> None:
        """Assert that the Service of a resource answers as the model does."""
        self.client.check(name, model)

    def delete(self, name: str) -> None:
        """Delete a resource, and wait until nothing of it is left."""
        self.cluster.delete(KIND, name, self.namespace)
        self.cluster.wait_gone(KIND, name, self.namespace)
        self.cluster.wait_no_children(name, self.namespace)

    def clean(self) -> None:
        """Delete what was applied; it goes in the background."""
        for name in self._applied:
            self.cluster.delete(KIND, name, self.namespace)


@contextmanager
def cleaned(tenant: Tenant) -> Iterator[Tenant]:
    """Yield the tenant and clean it afterwards."""
    try:
        yield tenant
    finally:
        tenant.clean()
