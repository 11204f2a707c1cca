"""An image that cannot be pulled, or ends at once, is told and tried again; the right image ends the failure."""

from e2e.failures.failure_cases import Given
from e2e.kube import release
from e2e.pods.loops import check_answered
from e2e.sources.models import answered, onnx_mlp, torch_mlp
from e2e.tenants.conversions import Body, condition, failure_of
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
    """Such an image's step ends before it takes its lock, so that the steps after it see none that ended."""
    model = torch_mlp(97)
    source = Given(a.store, a.factories).torch("mlp:build", model.content)
    with release.images(a.cluster, {"converter-pytorch": a.images["server-onnxruntime"]}):
        a.apply(name, source, serving=ONE)
        body = a.failed(name, Reason.STEP_CRASHED)
        assert "hop-1" in body["status"]["failure"]["message"]
        a.wait(name, _is_tried_again, what="another attempt", seconds=60)
    a.ready(name, seconds=180)
    a.check(name, model)


def _is_tried_again(body: Body | None) -> bool:
    return int(failure_of(body).get("attempts", 0)) > 1
