"""Step stage, as a pod runs it: what was kept comes back, unpacked, and nothing that was changed in the store."""

import shutil

import msgspec
import numpy as np
import pytest

from modelport.api.reasons import Reason
from modelport.encoding import digest_of
from modelport.jobs.environment import ExitStatus
from modelport.jobs.requests import CodeRequest, ConvertRequest, Hop
from modelport.storage.files import list_tree
from modelport.storage.manifests import MANIFEST, File, SourceManifest, source_folder
from unit.steps.jobs import CODE, IMPORT, KEY, Pod, import_of, model_bytes, samples_bytes, tar_bytes, zip_bytes

TAR = tar_bytes({"deep/net.onnx": model_bytes(), "labels.txt": b"cat\n"})
OTHER = b"another source"
DATA = samples_bytes(x=np.ones(4))
REQUEST = ConvertRequest(
    artifact_key=KEY,
    verification_key="b" * 32,
    digests={"source": digest_of(TAR), "code": digest_of(CODE), "data": digest_of(DATA)},
    source_format="onnx",
    target_format="onnx",
    hops=[Hop(converter="onnx-to-onnx", source="onnx", target="onnx", image="converter-onnx")],
    code=CodeRequest(factory="net:build"),
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Import a model in an archive, code and samples; return the folder of the store."""
    folder = tmp_path_factory.mktemp("imported")
    pod = Pod(folder)
    files = (("net.tar.gz", TAR), ("net.whl", CODE), ("s.npz", DATA))
    source, *others = [pod.source(name, content) for name, content in files]
    statuses, _, logs = pod.run(*IMPORT, request=import_of(source, None, *others))
    assert statuses == [ExitStatus.DONE] * 3, logs
    return folder / "store"


@pytest.fixture
def pod(tmp_path, imported):
    """Return a pod whose store is a copy of the one that was imported into."""
    shutil.copytree(imported, tmp_path / "store")
    return Pod(tmp_path)


def test_stage_brings_what_was_kept_and_unpacks_archives(pod):
    statuses, _, logs = pod.run("stage", request=REQUEST)
    assert statuses == [ExitStatus.DONE], logs
    staged = pod.work / "stage" / "out"
    assert list_tree(staged) == ["code/net.py", "data/s.npz", "source/deep/net.onnx", "source/labels.txt"]
    assert (staged / "source" / "deep" / "net.onnx").read_bytes() == model_bytes()
    assert sorted(path.name for path in staged.iterdir()) == ["code", "data", "source"]  # no archive takes up room


def test_stage_calls_files_as_the_spec_does_and_not_as_they_first_came(pod):
    names = {"source": "net.tgz", "code": "packed.py", "data": "s.zip"}
    assert pod.run("stage", request=msgspec.structs.replace(REQUEST, names=names))[0] == [ExitStatus.DONE]
    staged = pod.work / "stage" / "out"
    assert list_tree(staged) == ["code/packed.py", "data/x.npy", "source/deep/net.onnx", "source/labels.txt"]


def test_stage_brings_what_lay_below_a_prefix_and_unpacks_none_of_it(pod):
    pod.source("net/net.onnx", model_bytes())
    pod.source("net/more.zip", CODE)
    _, result, _ = pod.run(*IMPORT, request=import_of(f"file://{pod.sources}/net/"))
    request = msgspec.structs.replace(REQUEST, digests=result.source.digests)
    assert pod.run("stage", request=request)[0] == [ExitStatus.DONE]
    assert list_tree(pod.work / "stage" / "out" / "source") == ["more.zip", "net.onnx"]


def test_stage_lays_out_wheels_as_they_are_imported(pod):
    wheel = zip_bytes(
        {"needed/__init__.py": b"", "needed-1.0.data/purelib/more.py": b"", "needed-1.0.data/scripts/x": b""}
    )
    pod.source("net.onnx", model_bytes())
    located = [pod.source("wheels/needed-1.0-py3-none-any.whl", wheel), pod.sources.joinpath("wheels").as_uri() + "/"]
    for uri in located:
        request = import_of(f"file://{pod.sources}/net.onnx", requirements=uri)
        statuses, result, logs = pod.run(*IMPORT, request=request)
        assert statuses == [ExitStatus.DONE] * 3, logs
        names = {} if uri.endswith("/") else {"requirements": "needed-1.0-py3-none-any.whl"}
        request = msgspec.structs.replace(REQUEST, digests=result.source.digests, names=names)
        assert pod.run("stage", request=request)[0] == [ExitStatus.DONE]
        staged = pod.work / "stage" / "out"
        assert list_tree(staged / "requirements") == ["more.py", "needed/__init__.py"]
        assert sorted(path.name for path in staged.iterdir()) == ["requirements", "source"]
        for step in (*IMPORT, "stage"):
            shutil.rmtree(pod.work / step)


def test_import_ends_with_a_wheel_for_another_python(pod):
    pod.source("net.onnx", model_bytes())
    wheel = pod.source("needed-1.0-cp27-cp27m-win32.whl", zip_bytes({"needed.py": b""}))
    _, _, logs = pod.run(*IMPORT, request=import_of(f"file://{pod.sources}/net.onnx", requirements=wheel))
    failure = pod.result("inspect").failure
    assert failure.reason == Reason.INVALID_SPEC, logs
    assert "needed-1.0-cp27-cp27m-win32.whl is for cp27-cp27m-win32; the image has Python 3." in failure.message


def test_stage_unpacks_where_there_is_no_network(pod):
    """It holds the store's credentials while it reads what a stranger packed."""
    script = (
        "import socket, runpy, sys; from modelport.storage import archives; "
        "archives.unpack = lambda archive, target: socket.socket(); "
        "sys.argv = ['modelport_converter', 'stage']; runpy.run_module('modelport_converter', run_name='__main__')"
    )
    process = pod.start("stage", REQUEST, command=["-c", script])
    log = process.communicate(timeout=120)[1]
    assert "Permission denied" in log
    assert process.returncode != ExitStatus.DONE


@pytest.mark.parametrize("is_digest_kept", [True, False], ids=["same claim", "another claim"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_stage_takes_no_manifest_that_was_changed_in_the_store(pod, count, is_digest_kept):
    folder = source_folder(REQUEST.digests["source"])
    files = [File(path=f"{index}.onnx", size_bytes=len(OTHER), digest=digest_of(OTHER)) for index in range(count)]
    for file in files:
        pod.store.upload(f"{folder}/files/{file.path}", OTHER)
    manifest = SourceManifest(digest=REQUEST.digests["source"] if is_digest_kept else digest_of(OTHER), files=files)
    pod.store.upload(f"{folder}/{MANIFEST}", msgspec.json.encode(manifest))
    statuses, result, _ = pod.run("stage", request=REQUEST)
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.DIGEST_MISMATCH)
    assert REQUEST.digests["source"].removeprefix("sha256:") in result.failure.message


def test_stage_takes_no_manifest_that_is_none(pod):
    pod.store.upload(f"{source_folder(REQUEST.digests['source'])}/{MANIFEST}", b"[" * 100_000)
    assert pod.run("stage", request=REQUEST)[1].failure.reason == Reason.DIGEST_MISMATCH


def test_stage_takes_no_file_that_was_changed_in_the_store(pod):
    pod.store.upload(f"{source_folder(REQUEST.digests['source'])}/files/net.tar.gz", b"changed")
    statuses, result, _ = pod.run("stage", request=REQUEST)
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.DIGEST_MISMATCH)


def test_stage_follows_no_manifest_out_of_its_folder(pod):
    folder = source_folder(REQUEST.digests["source"])
    file = File(path="../../../out", size_bytes=1, digest=REQUEST.digests["source"])
    manifest = SourceManifest(digest=REQUEST.digests["source"], files=[file])
    pod.store.upload(f"{folder}/{MANIFEST}", msgspec.json.encode(manifest))
    assert pod.run("stage", request=REQUEST)[1].failure.reason == Reason.UNSAFE_SOURCE


def test_stage_tries_again_when_the_store_is_empty_or_away(pod):
    (pod.credentials / "store" / "uri").write_text(pod.store_uri + "-other")
    assert pod.run("stage", request=REQUEST)[0] == [ExitStatus.RETRY]
