"""Archives that are damaged, unreadable or far too large: the reason tells whose fault it is."""

import errno
import io
import os
import tarfile
import zipfile

import pytest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage import archives
from modelport.storage.archives import is_archive, unpack
from modelport.storage.files import list_tree

FILES = {"net/model.py": b"import torch\n", "net/data.bin": os.urandom(50_000)}


def make_zip(path, files, *, mode=0o100644, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = compression
            archive.writestr(info, content)
    return path


def make_tar(path, files, **fields):
    with tarfile.open(path, "w:gz" if path.suffix in {".gz", ".tgz"} else "w") as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return path


def patch(path, offset, content):
    data = bytearray(path.read_bytes())
    data[offset : offset + len(content)] = content
    path.write_bytes(data)
    return path


def assert_refused(archive, target, reason):
    with pytest.raises(ModelportError) as failed:
        unpack(archive, target)
    assert failed.value.reason == reason
    return failed.value.message


@pytest.fixture
def target(tmp_path):
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.mark.parametrize("name", ["a.zip", "a.whl", "a.tar", "a.tar.gz", "a.tgz"])
def test_all_files_are_unpacked(tmp_path, target, name):
    make = make_zip if name.endswith((".zip", ".whl")) else lambda path, files: make_tar(path, files.items())
    assert is_archive(name)
    unpack(make(tmp_path / name, FILES), target)
    assert {path: (target / path).read_bytes() for path in list_tree(target)} == FILES


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/tmp/out", "a\\..\\out"])
@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_name_that_leads_out_is_refused(tmp_path, target, name, suffix):
    path = tmp_path / f"a{suffix}"
    archive = make_zip(path, {name: b"x"}) if suffix == ".zip" else make_tar(path, [(name, b"x")])
    assert_refused(archive, target, Reason.UNSAFE_SOURCE)
    assert list_tree(tmp_path) == [f"a{suffix}"]


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o020644])
def test_links_and_devices_of_zip_are_refused(tmp_path, target, mode):
    archive = make_zip(tmp_path / "a.zip", {"planted": b"/proc/self/environ"}, mode=mode)
    assert "planted" in assert_refused(archive, target, Reason.UNSAFE_SOURCE)


def test_a_name_that_is_no_text_is_refused(tmp_path, target):
    assert_refused(make_tar(tmp_path / "a.tar", [("caf\udce9.py", b"")]), target, Reason.UNSAFE_SOURCE)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_bomb_is_refused_and_leaves_nothing(tmp_path, target, suffix):
    content = bytes(archives.MIN_LIMIT_BYTES + 1)
    path = tmp_path / f"bomb{suffix}"
    archive = make_zip(path, {"zeros": content}) if suffix == ".zip" else make_tar(path, [("zeros", content)])
    assert_refused(archive, target, Reason.UNSAFE_SOURCE)
    assert not target.exists()


def test_a_bomb_of_many_files_is_refused(tmp_path, target, monkeypatch):
    monkeypatch.setattr(archives, "MIN_LIMIT_BYTES", 0)
    monkeypatch.setattr(archives, "MAX_RATIO", 10)
    archive = make_zip(tmp_path / "a.zip", {str(index): bytes(5_000) for index in range(100)})
    assert archive.stat().st_size * 10 < 500_000
    assert_refused(archive, target, Reason.UNSAFE_SOURCE)


def test_too_many_files_are_refused(tmp_path, target, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    assert_refused(make_zip(tmp_path / "a.zip", dict.fromkeys("abcd", b"")), target, Reason.UNSAFE_SOURCE)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_a_truncated_archive_is_corrupt(tmp_path, target, name):
    path = tmp_path / name
    make_zip(path, FILES) if name.endswith(".zip") else make_tar(path, FILES.items())
    path.write_bytes(path.read_bytes()[:30_000])
    assert_refused(path, target, Reason.SOURCE_CORRUPT)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_changed_bytes_are_noticed(tmp_path, target, name):
    path = tmp_path / name
    make_zip(path, FILES) if name.endswith(".zip") else make_tar(path, FILES.items())
    assert_refused(patch(path, 20_000, bytes(64)), target, Reason.SOURCE_CORRUPT)


def test_garbage_is_corrupt(tmp_path, target):
    for name in ("a.zip", "a.tar", "a.tar.gz"):
        (tmp_path / name).write_bytes(b"garbage" * 1000)
        assert_refused(tmp_path / name, target, Reason.SOURCE_CORRUPT)


@pytest.mark.parametrize(("field", "value"), [(8, b"\x01"), (10, b"\x63")], ids=["encrypted", "unknown compression"])
def test_what_zip_cannot_read_is_corrupt(tmp_path, target, field, value):
    path = make_zip(tmp_path / "a.zip", {"a": b"abc" * 1000})
    central = path.read_bytes().rfind(b"PK\x01\x02")
    patch(patch(path, central + field, value), field - 2, value)
    assert_refused(path, target, Reason.SOURCE_CORRUPT)


def test_a_damaged_stream_of_zip_is_corrupt(tmp_path, target):
    path = make_zip(tmp_path / "a.zip", {"a": b"abc" * 5_000})
    assert_refused(patch(path, 40, b"\xff" * 12), target, Reason.SOURCE_CORRUPT)


def test_a_full_disk_is_not_the_archives_fault(tmp_path, target, monkeypatch):
    def write(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(archives, "_write", write)
    with pytest.raises(OSError, match="no space"):
        unpack(make_zip(tmp_path / "a.zip", FILES), target)
