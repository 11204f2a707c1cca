"""An image that cannot be pulled is told and tried again; the right image, once it is named, ends the failure."""

from e2e import release
from e2e.client import check_unbroken
from e2e.conversions import condition
from e2e.models import answered, onnx_mlp
from e2e.tenant import ONE, Tenant
from modelport.reasons import Reason

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
    assert not seen[name].failures
    check_unbroken(seen[name], *([served] if len(seen[name].answers) == 1 else [served, later]))
