"""The containers of Jobs: which steps share one, what each may read, and which credentials it holds."""

from typing import get_args

import pytest

from builders import convert_request
from modelport.api.spec import Role
from modelport.jobs.containers import containers_of
from modelport.jobs.environment import MAX_EVIDENCE_BYTES, POD_MESSAGES_BYTES
from modelport.jobs.requests import ConvertRequest, Hop, ImportRequest, LocationRequest, ServeRequest

IMAGES = {"converter-onnx": "onnx@1", "converter-pytorch": "pytorch@1", "server-onnxruntime": "server@1"}


def request(*images: str, source: str = "pytorch-state-dict", digest: str | None = None) -> ConvertRequest:
    hops = [Hop(converter="a-to-b", source="a", target="b", image=image) for image in images]
    return convert_request(source_format=source, hops=hops, artifact_digest=digest)


def shown(given: ConvertRequest) -> list[tuple[tuple[str, ...], str]]:
    return [(each.steps, each.image) for each in containers_of(given, IMAGES)]


def test_ask_shares_the_container_of_the_first_hop_of_its_image() -> None:
    assert shown(request("pytorch@1")) == [
        (("stage",), "onnx@1"),
        (("ask", "hop-1"), "pytorch@1"),
        (("try",), "server@1"),
        (("judge",), "onnx@1"),
        (("publish",), "onnx@1"),
    ]


def test_steps_that_hold_credentials_or_open_no_model_share_none_whatever_their_image() -> None:
    assert [steps for steps, _ in shown(request("onnx@1", source="onnx"))] == [
        ("stage",),
        ("ask", "hop-1"),
        ("try",),
        ("judge",),
        ("publish",),
    ]


def test_hops_share_while_their_images_are_equal() -> None:
    assert shown(request("pytorch@1", "pytorch@1", "onnx@1"))[1:3] == [
        (("ask", "hop-1", "hop-2"), "pytorch@1"),
        (("hop-3",), "onnx@1"),
    ]
    assert [steps for steps, _ in shown(request("onnx@1"))][1:3] == [("ask",), ("hop-1",)]


@pytest.mark.parametrize("images", [(), ("pytorch@1",), ("onnx@1",), ("onnx@1", "pytorch@1")])
def test_the_kubelet_cuts_no_evidence_off_also_where_a_cluster_adds_a_container(images: tuple[str, ...]) -> None:
    given = request(*images, digest=None if images else "sha256:1")
    assert POD_MESSAGES_BYTES // (len(containers_of(given, IMAGES)) + 1) >= MAX_EVIDENCE_BYTES


def test_a_stored_artifact_is_verified_without_hops() -> None:
    found = {each.name: each for each in containers_of(request(digest="sha256:1"), IMAGES)}
    assert list(found) == ["stage", "ask", "try", "judge", "publish"]
    assert found["try"].reads == ("ask", "stage")
    assert found["judge"].reads == ("ask", "try", "stage")


def test_each_reads_what_it_needs_and_nothing_of_its_own() -> None:
    found = {each.name: each for each in containers_of(request("pytorch@1", "onnx@1"), IMAGES)}
    assert {name: each.reads for name, each in found.items()} == {
        "stage": (),
        "hop-1": ("stage",),
        "hop-2": ("stage", "ask", "hop-1"),
        "try": ("ask", "hop-2"),
        "judge": ("ask", "hop-1", "hop-2", "try"),
        "publish": ("try", "judge"),
    }


def test_no_step_that_opens_a_model_holds_credentials() -> None:
    locations = dict.fromkeys(get_args(Role), LocationRequest(uri="s3://b/k"))
    imports = containers_of(ImportRequest(locations=locations), IMAGES)
    held = {each.name: each.holds for each in (*imports, *containers_of(request("pytorch@1"), IMAGES))}
    assert held == {
        "fetch": ("source", "code", "requirements", "calibration", "data"),
        "inspect": (),
        "keep": ("store",),
        "stage": ("store",),
        "hop-1": (),
        "try": (),
        "judge": (),
        "publish": ("store",),
    }


def test_modules() -> None:
    modules = {each.name: each.module for each in containers_of(request("pytorch@1"), IMAGES)}
    assert {name for name, module in modules.items() if module == "modelport_server"} == {"try"}


def test_no_job_serves() -> None:
    with pytest.raises(TypeError, match="ServeRequest"):
        containers_of(ServeRequest(artifact_key="k", artifact_digest="d"), IMAGES)
