"""A resource under GitOps: in no state does anything differ from what was applied, and none is seen as what it is not."""

import json
import subprocess
from collections.abc import Callable

import pytest

from e2e.kube import release
from e2e.kube.cluster import Body
from e2e.sources.models import onnx_mlp
from e2e.tenants.conversions import condition, conversion, is_observed, is_ready, is_stalled
from e2e.tenants.tenant import KIND, ONE, Tenant
from gitops.checkers import (
    CURRENT,
    DELETING,
    FAILED,
    IN_PROGRESS,
    SUSPENDED,
    SUSPENDED_BEFORE,
    Checkers,
    make_checkers,
)
from modelport.api.reasons import Reason

SERVER_SIDE = ("--server-side",)
WRONG_DIGEST = "sha256:" + "0" * 64
KEEPING = {"metadata": {"finalizers": ["e2e.modelport.dev/keep"]}}
ATTEMPTS = 5


@pytest.fixture(scope="session")
def checkers(tmp_path_factory: pytest.TempPathFactory) -> Checkers:
    return make_checkers(tmp_path_factory.mktemp("argocd"))


def is_told(reason: str) -> Callable[[Body | None], bool]:
    """Return whether the present spec is told with this reason."""
    return lambda body: is_observed(body) and condition(body, "Ready").get("reason") == reason


def _check_nothing_differs(a: Tenant, manifest: Body, way: tuple[str, ...]) -> None:
    """Assert that neither a diff nor a second apply finds something to change."""
    name = manifest["metadata"]["name"]
    before = _found(a, name)
    assert _differences(a, manifest, way) == ""
    said = a.apply_by_kubectl(manifest, *way)
    assert said.split() == [f"modelconversion.modelport.dev/{name}", "serverside-applied" if way else "unchanged"]
    after = _found(a, name)
    assert after["spec"] == before["spec"]
    for field in ("generation", "annotations", "labels", "finalizers"):
        assert after["metadata"].get(field) == before["metadata"].get(field)


def _differences(a: Tenant, manifest: Body, way: tuple[str, ...]) -> str:
    """Return what `kubectl diff` prints, which reads twice: a status that was written in between is no difference."""
    name = manifest["metadata"]["name"]
    command = a.cluster.kubectl_command("diff", *way, "--filename=-")
    for _ in range(ATTEMPTS):
        version = _found(a, name)["metadata"]["resourceVersion"]
        done = subprocess.run(
            command,
            input=json.dumps(manifest),
            env=a.cluster.access.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in {0, 1}, done.stderr
        if not done.stdout or _found(a, name)["metadata"]["resourceVersion"] == version:
            break
    return done.stdout


def _found(a: Tenant, name: str) -> Body:
    body = a.resource(name)
    assert body
    return body


@pytest.mark.parametrize("way", [(), SERVER_SIDE], ids=["client-side", "server-side"])
def test_nothing_differs_and_every_state_is_seen_as_it_is(
    way: tuple[str, ...], name: str, a: Tenant, checkers: Checkers
) -> None:
    source = a.source(onnx_mlp(120 + len(way)))

    def manifest(**spec: object) -> Body:
        return conversion(name, a.namespace, spec.pop("source", source), **({"serving": ONE} | spec))

    def reach(predicate: Callable[[Body | None], bool], what: str, **spec: object) -> Body:
        a.apply_by_kubectl(manifest(**spec), *way)
        body = a.wait(name, predicate, what=what)
        _check_nothing_differs(a, manifest(**spec), way)
        return body

    def is_whole(body: Body | None) -> bool:
        return is_ready(body) and condition(body, "ReplicasAvailable").get("status") == "True"

    with release.operator_down(a.cluster):
        new = reach(lambda body: body is not None, "that it is there")
        assert new["status"] == {"observedGeneration": -1}
    serving = reach(is_whole, "Ready with all pods")
    suspended = reach(is_told("Suspended"), "Suspended", suspend=True)
    edited = reach(is_told("Suspended"), "Suspended with an edit", suspend=True, opset=18)
    wrong = reach(is_stalled, "Stalled", source=source | {"digest": WRONG_DIGEST})
    assert condition(wrong, "Stalled")["reason"] == Reason.DIGEST_MISMATCH
    assert condition(wrong, "Available")["status"] == "True", "the artifact before it goes on serving"
    zero = reach(is_told("ScaledToZero"), "ScaledToZero", serving={"replicas": 0})
    back = reach(is_whole, "Ready again")
    with release.operator_down(a.cluster):
        unseen = reach(lambda body: body is not None, "that it is there", opset=18)
        assert unseen["status"]["observedGeneration"] < unseen["metadata"]["generation"]
    assert checkers.look([new, serving, suspended, edited, wrong, zero, back, unseen]) == [
        IN_PROGRESS,
        CURRENT,
        SUSPENDED,
        SUSPENDED_BEFORE,
        FAILED,
        CURRENT,
        CURRENT,
        IN_PROGRESS,
    ]


def test_a_resource_that_is_deleted_is_seen_going(name: str, a: Tenant, checkers: Checkers) -> None:
    a.apply(name, a.source(onnx_mlp(122)))
    a.ready(name)
    a.cluster.patch(KIND, name, a.namespace, KEEPING)
    try:
        a.cluster.delete(KIND, name, a.namespace)
        going = _found(a, name)
    finally:
        a.cluster.patch(KIND, name, a.namespace, {"metadata": {"finalizers": None}})
    assert checkers.look([going]) == [DELETING]
    a.cluster.wait_gone(KIND, name, a.namespace)


def test_a_resource_that_is_deleted_and_applied_again_at_once_is_never_seen_as_failed(
    name: str, a: Tenant, checkers: Checkers
) -> None:
    source = a.source(onnx_mlp(123))
    a.apply(name, source, serving=ONE)
    first = a.ready(name)["metadata"]["uid"]
    a.cluster.delete(KIND, name, a.namespace)
    second = a.apply(name, source, serving=ONE)["metadata"]["uid"]
    assert second != first
    seen: list[Body] = []

    def is_ready_again(body: Body | None) -> bool:
        if body:
            seen.append(body)
        return is_ready(body)

    a.wait(name, is_ready_again, what="Ready again", seconds=180)
    assert {body["metadata"]["uid"] for body in seen} == {second}
    found = checkers.look(seen)
    assert set(found) <= {IN_PROGRESS, CURRENT}, seen
    assert found[-1] == CURRENT
