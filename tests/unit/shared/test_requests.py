"""Keys and requests: what changes a key, and what must not."""

import msgspec
import pytest

from modelport.api.base import API_VERSION
from modelport.api.reasons import ADVICE, Reason
from modelport.api.resource import ModelConversion, parse
from modelport.api.status import SourceStatus
from modelport.conversion.base import Converter, Options
from modelport.conversion.onnx_options import OnnxOptions
from modelport.encoding import canonical
from modelport.errors import ModelportError
from modelport.frameworks import CONVERTERS
from modelport.jobs.environment import MAX_REQUEST_BYTES
from modelport.jobs.keys import artifact_key, inputs_key, source_key, verification_key
from modelport.jobs.planning import convert_request, import_request, paths, verify_request
from modelport.jobs.requests import decode_request
from modelport.paths import find_paths, options_of, plan_paths

DIGEST = "sha256:" + "a" * 64
IMAGES = {"converter-onnx": "onnx@1", "converter-pytorch": "pytorch@1", "server-onnxruntime": "server@1"}
CODE = {"uri": "s3://models/code.zip", "digest": DIGEST, "factory": "net:build"}
SOURCE = SourceStatus(
    key="k",
    uri="s3://models/net.pt",
    digests={"source": DIGEST, "code": DIGEST},
    format="pytorch-state-dict",
    size_bytes=1,
)


def with_data(digest: str) -> SourceStatus:
    return msgspec.structs.replace(SOURCE, digests={**SOURCE.digests, "data": digest})


def resource(**changes: object) -> ModelConversion:
    source = {
        "uri": "s3://models/net.pt",
        "code": CODE,
        "inputs": [{"name": "x", "shape": ["batch", 3]}],
        "trust": "Trusted",
    }
    spec = {"source": source | changes.pop("source", {}), **changes}  # type: ignore[dict-item]
    return parse({"apiVersion": API_VERSION, "kind": "ModelConversion", "metadata": {"name": "net"}, "spec": spec})


def keys(
    given: ModelConversion, images: dict[str, str] = IMAGES, source: SourceStatus = SOURCE
) -> tuple[str, str, str]:
    path = paths(given, "pytorch-state-dict", images)[0]
    inputs = inputs_key(given, source, path, "amd64")
    artifact = artifact_key(inputs, path)
    evidence = verification_key(
        given, artifact=artifact, server_image=images["server-onnxruntime"], cpu_level="x86-64-v2"
    )
    return inputs, artifact, evidence


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"code": CODE | {"factory": "net:other"}}},
        {"source": {"code": CODE | {"arguments": {"classes": 4}}}},
        {"source": {"code": CODE | {"objects": ["net:Layer"]}}},
        {"source": {"code": CODE | {"modules": ["net"]}}},
        {"source": {"inputs": [{"name": "x", "shape": ["batch", 4]}]}},
        {"source": {"dimensions": {"batch": {"max": 4}}}},
        {"source": {"checkpoint": {"key": "model"}}},
        {"source": {"states": [{"input": "x", "output": "y"}]}},
        {"target": {"options": {"opset": 18}}},
        {"verification": {"policy": "Report"}},
    ],
)
def test_what_the_model_follows_from_changes_every_key(change: dict[str, object]) -> None:
    assert all(new != old for new, old in zip(keys(resource(**change)), keys(resource()), strict=True))


@pytest.mark.parametrize(
    "change",
    [
        {"serving": {"replicas": 3}},
        {"verification": {"tolerance": {"relative": 1e-3}}},
        {"conversion": {"retries": 5}},
        {"suspend": True},
        {"source": {"uri": "s3://elsewhere/net.pt"}},
    ],
)
def test_what_the_model_does_not_follow_from_changes_no_key(change: dict[str, object]) -> None:
    assert keys(resource(**change)) == keys(resource())


def test_images_change_artifact_and_verification_but_not_inputs() -> None:
    upgraded = keys(resource(), IMAGES | {"converter-pytorch": "pytorch@2"})
    assert (upgraded[0] == keys(resource())[0], upgraded[1] == keys(resource())[1]) == (True, False)
    assert keys(resource(), IMAGES | {"server-onnxruntime": "server@2"})[2] != keys(resource())[2]


def test_an_option_that_came_with_an_upgrade_changes_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    class Newer(OnnxOptions, frozen=True, kw_only=True):
        threads: int = 1

    before, name = keys(resource()), "pytorch-state-dict-to-onnx"
    monkeypatch.setitem(CONVERTERS, name, CONVERTERS[name]._replace(options=Newer))
    assert keys(resource()) == before
    assert keys(resource(target={"options": {"threads": 2}})) != before


def test_names_of_code_are_asked_for_as_the_spec_has_them() -> None:
    called = resource(source={"uri": "s3://models/my%20net.pt", "code": CODE | {"uri": "s3://models/net.py"}})
    request = convert_request(called, SOURCE, path=[], artifact="", verification="")
    assert request.names == {"source": "my net.pt", "code": "net.py"}
    assert keys(called)[0] != keys(resource())[0]
    prefix = resource(source={"uri": "s3://models/net/", "code": CODE | {"uri": "s3://models/net/"}})
    assert convert_request(prefix, SOURCE, path=[], artifact="", verification="").names == {}


def test_samples_change_the_verification_alone() -> None:
    more = keys(resource(verification={"samples": 16}))
    assert more[:2] == keys(resource())[:2]
    assert more[2] != keys(resource())[2]


def test_samples_of_the_users_own_change_every_key() -> None:
    given = resource(verification={"data": {"uri": "s3://b/samples.npz"}})
    one, other = (keys(given, source=with_data(digest)) for digest in (DIGEST, DIGEST + "b"))
    for number, plain in enumerate(keys(resource())):
        assert len({one[number], other[number], plain}) == 3
    # a digest that is still in the status is of no interest where the spec names no data any more
    assert keys(resource(), source=with_data(DIGEST)) == keys(resource())


def test_requirements_are_imported_beside_the_code_and_change_every_key() -> None:
    needs = {"uri": "s3://models/einops-0.8.1-py3-none-any.whl", "digest": DIGEST}
    given = resource(source={"code": CODE | {"requirements": needs}})
    assert list(import_request(given).locations) == ["source", "code", "requirements"]
    assert source_key(given) != source_key(resource())
    one, other = (
        keys(given, source=msgspec.structs.replace(SOURCE, digests={**SOURCE.digests, "requirements": digest}))
        for digest in (DIGEST, DIGEST + "b")
    )
    for number, plain in enumerate(keys(resource())):
        assert len({one[number], other[number], plain}) == 3


def test_code_without_a_factory_is_told_where_weights_alone_make_no_model() -> None:
    given = resource(source={"code": {"uri": "s3://models/code.zip", "digest": DIGEST, "objects": ["net:Layer"]}})
    request = convert_request(given, SOURCE, path=[], artifact="", verification="")
    assert (request.code.factory, request.code.objects) == (None, ["net:Layer"]) if request.code else False
    assert paths(given, "pytorch-module", IMAGES)
    with pytest.raises(ModelportError, match=r"spec.source.code.factory: weights alone make no model") as refused:
        paths(given, "pytorch-state-dict", IMAGES)
    assert refused.value.reason is Reason.INVALID_SPEC


def test_a_verify_job_asks_the_source_anew_and_converts_nothing() -> None:
    given = resource(verification={"data": {"uri": "s3://b/samples.npz"}})
    request = verify_request(given, with_data(DIGEST), artifact="a", digest=DIGEST, verification="v")
    assert (request.hops, request.artifact_digest, request.digests["data"]) == ([], DIGEST, DIGEST)
    assert (request.source_format, request.target_format, request.inputs) == (
        "pytorch-state-dict",
        "onnx",
        given.spec.source.inputs,
    )


@pytest.mark.parametrize("data", [{"uri": "s3://b/c"}, {"uri": "s3://b/c", "digest": DIGEST}])
def test_data_is_imported_beside_source_and_code(data: dict[str, object]) -> None:
    given = resource(verification={"data": data})
    assert list(import_request(given).locations) == ["source", "code", "data"]
    assert import_request(given).locations["data"].digest == data.get("digest")
    assert source_key(given) != source_key(resource())


@pytest.mark.parametrize("change", [{"uri": "s3://b/c"}, {"digest": DIGEST}, {"secretRef": {"name": "s"}}])
def test_source_key_follows_where_the_bytes_are(change: dict[str, object]) -> None:
    assert source_key(resource(source=change)) != source_key(resource())


def test_what_was_imported_with_trust_is_looked_at_again_without_it() -> None:
    assert source_key(resource()) != source_key(resource(source={"trust": "Untrusted", "code": None}))
    assert import_request(resource()).trusted


def test_refresh_annotation_imports_again() -> None:
    asked = resource()
    refreshed = msgspec.structs.replace(
        asked, metadata=msgspec.structs.replace(asked.metadata, annotations={"modelport.dev/refresh": "1"})
    )
    assert source_key(refreshed) != source_key(asked)


def test_requests_survive_the_wire_and_fit() -> None:
    given = resource()
    path = paths(given, "pytorch-state-dict", IMAGES)[0]
    request = convert_request(given, SOURCE, path=path, artifact="a", verification="v")
    for each in (request, import_request(given)):
        assert decode_request(canonical(each).decode()) == each
        assert len(canonical(each)) < MAX_REQUEST_BYTES


def test_path_to_the_same_format_is_one_conversion() -> None:
    assert [[hop.name for hop in path] for path in find_paths("onnx", "onnx")] == [["onnx-to-onnx"]]


def test_no_path_leads_round_a_converter_that_goes_straight() -> None:
    hops = [("a", "b", 1), ("b", "d", 1), ("a", "c", 1), ("c", "d", 1), ("c", "e", 1), ("a", "d", 5), ("d", "e", 1)]
    converters = {f"{a}-{b}": Converter(a, b, Options, cost) for a, b, cost in hops}
    named = {end: [[hop.name for hop in path] for path in find_paths("a", end, converters)] for end in "de"}
    assert named["d"] == [["a-to-d"]], "b and c are ways round"
    assert named["e"] == [["a-to-c", "c-to-e"], ["a-to-d", "d-to-e"]], "c leads to e without d"


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(ModelportError, match=r"spec\.target\.options\.opsett: .* did you mean opset\?") as caught:
        options_of(CONVERTERS["onnx-to-onnx"], {"opsett": 17})
    assert caught.value.reason is Reason.INVALID_SPEC


@pytest.mark.parametrize("opset", [8, 24, "seventeen"])
def test_impossible_option_is_refused(opset: object) -> None:
    with pytest.raises(ModelportError, match="opset"):
        options_of(CONVERTERS["onnx-to-onnx"], {"opset": opset})


@pytest.mark.parametrize(
    ("source", "reason"),
    [({"code": None}, Reason.INVALID_SPEC), ({"inputs": []}, Reason.INPUTS_NEEDED)],
)
def test_a_state_dict_needs_code_and_inputs(source: dict[str, object], reason: Reason) -> None:
    with pytest.raises(ModelportError) as caught:
        plan_paths(resource(source=source).spec, "pytorch-state-dict")
    assert caught.value.reason is reason


def test_every_reason_has_advice() -> None:
    assert set(ADVICE) == set(Reason)
    assert all(advice.hint for advice in ADVICE.values())


def test_the_hint_of_an_unsafe_source_fits_an_archive_and_a_pickle() -> None:
    """Each message says what to do about what it names."""
    hint = ADVICE[Reason.UNSAFE_SOURCE].hint
    assert "the message names" in hint
    assert not {"Archives:", "PyTorch:"} & set(hint.split())


def hops_of(source_format: str, **target: object) -> list[str]:
    spec = resource(target={"format": "onnx", "options": target}).spec
    return [" ".join(hop.name for hop, _ in path) for path in plan_paths(spec, source_format)][:1]


def test_what_exporters_cannot_do_is_one_hop_more() -> None:
    assert hops_of("onnx", precision="int8") == ["onnx-to-onnx"]
    assert hops_of("tflite", precision="float32") == ["tflite-to-onnx"]
    assert hops_of("tflite", precision="float16", opset=15) == ["tflite-to-onnx onnx-to-onnx"]


def test_the_converter_before_gets_the_options_that_it_knows() -> None:
    target = {"format": "onnx", "options": {"precision": "int8", "opset": 15, "simplify": True}}
    (path, *_) = plan_paths(resource(target=target).spec, "tflite")
    assert [msgspec.to_builtins(options) for _, options in path] == [
        {"opset": 15, "simplify": True},
        {"opset": 15, "simplify": True, "precision": "int8"},
    ]


def test_an_option_that_nobody_knows_is_no_reason_for_another_hop() -> None:
    with pytest.raises(ModelportError, match=r"spec\.target\.options\.precisions: .* did you mean precision\?"):
        hops_of("tflite", precisions="float16")


def test_a_path_whose_images_are_not_there_is_left_out() -> None:
    (path,) = paths(resource(), "onnx", {"converter-onnx": "o", "server-onnxruntime": "s"})
    assert [hop.image for hop in path] == ["o"]
    with pytest.raises(
        ModelportError, match=r"images\.converter-pytorch: expected an image in the chart's values"
    ) as caught:
        paths(resource(), "pytorch-state-dict", {"converter-onnx": "o", "server-onnxruntime": "s"})
    assert caught.value.reason is Reason.IMAGE_NOT_CONFIGURED
    with pytest.raises(ModelportError, match=r"images\.server-onnxruntime"):
        paths(resource(), "onnx", {"converter-onnx": "o"})


def test_half_precision_is_judged_in_its_own_units() -> None:
    def asked(**spec: object) -> str | None:
        return convert_request(resource(**spec), SOURCE, path=[], artifact="a", verification="v").precision

    assert asked() is None
    assert asked(target={"format": "onnx", "options": {"precision": "int8"}}) is None
    assert asked(target={"format": "onnx", "options": {"precision": "float16"}}) == "float16"
