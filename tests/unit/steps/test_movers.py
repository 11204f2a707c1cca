"""The steps that move bytes, as pods run them: processes with volumes, a mounted Secret and a store on this machine."""

import io
import json
import os
import stat
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from modelport.contract import (
    MANIFEST,
    CodeRequest,
    ConvertRequest,
    ExitStatus,
    File,
    Hop,
    ImportRequest,
    LocationRequest,
    SourceManifest,
    digest_of,
    source_folder,
)
from modelport.files import list_tree
from modelport.reasons import Reason
from unit.steps.jobs import KEY, Pod, model_bytes, zip_bytes


@pytest.fixture
def pod(tmp_path):
    return Pod(tmp_path)


def import_of(uri, digest=None, code=None, data=None, **more):
    locations = [LocationRequest(role="source", uri=uri, digest=digest)]
    locations += [LocationRequest(role=role, uri=each) for role, each in (("code", code), ("data", data)) if each]
    return ImportRequest(locations=locations, **more)


IMPORT = ("fetch", "inspect", "keep")
DONE = [ExitStatus.DONE] * 3


def kept(pod, digest):
    folder = source_folder(digest)
    manifest = msgspec.json.decode(pod.store.read(f"{folder}/{MANIFEST}"), type=SourceManifest)
    return manifest, {file.path: pod.store.read(f"{folder}/files/{file.path}") for file in manifest.files}


def test_one_file_is_imported_and_its_facts_are_told(pod):
    content = model_bytes()
    uri = pod.source("a net.onnx", content)
    statuses, result, logs = pod.run(*IMPORT, request=import_of(uri, digest_of(content)))
    assert statuses == DONE, logs
    assert result.source.digest == digest_of(content)
    assert (result.source.format, result.source.size_bytes) == ("onnx", len(content))
    assert [tensor.name for tensor in result.source.signature.inputs] == ["x"]
    manifest, files = kept(pod, digest_of(content))
    assert files == {"a net.onnx": content}
    assert (manifest.format, manifest.signature) == ("onnx", result.source.signature)


def test_a_model_is_not_copied_by_inspect(pod):
    pod.run(*IMPORT, request=import_of(pod.source("net.onnx", model_bytes())))
    assert list_tree(pod.work / "inspect" / "out") == ["inspected.json"]


def test_archive_and_code_are_unpacked_and_keep_the_archives_digests(pod):
    model, code = model_bytes(), {"net/__init__.py": b"", "net/model.py": b"x = 1\n"}
    archive, wheel = zip_bytes({"deep/net.onnx": model}), zip_bytes(code)
    request = import_of(pod.source("net.zip", archive), digest_of(archive), pod.source("net.whl", wheel))
    statuses, result, logs = pod.run(*IMPORT, request=request)
    assert statuses == DONE, logs
    assert (result.source.digest, result.source.code_digest) == (digest_of(archive), digest_of(wheel))
    assert kept(pod, digest_of(archive))[1] == {"deep/net.onnx": model}
    manifest, files = kept(pod, digest_of(wheel))
    assert files == code
    assert manifest.format is None


def samples_bytes(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_samples_are_kept_beside_the_source_and_an_npz_stays_whole(pod):
    data = samples_bytes(x=np.ones((2, 4), np.float32))
    request = import_of(pod.source("net.onnx", model_bytes()), data=pod.source("samples.npz", data))
    statuses, result, logs = pod.run(*IMPORT, request=request)
    assert statuses == DONE, logs
    assert (result.source.data_digest, result.source.code_digest) == (digest_of(data), None)
    manifest, files = kept(pod, digest_of(data))
    assert (files, manifest.format, manifest.signature) == ({"samples.npz": data}, None, None)


def test_an_archive_of_samples_is_unpacked(pod):
    data = zip_bytes({"x.npy": b"one", "y.npy": b"two"})
    request = import_of(pod.source("net.onnx", model_bytes()), data=pod.source("samples.zip", data))
    assert pod.run(*IMPORT, request=request)[0] == DONE
    assert kept(pod, digest_of(data))[1] == {"x.npy": b"one", "y.npy": b"two"}


def test_samples_of_another_digest_are_told_by_their_field(pod):
    request = import_of(pod.source("net.onnx", model_bytes()))
    wrong = LocationRequest(role="data", uri=pod.source("samples.npz", b"x"), digest="sha256:" + "0" * 64)
    request = msgspec.structs.replace(request, locations=[*request.locations, wrong])
    failure = pod.run("fetch", request=request)[1].failure
    assert failure.reason == Reason.DIGEST_MISMATCH
    assert failure.message.startswith("spec.verification.data.digest: expected sha256:0")


def test_a_prefix_is_imported_under_the_digest_of_its_files(pod):
    pod.source("net/net.onnx", model_bytes())
    pod.source("net/labels.txt", b"cat\n")
    statuses, result, logs = pod.run(*IMPORT, request=import_of(f"file://{pod.sources}/net/"))
    assert statuses == DONE, logs
    assert set(kept(pod, result.source.digest)[1]) == {"net.onnx", "labels.txt"}


def test_importing_again_changes_nothing(pod, tmp_path):
    request = import_of(pod.source("net.onnx", model_bytes()))
    _, first, _ = pod.run(*IMPORT, request=request)
    before = {path: (tmp_path / "store" / path).stat().st_mtime_ns for path in list_tree(tmp_path / "store")}
    pod.work = tmp_path / "work again"
    statuses, second, logs = pod.run(*IMPORT, request=request)
    assert (statuses, second) == (DONE, first)
    assert "already" in logs["keep"]
    assert before == {path: (tmp_path / "store" / path).stat().st_mtime_ns for path in list_tree(tmp_path / "store")}


@pytest.mark.parametrize(
    "case",
    [
        ("net.onnx", model_bytes(), "sha256:" + "0" * 64, "fetch", Reason.DIGEST_MISMATCH),
        ("net.onnx", b"a text", None, "inspect", Reason.UNKNOWN_FORMAT),
        ("net.onnx", model_bytes()[:-20], None, "inspect", Reason.SOURCE_CORRUPT),
        ("net.zip", zip_bytes({"../net.onnx": model_bytes()}), None, "inspect", Reason.UNSAFE_SOURCE),
        (
            "net.zip",
            zip_bytes({"a.onnx": model_bytes(), "b.pt": b"PK\x03\x04"}),
            None,
            "inspect",
            Reason.UNKNOWN_FORMAT,
        ),
        ("net.zip", zip_bytes({}), None, "inspect", Reason.UNKNOWN_FORMAT),
    ],
)
def test_what_cannot_be_imported_is_told_by_its_step_and_nothing_is_kept(pod, case):
    name, content, digest, failing, reason = case
    statuses, result, _ = pod.run(*IMPORT, request=import_of(pod.source(name, content), digest))
    at = IMPORT.index(failing)
    assert statuses == [ExitStatus.DONE] * at + [ExitStatus.INVALID] + [ExitStatus.SKIPPED] * (2 - at)
    assert pod.result(failing).failure.reason == reason
    assert result is None
    assert pod.store.list() == []


def test_keep_publishes_no_secret_through_a_link_that_inspect_planted(pod):
    request = import_of(pod.source("net.zip", zip_bytes({"net.onnx": model_bytes()})))
    assert pod.run("fetch", "inspect", request=request)[0] == DONE[:2]
    planted = pod.work / "inspect" / "out" / "source" / "net.onnx"
    planted.unlink()
    planted.symlink_to(pod.credentials / "store" / "uri")
    statuses, result, _ = pod.run("keep", request=request)
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.UNSAFE_SOURCE)
    assert pod.store.list() == []


def inspected_anew(pod, request, change):
    """Run fetch and inspect, change what inspect left, and run keep."""
    assert pod.run("fetch", "inspect", request=request)[0] == DONE[:2]
    facts = pod.work / "inspect" / "out" / "inspected.json"
    inspected = json.loads(facts.read_text())
    change(inspected)
    facts.write_text(json.dumps(inspected))
    return pod.run("keep", request=request)[:2]


def test_keep_reads_nothing_outside_that_inspect_named(pod):
    def change(inspected):
        inspected[0]["manifest"]["files"][0]["path"] = "../../../../credentials/store/uri"

    request = import_of(pod.source("net.zip", zip_bytes({"net.onnx": model_bytes()})))
    statuses, result = inspected_anew(pod, request, change)
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.UNSAFE_SOURCE)
    assert pod.store.list() == []


def test_keep_takes_no_folder_for_a_role(pod):
    def change(inspected):
        manifest = {"digest": "sha256:" + "0" * 64, "files": [{"path": "uri", "sizeBytes": 1, "digest": "sha256:0"}]}
        role = str(pod.credentials / "store")
        inspected.append({"role": role, "isUnpacked": True, "manifest": manifest})

    statuses, result = inspected_anew(pod, import_of(pod.source("net.onnx", model_bytes())), change)
    assert (statuses, result.failure) == (DONE[:1], None)
    assert not [path for path, _ in pod.store.list() if path.endswith("uri")]


def test_digests_and_files_that_are_no_archive_are_those_of_fetch_whatever_inspect_says(pod):
    def change(inspected):
        inspected[0]["manifest"] |= {"digest": digest_of(b"another source"), "files": []}

    statuses, result = inspected_anew(pod, import_of(pod.source("net.onnx", model_bytes())), change)
    assert (statuses, result.source.digest) == (DONE[:1], digest_of(model_bytes()))
    assert list(kept(pod, digest_of(model_bytes()))[1]) == ["net.onnx"]
    assert not pod.store.exists(f"sources/{digest_of(b'another source').removeprefix('sha256:')}/manifest.json")


@pytest.mark.parametrize("left", [b"[" * 100_000, b'[{"x":' + b"[" * 100_000, b"{}", b"[]", b"\xff"])
def test_facts_that_inspect_did_not_write_are_told_and_not_tried_again(pod, left):
    request = import_of(pod.source("net.onnx", model_bytes()))
    assert pod.run("fetch", "inspect", request=request)[0] == DONE[:2]
    (pod.work / "inspect" / "out" / "inspected.json").write_bytes(left)
    statuses, result, _ = pod.run("keep", request=request)
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.SOURCE_CORRUPT)


# --- stage ----------------------------------------------------------------------------------------------------------


def imported(pod):
    """Import a model, code and samples; return the request to convert them."""
    model, wheel, data = model_bytes(), zip_bytes({"net.py": b"x = 1\n"}), samples_bytes(x=np.ones(4))
    uris = [pod.source(name, content) for name, content in (("net.onnx", model), ("net.whl", wheel), ("s.npz", data))]
    pod.run(*IMPORT, request=import_of(uris[0], None, *uris[1:]))
    return ConvertRequest(
        artifact_key=KEY,
        verification_key="b" * 32,
        source_digest=digest_of(model),
        source_format="onnx",
        target_format="onnx",
        hops=[Hop(converter="onnx-to-onnx", source="onnx", target="onnx", image="converter-onnx")],
        code=CodeRequest(digest=digest_of(wheel), factory="net:build"),
        data_digest=digest_of(data),
    )


def test_stage_brings_what_was_kept(pod):
    statuses, _, logs = pod.run("stage", request=imported(pod))
    assert statuses == [ExitStatus.DONE], logs
    assert list_tree(pod.work / "stage" / "out") == ["code/net.py", "data/s.npz", "source/net.onnx"]
    assert (pod.work / "stage" / "out" / "source" / "net.onnx").read_bytes() == model_bytes()


def test_stage_takes_no_file_that_was_changed_in_the_store(pod):
    request = imported(pod)
    pod.store.upload(f"{source_folder(request.source_digest)}/files/net.onnx", b"changed")
    statuses, result, _ = pod.run("stage", request=request)
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.DIGEST_MISMATCH)


def test_stage_follows_no_manifest_out_of_its_folder(pod):
    request = imported(pod)
    folder = source_folder(request.source_digest)
    file = File(path="../../../out", size_bytes=1, digest=digest_of(b"x"))
    manifest = SourceManifest(digest=request.source_digest, files=[file])
    pod.store.upload(f"{folder}/{MANIFEST}", msgspec.json.encode(manifest))
    assert pod.run("stage", request=request)[1].failure.reason == Reason.UNSAFE_SOURCE


def test_stage_tries_again_when_the_store_is_empty_or_away(pod):
    request = imported(pod)
    (pod.credentials / "store" / "uri").write_text(pod.store_uri + "-other")
    assert pod.run("stage", request=request)[0] == [ExitStatus.RETRY]


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["fetching", "hop-0", "hop-", "hop-1x", "verify"])
def test_a_step_that_does_not_exist_is_told(pod, step):
    process = pod.start(step, import_of("s3://bucket/key"))
    _, log = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "expected one of fetch, inspect, keep, stage, ask, judge, publish, hop-1" in log


def test_steps_that_move_bytes_load_no_framework(pod):
    code = (
        "import sys, modelport_converter.__main__ as m; [m._module(n) for n in ('fetch', 'keep', 'stage', 'publish')]"
    )
    heavy = "print([n for n in ('numpy', 'onnx', 'torch', 'onnxruntime', 'ssl', 'asyncio') if n in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}; {heavy}"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout.strip() == "[]"


def test_what_steps_write_can_be_read_by_later_ones_and_written_by_none(pod):
    pod.run(*IMPORT, request=import_of(pod.source("net.onnx", model_bytes())))
    for path in list_tree(pod.work):
        mode = (pod.work / path).stat().st_mode
        assert mode & stat.S_IROTH
        assert not mode & stat.S_IWOTH
