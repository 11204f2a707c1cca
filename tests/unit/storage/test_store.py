"""The store on a local folder, and sources: what comes in is what is kept, checked on the way out."""

import io
from pathlib import Path

import pytest

from modelport.api.reasons import Reason
from modelport.encoding import digest_of
from modelport.errors import ModelportError
from modelport.storage.locations import bring
from modelport.storage.manifests import File
from modelport.storage.store import open_store, read_credentials


@pytest.fixture
def store(tmp_path: Path):
    return open_store({"uri": f"file://{tmp_path}/store"})


def test_what_is_uploaded_comes_back(store, tmp_path: Path) -> None:
    store.upload("a/b", io.BufferedReader(io.BytesIO(b"content")))
    assert store.exists("a/b")
    assert store.read("a/b") == b"content"
    assert store.download("a/b", tmp_path / "copy").size_bytes == 7
    assert store.list("a") == [("a/b", 7)]
    assert not store.exists("a/c")


def test_the_first_writer_wins(store) -> None:
    assert store.claim("manifest.json", b"1") == b"1"
    assert store.claim("manifest.json", b"2") == b"1"


def test_a_changed_file_is_refused(store, tmp_path: Path) -> None:
    store.upload("folder/model", b"changed")
    with pytest.raises(ModelportError, match="expected sha256:0000") as caught:
        store.fetch("folder", File(path="model", size_bytes=1, digest="sha256:" + "0" * 64), tmp_path / "copy")
    assert caught.value.reason is Reason.DIGEST_MISMATCH


def test_of_an_object_that_grew_no_more_is_fetched_than_tells(store, tmp_path: Path) -> None:
    store.upload("folder/model", bytes(60 << 20))
    with pytest.raises(ModelportError, match="it was changed"):
        store.fetch("folder", File(path="model", size_bytes=1, digest=digest_of(b"x")), tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size < 20 << 20


@pytest.mark.parametrize("size", [0, 1, 8 << 20, (20 << 20) + 1])
def test_a_file_is_stored_if_it_is_the_expected_one_to_its_last_byte(store, tmp_path: Path, size: int) -> None:
    path = tmp_path / "model"
    path.write_bytes(bytes(size))
    expected = File(path="model", size_bytes=size, digest=digest_of(bytes(size)))
    with path.open("rb") as file:
        store.upload_checked("a/model", expected, file)
    assert store.download("a/model", tmp_path / "copy").digest == expected.digest
    others = [bytes(size + 1), bytes(size)[:-1] + b"\1"] if size else [b"\0"]
    for other in others:
        path.write_bytes(other)
        with path.open("rb") as file, pytest.raises(ModelportError, match=f"expected {expected.digest}") as caught:
            store.upload_checked("b/model", expected, file)
        assert caught.value.reason is Reason.DIGEST_MISMATCH
    assert store.list() == [("a/model", size)]


def test_a_file_that_changes_while_it_is_sent_is_not_stored(store, tmp_path: Path) -> None:
    path, content = tmp_path / "model", b"0" * (20 << 20)
    path.write_bytes(content)

    class Changing(io.BufferedReader):
        def read(self, size: int | None = -1) -> bytes:
            with path.open("r+b") as writer:  # what its writer, which still lives, does behind the first chunk
                writer.seek(15 << 20)
                writer.write(b"1")
            return super().read(size)

    with Changing(path.open("rb", buffering=0)) as file, pytest.raises(ModelportError):
        store.upload_checked("model", File(path="model", size_bytes=len(content), digest=digest_of(content)), file)
    assert store.list() == []


def test_a_missing_object_is_told_by_name(store) -> None:
    with pytest.raises(ModelportError, match=r"manifest\.json: expected an object, found none"):
        store.read("manifest.json")


def test_a_store_without_uri_is_not_configured() -> None:
    with pytest.raises(ModelportError, match="expected the key uri") as caught:
        open_store({})
    assert caught.value.reason is Reason.STORE_NOT_CONFIGURED


def test_a_store_that_does_not_answer_is_unavailable_and_names_no_secret() -> None:
    secret = {"uri": "s3://bucket", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_SECRET_ACCESS_KEY": "hunter2"}
    with pytest.raises(ModelportError) as caught:
        open_store({**secret, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}).read("x")
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert "hunter2" not in caught.value.message
    assert "AKIDEXAMPLE" not in caught.value.message


def test_credentials_are_a_mounted_secret(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "uri").write_text("s3://bucket\n")
    assert read_credentials(tmp_path) == {"uri": "s3://bucket"}
    assert read_credentials(tmp_path / "absent") == {}


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPORT_ALLOW_FILE", "1")


def test_a_local_file_is_brought(allowed: None, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"m")
    digest, files = bring(f"file://{tmp_path}/model.onnx", {}, tmp_path / "out")
    assert digest == files[0].digest
    assert [file.path for file in files] == ["model.onnx"]


def test_a_folder_is_brought_with_the_digest_of_its_list(allowed: None, tmp_path: Path) -> None:
    (tmp_path / "code/net").mkdir(parents=True)
    (tmp_path / "code/net/model.py").write_bytes(b"x")
    digest, files = bring(f"file://{tmp_path}/code/", {}, tmp_path / "out")
    assert [file.path for file in files] == ["net/model.py"]
    assert digest != files[0].digest


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("ftp://host/x", Reason.INVALID_SPEC),
        ("https://host/x?signature=secret", Reason.INVALID_SPEC),
        ("https://no-such-host.invalid/x", Reason.SOURCE_UNREACHABLE),
        ("http://169.254.169.254/latest/meta-data/x", Reason.SOURCE_ACCESS_DENIED),
        ("http://127.0.0.1:1/x", Reason.SOURCE_UNREACHABLE),
    ],
)
def test_what_cannot_be_brought_has_its_reason(tmp_path: Path, uri: str, reason: Reason) -> None:
    with pytest.raises(ModelportError) as caught:
        bring(uri, {}, tmp_path / "out")
    assert caught.value.reason is reason
    assert "secret" not in caught.value.message or reason is Reason.INVALID_SPEC


def test_local_files_are_for_local_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELPORT_ALLOW_FILE", raising=False)
    with pytest.raises(ModelportError, match="a cluster needs"):
        bring(f"file://{tmp_path}/x", {}, tmp_path / "out")
