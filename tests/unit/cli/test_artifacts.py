"""Artifacts in folders: checked byte by byte, continued, and never written over what is not theirs."""

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.encoding import digest_of
from modelport.errors import ModelportError
from modelport.storage.manifests import ArtifactManifest, File, ReferenceFacts, artifact_folder
from modelport.storage.store import open_store
from modelport_cli.artifacts import check_artifact, save_artifact
from modelport_cli.errors import UsageError

FILES = {"model/model.onnx": b"weights" * 1000, "golden/0.npz": b"sample"}


@pytest.fixture
def stored(tmp_path):
    """A store with one artifact: the store, its folder on disk, and the artifact's digest."""
    manifest = ArtifactManifest(
        key="k",
        format="onnx",
        runtime="onnxruntime",
        source_digest=digest_of(b"source"),
        source_format="onnx",
        path=["onnx", "onnx"],
        signature=Signature(),
        reference=ReferenceFacts(digest=digest_of(b"answers"), samples=8, version=2),
        files=[File(path=path, size_bytes=len(data), digest=digest_of(data)) for path, data in FILES.items()],
    )
    content = msgspec.json.encode(manifest)
    store = open_store({"uri": f"file://{tmp_path}/store"})
    folder = artifact_folder("k", digest_of(content))
    for path, data in {**FILES, "manifest.json": content}.items():
        store.upload(f"{folder}/{path}", data)
    return store, tmp_path / "store" / folder, digest_of(content)


def pull(stored, folder):
    return save_artifact(stored[0], key="k", digest=stored[2], folder=folder)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def test_a_pulled_artifact_is_whole_and_checked(stored, tmp_path):
    pull(stored, tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    assert digest_of((tmp_path / "out" / "manifest.json").read_bytes()) == stored[2]
    assert check_artifact(tmp_path / "out").key == "k"


def test_a_second_call_goes_on_where_the_first_was_cut(stored, tmp_path):
    out = tmp_path / "out"
    pull(stored, out)
    kept = (out / "golden" / "0.npz").stat().st_mtime_ns
    (out / "manifest.json").unlink()
    (out / "model/model.onnx").rename(out / "model/model.onnx.part")
    (out / "model/model.onnx.part").write_bytes(b"half")
    pull(stored, out)
    assert contents(out) == FILES
    assert (out / "golden" / "0.npz").stat().st_mtime_ns == kept


def test_a_changed_file_in_the_store_is_refused_and_leaves_no_artifact(stored, tmp_path):
    (stored[1] / "model/model.onnx").write_bytes(b"other")
    with pytest.raises(ModelportError) as caught:
        pull(stored, tmp_path / "out")
    assert caught.value.reason is Reason.DIGEST_MISMATCH
    assert "model/model.onnx" not in contents(tmp_path / "out")
    with pytest.raises(UsageError, match="expected an artifact"):
        check_artifact(tmp_path / "out")


def test_a_changed_manifest_in_the_store_is_refused(stored, tmp_path):
    path = stored[1] / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"onnxruntime", b"onnxruntimf"))
    with pytest.raises(ModelportError, match="it was changed"):
        pull(stored, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_left_alone(stored, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        pull(stored, out)
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("path", FILES)
def test_a_changed_file_on_disk_is_refused(stored, tmp_path, path):
    pull(stored, tmp_path / "out")
    (tmp_path / "out" / path).write_bytes(b"x")
    with pytest.raises(ModelportError, match=path):
        check_artifact(tmp_path / "out")


def test_a_missing_folder_is_no_artifact(tmp_path):
    with pytest.raises(UsageError, match="expected an artifact"):
        check_artifact(tmp_path / "none")
