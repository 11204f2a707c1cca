"""The steps that move bytes, as pods run them: processes with volumes, a mounted Secret and a store on this machine."""

import json
import os
import stat
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from modelport.api.reasons import Reason
from modelport.encoding import digest_of
from modelport.jobs.environment import ExitStatus
from modelport.jobs.requests import LocationRequest
from modelport.storage.files import list_tree
from modelport.storage.manifests import MANIFEST, SourceManifest, source_folder
from unit.steps.jobs import CODE, IMPORT, Pod, import_of, model_bytes, samples_bytes, zip_bytes

pytestmark = pytest.mark.processes


@pytest.fixture
def pod(tmp_path):
    return Pod(tmp_path)


DONE = [ExitStatus.DONE] * 3


def kept(pod, digest):
    folder = source_folder(digest)
    manifest = msgspec.json.decode(pod.store.read(f"{folder}/{MANIFEST}"), type=SourceManifest)
    return {file.path: pod.store.read(f"{folder}/files/{file.path}") for file in manifest.files}


def test_one_file_is_imported_and_its_facts_are_told(pod):
    content = model_bytes()
    uri = pod.source("a net.onnx", content)
    statuses, result, logs = pod.run(*IMPORT, request=import_of(uri, digest_of(content)))
    assert statuses == DONE, logs
    assert result.source.digests["source"] == digest_of(content)
    assert (result.source.format, result.source.size_bytes) == ("onnx", len(content))
    assert [tensor.name for tensor in result.source.signature.inputs] == ["x"]
    assert kept(pod, digest_of(content)) == {"a net.onnx": content}


def test_a_model_is_not_copied_by_inspect(pod):
    pod.run(*IMPORT, request=import_of(pod.source("net.onnx", model_bytes())))
    assert list_tree(pod.work / "inspect" / "out") == ["inspected.json"]


def test_archives_are_kept_as_they_are_under_their_digests(pod):
    archive, wheel = zip_bytes({"deep/net.onnx": model_bytes()}), zip_bytes({"net/model.py": b"x = 1\n"})
    request = import_of(pod.source("net.zip", archive), digest_of(archive), pod.source("net.whl", wheel))
    statuses, result, logs = pod.run(*IMPORT, request=request)
    assert statuses == DONE, logs
    assert (result.source.digests["source"], result.source.digests.get("code")) == (
        digest_of(archive),
        digest_of(wheel),
    )
    assert (result.source.format, result.source.size_bytes) == ("onnx", len(archive))
    assert kept(pod, digest_of(archive)) == {"net.zip": archive}
    assert kept(pod, digest_of(wheel)) == {"net.whl": wheel}


def test_samples_are_kept_beside_the_source_and_an_npz_stays_whole(pod):
    data = samples_bytes(x=np.ones((2, 4), np.float32))
    request = import_of(pod.source("net.onnx", model_bytes()), data=pod.source("samples.npz", data))
    statuses, result, logs = pod.run(*IMPORT, request=request)
    assert statuses == DONE, logs
    assert result.source.digests == {"source": digest_of(model_bytes()), "data": digest_of(data)}
    assert kept(pod, digest_of(data)) == {"samples.npz": data}


def test_samples_of_another_digest_are_told_by_their_field(pod):
    request = import_of(pod.source("net.onnx", model_bytes()))
    wrong = LocationRequest(uri=pod.source("samples.npz", b"x"), digest="sha256:" + "0" * 64)
    request = msgspec.structs.replace(request, locations={**request.locations, "data": wrong})
    failure = pod.run("fetch", request=request)[1].failure
    assert failure.reason == Reason.DIGEST_MISMATCH
    assert failure.message.startswith("spec.verification.data.digest: expected sha256:0")


def test_a_prefix_is_imported_under_the_digest_of_its_files(pod):
    pod.source("net/net.onnx", model_bytes())
    pod.source("net/labels.txt", b"cat\n")
    statuses, result, logs = pod.run(*IMPORT, request=import_of(f"file://{pod.sources}/net/"))
    assert statuses == DONE, logs
    assert set(kept(pod, result.source.digests["source"])) == {"net.onnx", "labels.txt"}


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
        ("net.bin", b"GGUF\x03", None, "inspect", Reason.UNSUPPORTED_FORMAT),
        ("net.zip", zip_bytes({"net.mlpackage/model.mlmodel": b""}), None, "inspect", Reason.UNSUPPORTED_FORMAT),
        ("net.onnx", model_bytes()[:-20], None, "inspect", Reason.SOURCE_CORRUPT),
        ("net.zip", zip_bytes({"../net.onnx": model_bytes()}), None, "inspect", Reason.UNSAFE_SOURCE),
        (
            "net.zip",
            zip_bytes({"a.onnx": model_bytes(), "b.pt": zip_bytes({"best/data.pkl": b"", "best/version": b"3"})}),
            None,
            "inspect",
            Reason.AMBIGUOUS_FORMAT,
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


@pytest.mark.parametrize("trusted", [True, False])
def test_a_model_with_code_is_kept_if_it_is_trusted(pod, trusted):
    layer = {"class_name": "Lambda", "config": {"name": "scale"}}
    files = {"config.json": json.dumps(layer), "metadata.json": "{}", "model.weights.h5": b""}
    request = msgspec.structs.replace(import_of(pod.source("net.keras", zip_bytes(files))), trusted=trusted)
    statuses, result, _ = pod.run(*IMPORT, request=request)
    if trusted:
        assert (statuses, result.source.format) == (DONE, "keras")
    else:
        failure = pod.result("inspect").failure
        assert failure.reason == Reason.UNTRUSTED_SOURCE
        assert "layer scale" in failure.message


SOURCE, OTHER = zip_bytes({"net.onnx": model_bytes()}), b"another source"


def test_keep_publishes_no_secret_through_a_link_among_the_files(pod):
    request = import_of(pod.source("net.onnx", model_bytes()))
    assert pod.run("fetch", "inspect", request=request)[0] == DONE[:2]
    planted = pod.work / "fetch" / "out" / "source" / "net.onnx"
    planted.unlink()
    planted.symlink_to(pod.credentials / "store" / "uri")
    statuses, result, _ = pod.run("keep", request=request)
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.UNSAFE_SOURCE)
    assert pod.store.list() == []


def test_keep_stores_nothing_under_a_digest_but_what_fetch_digested(pod):
    request = import_of(pod.source("net.onnx", model_bytes()))
    assert pod.run("fetch", "inspect", request=request)[0] == DONE[:2]
    (pod.work / "fetch" / "out" / "source" / "net.onnx").write_bytes(OTHER)
    statuses, result, _ = pod.run("keep", request=request)
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.DIGEST_MISMATCH)
    assert pod.store.list() == []


def exploited(pod, request, **changes):
    """Run fetch and inspect, have inspect leave what an exploited parser would, and run keep."""
    assert pod.run("fetch", "inspect", request=request)[0] == DONE[:2]
    out = pod.work / "inspect" / "out"
    for path in list_tree(out):
        (out / path).write_bytes(OTHER)
    lie = {"digest": digest_of(OTHER), "files": [{"path": "net.py", "sizeBytes": 14, "digest": digest_of(OTHER)}]}
    roles = [{"role": role, "isUnpacked": True, "manifest": lie} for role in ("source", "code")]
    (out / "inspected.json").write_text(json.dumps({"format": "onnx", "signature": None, "roles": roles} | changes))
    return pod.run("keep", request=request)[:2]


def test_an_exploited_parser_changes_nothing_that_is_kept(pod):
    request = import_of(pod.source("net.zip", SOURCE), code=pod.source("net.whl", CODE))
    statuses, result = exploited(pod, request)
    assert (statuses, result.failure) == (DONE[:1], None)
    assert (result.source.digests["source"], result.source.digests["code"]) == (digest_of(SOURCE), digest_of(CODE))
    assert (kept(pod, digest_of(SOURCE)), kept(pod, digest_of(CODE))) == ({"net.zip": SOURCE}, {"net.whl": CODE})
    assert len(pod.store.list()) == 4  # two files, two manifests


@pytest.mark.parametrize(("stated", "told"), [("onnx", "pytorch-state-dict"), (None, "no such format")])
def test_keep_takes_no_format_that_was_not_asked_for_or_is_none(pod, stated, told):
    request = import_of(pod.source("net.onnx", model_bytes()), format=stated)
    statuses, result = exploited(pod, request, format=told)
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.SOURCE_CORRUPT)
    assert pod.store.list() == []


@pytest.mark.parametrize(
    "planted",
    [
        msgspec.json.encode(SourceManifest(digest=digest_of(model_bytes()), files=[])),
        msgspec.json.encode(SourceManifest(digest=digest_of(OTHER), files=[])),
        json.dumps({"digest": digest_of(model_bytes()), "files": [], "of": "another version"}).encode(),
        b"",
    ],
    ids=["no files", "another digest", "other fields", "empty"],
)
def test_keep_mends_what_is_not_what_its_digest_is_of(pod, planted):
    folder = source_folder(digest_of(model_bytes()))
    pod.store.upload(f"{folder}/{MANIFEST}", planted)
    pod.store.upload(f"{folder}/files/net.onnx", OTHER)
    statuses, result, logs = pod.run(*IMPORT, request=import_of(pod.source("net.onnx", model_bytes())))
    assert (statuses, result.failure) == (DONE, None), logs
    assert kept(pod, digest_of(model_bytes())) == {"net.onnx": model_bytes()}


@pytest.mark.parametrize("left", [b"[" * 100_000, b'[{"x":' + b"[" * 100_000, b"{}", b"[]", b"\xff"])
def test_facts_that_inspect_did_not_write_are_told_and_not_tried_again(pod, left):
    request = import_of(pod.source("net.onnx", model_bytes()))
    assert pod.run("fetch", "inspect", request=request)[0] == DONE[:2]
    (pod.work / "inspect" / "out" / "inspected.json").write_bytes(left)
    statuses, result, _ = pod.run("keep", request=request)
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.SOURCE_CORRUPT)


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
