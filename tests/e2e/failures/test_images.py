"""An image that cannot be pulled, or ends at once, is told and tried again; a newer one serves after it has passed."""

import pytest

from e2e.failures.failure_cases import Given
from e2e.kube import release
from e2e.pods.loops import check_answered, check_unbroken
from e2e.sources.models import answered, onnx_mlp, torch_mlp
from e2e.tenants.conversions import Body, condition, is_ready
from e2e.tenants.tenant import ONE, Tenant
from modelport.api.reasons import Reason

NOWHERE = "registry.invalid/modelport/converter-onnx@sha256:" + "0" * 64


def test_image_that_cannot_be_pulled(name: str, a: Tenant) -> None:
    served = onnx_mlp(95)
    later = answered(onnx_mlp(96).content, "features", served.request)
    a.apply(name, a.source(served), serving=ONE)
    before = a.ready(name)["status"]["artifact"]["digest"]
    with a.client.asking({name: served}) as seen, release.images(a.cluster, {"converter-onnx": NOWHERE}):
        a.apply(name, a.source(later), serving=ONE)
        body = a.failed(name, Reason.IMAGE_PULL_FAILED)
        assert "registry.invalid" in body["status"]["failure"]["message"]
        assert condition(body, "Reconciling")
        assert body["status"]["serving"]["artifactDigest"] == before
        a.check(name, served)
    a.ready(name, seconds=180)
    a.check(name, later)
    check_answered(seen[name], served, later)


def test_steps_do_not_wait_for_one_that_never_began(name: str, a: Tenant) -> None:
    """Such an image's step ends before it takes its lock, so that the steps after it see none that ended, and hold room."""
    model = torch_mlp(97)
    source = Given(a.store, a.factories).torch("mlp:build", model.content)
    with release.images(a.cluster, {"converter-pytorch": a.images["server-onnxruntime"]}):
        a.apply(name, source, serving=ONE)
        body = a.failed(name, Reason.CONVERTER_CRASHED)
        assert "hop-1" in body["status"]["failure"]["message"]
        a.wait(name, lambda _body: "convert" not in a.jobs(name), what="that its Job is gone", seconds=60)
    a.ready(name, seconds=180)
    a.check(name, model)


def test_newer_server_image_serves_after_it_has_passed(name: str, a: Tenant) -> None:
    """It is the same one by another name, because its digest leads to it; one that is nowhere takes nothing down."""
    served = onnx_mlp(94)
    repository, _, digest = a.images["server-onnxruntime"].partition("@")
    if not digest:
        pytest.skip("this cluster knows images by their tags")
    newer = f"{repository}:newer@{digest}"
    a.apply(name, a.source(served), serving=ONE)
    a.ready(name)
    servers = a.servers(name)
    with a.client.asking({name: served}) as seen, release.reverifications(a.cluster, 10):
        with release.images(a.cluster, {"server-onnxruntime": NOWHERE}):
            a.look_again(name)
            a.wait(name, lambda _body: "verify" in a.jobs(name), what="a Job of an image that is nowhere")
            assert is_ready(a.resource(name))
            assert a.servers(name) == servers
        with release.images(a.cluster, {"server-onnxruntime": newer}):
            a.look_again(name, "and again")
            a.wait(name, lambda body: _verified_by(body) == newer, what=f"verified by {newer}", seconds=180)
            a.ready(name)
            assert a.servers(name) != servers
            a.check(name, served)
    check_unbroken(seen[name], served)


def _verified_by(body: Body | None) -> str:
    return str((body or {}).get("status", {}).get("verification", {}).get("image", ""))
