"""What judge and publish read of steps that opened a model: whatever is in it, it ends with a reason of its own."""

import os

import msgspec
import pytest

from modelport.contract import ModelportError
from modelport.handover import CANDIDATE, CAVEATS, SIGNATURE, read_candidate, read_caveats, read_signature
from modelport.reasons import Reason

READERS = ((CANDIDATE, read_candidate), (CAVEATS, read_caveats), (SIGNATURE, read_signature))
DEEP = b"[" * 50_000


@pytest.mark.parametrize(("name", "read"), READERS)
@pytest.mark.parametrize("content", [b"", b"null", b"\xff", DEEP, b'{"x":' + DEEP, b'"' + b"x" * (9 << 20) + b'"'])
def test_content_that_is_not_ours(tmp_path, name, read, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelportError) as failed:
        read(tmp_path)
    assert failed.value.reason in {Reason.CONVERSION_FAILED, Reason.UNSAFE_SOURCE}


@pytest.mark.parametrize(("name", "read"), READERS)
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "dangling"])
def test_what_is_no_regular_file(tmp_path, name, read, kind):
    path, elsewhere = tmp_path / name, tmp_path / "elsewhere"
    elsewhere.write_text("[]")
    make = {
        "link": lambda: path.symlink_to(elsewhere),
        "dangling": lambda: path.symlink_to(tmp_path / "nowhere"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }
    make[kind]()
    with pytest.raises(ModelportError) as failed:
        read(tmp_path)
    assert failed.value.reason == Reason.UNSAFE_SOURCE


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "a\\b", "a\nb", "manifest.json", "./manifest.json", "golden/0.npz"]
)
def test_names_that_no_file_of_a_model_has(tmp_path, path):
    file = {"path": path, "sizeBytes": 1, "digest": "sha256:0"}
    (tmp_path / CANDIDATE).write_bytes(msgspec.json.encode({"runtime": "onnxruntime", "files": [file]}))
    with pytest.raises(ModelportError):
        read_candidate(tmp_path)
