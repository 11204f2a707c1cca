"""Work that is stored is not done again: reuse within a namespace, never across; errors are judged anew."""

from e2e.sources.models import FEATURES, onnx_mlp, torch_mlp
from e2e.tenants.conversions import condition
from e2e.tenants.tenant import ONE, Tenant
from modelport.api.reasons import Reason


def test_same_work_under_another_name_is_reused_in_the_namespace_only(name: str, a: Tenant, b: Tenant) -> None:
    model = onnx_mlp(40)
    other = f"{name[:40]}-2"
    a.apply(name, a.source(model), serving=ONE)
    first = a.ready(name)["status"]["artifact"]
    assert not first.get("reused", False)

    with a.recording_jobs(other) as jobs:
        a.apply(other, a.source(model), serving=ONE)
        second = a.ready(other)["status"]["artifact"]
    assert second["reused"] is True
    assert second["digest"] == first["digest"]
    assert not jobs, "the source was known by its digest, and the artifact by its key: no Job was needed"
    a.check(other, model)

    b.apply(name, b.source(model))
    foreign = b.ready(name)["status"]["artifact"]
    assert not foreign.get("reused", False)
    assert b.jobs(name) == ["convert", "import"]


def test_source_without_digest_is_imported_but_its_conversion_reused(name: str, a: Tenant) -> None:
    model = onnx_mlp(41)
    other = f"{name[:40]}-2"
    a.apply(name, a.source(model))
    a.ready(name)
    a.apply(other, a.source(model, digest=None))
    assert a.ready(other)["status"]["artifact"]["reused"] is True
    assert a.jobs(other) == ["import"]


def test_stricter_tolerance_is_judged_from_the_stored_errors(name: str, a: Tenant) -> None:
    model = torch_mlp(42)
    code = a.factories.location(factory="mlp:build")
    source = a.store.upload("strict.pt", model.content).location(trust="Trusted", inputs=FEATURES, code=code)
    a.apply(name, source, serving=ONE)
    first = a.ready(name)["status"]
    assert float(first["verification"]["maxAbsoluteError"]) > 0, "torch and ONNX Runtime agree to the last bit"

    strict = f"{name[:40]}-2"
    tolerance = {"tolerance": {"relative": 0, "absolute": 0}}
    with a.recording_jobs(strict) as jobs:
        a.apply(strict, source, verification=tolerance, serving=ONE)
        body = a.failed(strict, Reason.VERIFICATION_FAILED)
    assert condition(body, "Stalled")
    assert len(jobs) == 1, "errors that are stored need no Job to be judged; another path is tried by one"
    assert a.cluster.get("Deployment", strict, a.namespace) is None

    with a.recording_jobs(name) as later:
        a.apply(name, source, verification=tolerance, serving=ONE)
        a.failed(name, Reason.VERIFICATION_FAILED)
    assert len(later) == 3, "import and convert of before, and one of the other path"
    a.check(name, model)  # what served before goes on

    a.apply(name, source, serving=ONE)
    assert a.ready(name)["status"]["artifact"]["digest"] == first["artifact"]["digest"]


def test_other_samples_are_asked_anew_and_the_artifact_stays(name: str, a: Tenant) -> None:
    model = onnx_mlp(43)
    a.apply(name, a.source(model), serving=ONE)
    first = a.ready(name)["status"]
    with a.recording_jobs(name) as jobs:
        a.apply(name, a.source(model), verification={"samples": 16}, serving=ONE)
        second = a.ready(name)["status"]
    assert len(jobs) == 3, "import and convert of before, and one that verifies"
    assert a.jobs(name) == ["import", "verify"], "the Job of the spec before goes"
    assert second["artifact"]["digest"] == first["artifact"]["digest"]
    assert (first["verification"]["samples"], second["verification"]["samples"]) == (8, 16)
    assert second["verification"]["reference"] != first["verification"]["reference"]
    folder = f"artifacts/{first['artifact']['key']}/{first['artifact']['digest'].removeprefix('sha256:')}/verifications"
    key = second["verification"]["key"]
    assert {f"{folder}/{key}.json", f"{folder}/{key}.npz"} <= a.store.objects(folder).keys()
    a.check(name, model)
