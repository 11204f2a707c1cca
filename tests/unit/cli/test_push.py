"""Uploads: their names and digests, and that fetch computes the same digest from what was uploaded."""

from hashlib import sha256

import msgspec
import pytest

from modelport.storage.locations import bring
from modelport_cli.errors import UsageError
from modelport_cli.uploads import describe_upload

from .test_calling import modelport

pytestmark = pytest.mark.processes


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "net"
    (folder / "data").mkdir(parents=True)
    (folder / "net.onnx").write_bytes(b"graph")
    (folder / "data" / "weights").write_bytes(b"weights")
    return folder


def location(store, *arguments):
    ended = modelport("push", "--store", f"file://{store}", "--json", *arguments)
    assert ended.returncode == 0, ended.stderr
    return msgspec.json.decode(ended.stdout)


@pytest.mark.parametrize(
    ("paths", "end"),
    [(["net/net.onnx"], "/net.onnx"), (["net"], "/net/"), (["net/net.onnx", "net/data/weights"], "/files/")],
)
def test_what_was_pushed_is_what_fetch_finds(tmp_path, model, monkeypatch, paths, end):
    pushed = location(tmp_path / "store", *(model.parent / path for path in paths))
    assert pushed["uri"].startswith(f"file://{tmp_path}/store/uploads/{pushed['digest'].removeprefix('sha256:')}/")
    assert pushed["uri"].endswith(end)
    monkeypatch.setenv("MODELPORT_ALLOW_FILE", "1")
    assert bring(pushed["uri"], {}, tmp_path / "fetched")[0] == pushed["digest"]


def test_the_digest_of_a_file_is_its_sha256(tmp_path, model):
    pushed = location(tmp_path / "store", model / "net.onnx", "--name", "best.onnx")
    assert pushed["digest"] == "sha256:" + sha256(b"graph").hexdigest()
    assert pushed["uri"].endswith("/best.onnx")


def test_what_is_there_is_not_sent_again(tmp_path, model):
    first = location(tmp_path / "store", model)
    stored = next((tmp_path / "store").rglob("weights"))
    written = stored.stat().st_mtime_ns
    assert location(tmp_path / "store", model) == first
    assert stored.stat().st_mtime_ns == written


def test_the_yaml_lines_fit_into_a_manifest(tmp_path, model):
    ended = modelport("push", model / "net.onnx", "--store", f"file://{tmp_path}/store")
    assert [line.partition(":")[0] for line in ended.stdout.splitlines()] == ["uri", "digest"]


@pytest.mark.parametrize(
    ("paths", "name", "message"),
    [
        (["none"], None, "none: no such file"),
        (["net", "net/net.onnx"], None, "expected a file"),
        (["net/net.onnx", "net/net.onnx"], None, "given twice"),
        (["net/net.onnx"], "a/b", "without '/'"),
        ([], None, "expected a PATH"),
        (["empty"], None, "found none"),
    ],
)
def test_refusals(tmp_path, model, paths, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        describe_upload([tmp_path / path for path in paths], name)


def test_a_link_in_a_folder_is_refused(model):
    (model / "passwd").symlink_to("/etc/passwd")
    ended = modelport("push", model, "--store", "file:///tmp")
    assert ended.returncode == 1
    assert "UnsafeSource: passwd" in ended.stderr


def test_a_store_that_does_not_answer_is_told(model):
    variables = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "hidden-key",
    }
    ended = modelport("push", model, "--store", "s3://bucket/x", **variables)
    assert ended.returncode == 1
    assert "error: StoreUnavailable: s3://bucket/x" in ended.stderr
    assert "hidden-key" not in ended.stderr
