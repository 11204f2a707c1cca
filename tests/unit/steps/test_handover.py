"""What judge and publish read of steps that opened a model: whatever is in it, it ends with a reason of its own."""

import os

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.steps.handover import (
    CANDIDATE,
    CAVEATS,
    DOUBTS,
    SIGNATURE,
    naming_doubts,
    read_candidate,
    read_caveats,
    read_signature,
)


def fail(folder, reason=Reason.VERIFICATION_FAILED):
    with naming_doubts([folder]):
        raise ModelportError(reason, "output y: wrong")


READERS = ((CANDIDATE, read_candidate), (CAVEATS, read_caveats), (SIGNATURE, read_signature), (DOUBTS, fail))
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
    ("doubts", "reason", "told"),
    [
        (None, Reason.VERIFICATION_FAILED, "output y: wrong"),
        ([], Reason.VERIFICATION_FAILED, "output y: wrong"),
        (["a.py:1 \n is odd", "b"], Reason.VERIFICATION_FAILED, "output y: wrong; a.py:1 is odd; b"),
        (["a"], Reason.RUNTIME_UNSUPPORTED, "output y: wrong; a"),
        (["a"], Reason.NUMERICALLY_UNSTABLE, "output y: wrong"),
        (["a" * 900], Reason.VERIFICATION_FAILED, "output y: wrong; " + "a" * 200),
    ],
)
def test_doubts_are_told_where_the_verification_fails(tmp_path, doubts, reason, told):
    if doubts is not None:
        (tmp_path / DOUBTS).write_bytes(msgspec.json.encode(doubts))
    with pytest.raises(ModelportError) as failed:
        fail(tmp_path, reason)
    assert (failed.value.reason, failed.value.message) == (reason, told)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a\\b",
        "a\nb",
        "manifest.json",
        "golden/0.npz",
        "model",
        "model/../manifest.json",
    ],
)
def test_names_that_no_file_of_a_model_has(tmp_path, path):
    file = {"path": path, "sizeBytes": 1, "digest": "sha256:0"}
    (tmp_path / CANDIDATE).write_bytes(msgspec.json.encode({"runtime": "onnxruntime", "files": [file]}))
    with pytest.raises(ModelportError):
        read_candidate(tmp_path)
