"""Failures that come from the namespace: quota, names that are taken, Secrets that are not there."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e.kube.cluster import Body, Cluster
from e2e.sources.models import onnx_mlp
from e2e.tenants.conversions import STORE_SECRET, condition
from e2e.tenants.stores import NamespaceStore
from e2e.tenants.tenant import ONE, Tenant, cleaned
from modelport.api.reasons import Reason

MODEL = onnx_mlp(70)
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
WRONG_KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}


@pytest.fixture
def own(name: str, a: Tenant) -> Iterator[Tenant]:
    """Make a namespace for the test, which has keys for sources, but no store yet."""
    cluster = a.cluster
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    store = NamespaceStore(name, a.store.values, a.store.port)
    _make_secret(cluster, "keys", name, a.store.values)
    with cleaned(Tenant(cluster, store, a.client, factories=a.factories, images=a.images)) as tenant:
        yield tenant
    cluster.delete("Namespace", name)


def _make_secret(cluster: Cluster, name: str, namespace: str, values: dict[str, str]) -> None:
    metadata = {"name": name, "namespace": namespace}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})


def _give_store(tenant: Tenant, **changed: str) -> None:
    """Give the namespace a part of the test store that nobody else uses."""
    values = tenant.store.values
    own_part = {"uri": f"{values['uri'].rstrip('/')}/{tenant.namespace}"}
    _make_secret(tenant.cluster, STORE_SECRET, tenant.namespace, values | own_part | changed)


def _source(tenant: Tenant) -> Body:
    return tenant.source(MODEL, secretRef={"name": "keys"})


def test_quota_that_is_exceeded_is_told_and_tried_again(own: Tenant) -> None:
    _give_store(own)
    quota = {"name": "no-pods", "namespace": own.namespace}
    own.cluster.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": quota, "spec": {"hard": {"pods": "0"}}})
    own.cluster.wait_for(
        "ResourceQuota", "no-pods", own.namespace, lambda body: bool(body and body.get("status")), what="that it counts"
    )
    own.apply("refused", _source(own))
    body = own.failed("refused", Reason.QUOTA_EXCEEDED)
    assert "no-pods" in body["status"]["failure"]["message"]
    assert condition(body, "Reconciling")
    own.cluster.delete("ResourceQuota", "no-pods", own.namespace)
    own.ready("refused", seconds=180)


def test_namespace_without_a_store_is_told_and_tried_again(own: Tenant) -> None:
    own.apply("storeless", _source(own))
    body = own.failed("storeless", Reason.STORE_NOT_CONFIGURED)
    assert condition(body, "Reconciling")
    _give_store(own)
    own.ready("storeless", seconds=180)


def test_wrong_credentials_of_the_store_are_told_and_tried_again(own: Tenant) -> None:
    _give_store(own, **WRONG_KEYS)
    own.apply("locked-out", _source(own))
    body = own.failed("locked-out", Reason.STORE_ACCESS_DENIED)
    assert condition(body, "Reconciling")
    _give_store(own)
    own.ready("locked-out", seconds=180)


def test_secret_of_the_source_that_is_missing_is_named(name: str, a: Tenant) -> None:
    a.apply(name, a.source(onnx_mlp(71), secretRef={"name": "no-such-secret"}))
    body = a.failed(name, Reason.SOURCE_ACCESS_DENIED)
    assert "no-such-secret" in body["status"]["failure"]["message"]


@pytest.fixture
def make_foreign(a: Tenant) -> Iterator[Callable[[str, str], Body]]:
    """Return what makes an object of somebody else's; it is deleted after the test."""
    made: list[tuple[str, str]] = []

    def make(kind: str, name: str) -> Body:
        made.append((kind, name))
        return a.cluster.create(_foreign(kind, name, a))

    yield make
    for kind, name in made:
        a.cluster.delete(kind, name, a.namespace)


@pytest.mark.parametrize("kind", ["Deployment", "Service"])
def test_name_that_is_taken_by_another_object_is_left_alone(
    kind: str, name: str, a: Tenant, make_foreign: Callable[[str, str], Body]
) -> None:
    foreign = make_foreign(kind, name)
    a.apply(name, a.source(MODEL), serving=ONE)
    body = a.failed(name, Reason.NAME_CONFLICT)
    assert f"{kind} {name}" in body["status"]["failure"]["message"]
    found = a.cluster.get(kind, name, a.namespace)
    assert found
    assert found["spec"] == foreign["spec"]
    assert found["metadata"]["uid"] == foreign["metadata"]["uid"]
    assert "ownerReferences" not in found["metadata"]
    a.delete(name)
    assert a.cluster.get(kind, name, a.namespace), "the foreign object outlives the resource"


def test_name_that_becomes_free_is_taken(name: str, a: Tenant, make_foreign: Callable[[str, str], Body]) -> None:
    make_foreign("Service", name)
    a.apply(name, a.source(MODEL), serving=ONE)
    a.failed(name, Reason.NAME_CONFLICT)
    a.cluster.delete("Service", name, a.namespace)
    a.look_again(name)
    a.ready(name)
    a.check(name, MODEL)


def _foreign(kind: str, name: str, a: Tenant) -> Body:
    labels = {"app": "foreign"}
    metadata = {"name": name, "namespace": a.namespace}
    if kind == "Service":
        spec: dict[str, Any] = {"selector": labels, "ports": [{"port": 1234}]}
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
    containers = [{"name": "main", "image": a.images["server-onnxruntime"]}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}
