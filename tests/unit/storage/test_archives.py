"""Archives of strangers: what is unpacked, and what is refused before it is."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.archives import MAX_RATIO, MIN_LIMIT_BYTES, is_archive, unpack


def make_zip(path: Path, members: dict[str, bytes], *, mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


def make_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("make", ["zip", "tar"])
def test_files_are_unpacked(tmp_path: Path, make: str) -> None:
    if make == "zip":
        archive = make_zip(tmp_path / "a.zip", {"net/model.py": b"x", "weights": b"y"})
    else:
        archive = make_tar(tmp_path / "a.tar.gz", (member("./net/model.py"), b"x"), (member("weights"), b"y"))
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out/net/model.py").read_bytes() == b"x"
    assert (tmp_path / "out/weights").read_bytes() == b"y"


@pytest.mark.parametrize("make", ["zip", "tar"])
def test_a_folder_that_was_packed_from_within_is_unpacked(tmp_path: Path, make: str) -> None:
    """`tar czf net.tgz .` writes the folder itself, too."""
    if make == "zip":
        archive = make_zip(tmp_path / "a.zip", {"./": b"", "./net.py": b"x"})
    else:
        archive = make_tar(tmp_path / "a.tgz", (member("./", tarfile.DIRTYPE), b""), (member("./net.py"), b"x"))
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["net.py"]


HOSTILE = {
    "absolute name": lambda path: make_zip(path / "a.zip", {"/etc/x": b""}),
    "no name": lambda path: make_tar(path / "a.tar.gz", (member("."), b"x")),
    "parent folder": lambda path: make_zip(path / "a.zip", {"../x": b""}),
    "link in zip": lambda path: make_zip(path / "a.zip", {"x": b"/etc/passwd"}, mode=0o120777),
    "link": lambda path: make_tar(path / "a.tar.gz", (member("x", tarfile.SYMTYPE, "/proc/self/environ"), b"")),
    "hard link": lambda path: make_tar(path / "a.tar.gz", (member("x", tarfile.LNKTYPE, "/etc/passwd"), b"")),
    "device": lambda path: make_tar(path / "a.tar.gz", (member("x", tarfile.CHRTYPE), b"")),
    "same name twice": lambda path: make_tar(path / "a.tar.gz", (member("x"), b"1"), (member("x"), b"2")),
    "bomb": lambda path: make_zip(path / "a.zip", {"x": bytes(MIN_LIMIT_BYTES + 1)}),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused(tmp_path: Path, make) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelportError) as caught:
        unpack(make(tmp_path), tmp_path / "out")
    assert caught.value.reason is Reason.UNSAFE_SOURCE
    assert any(word in caught.value.message for word in ("pack it", "give the files", "expected a relative path"))


def test_the_bomb_would_unpack_below_no_sane_ratio() -> None:
    assert MAX_RATIO < 1000


def test_a_truncated_archive_is_corrupt(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", (member("x"), b"y" * 100_000))
    archive.write_bytes(archive.read_bytes()[:-40])
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelportError) as caught:
        unpack(archive, tmp_path / "out")
    assert caught.value.reason is Reason.SOURCE_CORRUPT


@pytest.mark.parametrize(("name", "expected"), [("a.zip", True), ("a.whl", True), ("a.tgz", True), ("a.pt", False)])
def test_models_are_no_archives(name: str, expected: bool) -> None:
    assert is_archive(name) is expected
