"""Wheels of strangers: pure unpacking, bounded, for this Python alone."""

import sys
import zipfile
from importlib import metadata

import pytest
from packaging.tags import sys_tags

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.jobs.requests import CodeRequest
from modelport.storage import archives
from modelport.storage.files import list_tree
from modelport_converter.code import paths, wheels
from modelport_converter.code.wheels import unpack_wheels
from unit.steps.jobs import tar_bytes, zip_bytes

INFO = b"Metadata-Version: 2.1\nName: %s\nVersion: %s\n"
ANY = "needed-1.0-py3-none-any.whl"


@pytest.fixture
def unpacked(tmp_path):
    """Unpack files by name, and return what that leaves."""

    def unpack_files(**files):
        (tmp_path / "packed").mkdir()
        (tmp_path / "out").mkdir()
        for name, content in files.items():
            (tmp_path / "packed" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "packed" / name).write_bytes(content)
        found = unpack_wheels(tmp_path / "packed", tmp_path / "out")
        return found, list_tree(tmp_path / "out")

    return unpack_files


WHEEL = zip_bytes({"needed/__init__.py": b"", "needed-1.0.dist-info/METADATA": INFO % (b"needed", b"1.0")})
LAID = ["needed-1.0.dist-info/METADATA", "needed/__init__.py"]


@pytest.mark.parametrize(
    "files",
    [
        {ANY: WHEEL},
        {"all.zip": zip_bytes({ANY: WHEEL})},
        {"all.tar.gz": tar_bytes({f"wheels/{ANY}": WHEEL})},
        {f"deep/{ANY}": WHEEL},
    ],
)
def test_a_wheel_an_archive_and_a_prefix_of_wheels_are_laid_out_alike(unpacked, files):
    assert unpacked(**files) == (["needed 1.0"], LAID)


def test_wheels_are_laid_out_beside_each_other(unpacked):
    """Parts of one namespace, and what installers put elsewhere: libraries of `.data` belong to it, scripts do not."""
    tag = next(iter(sys_tags()))
    one = zip_bytes({"space/one.py": b"1", "space/__init__.py": b"one", "one-1.data/purelib/pure.py": b""})
    two = zip_bytes(
        {
            "space/two.py": b"2",
            "space/__init__.py": b"two",
            "two-2.data/platlib/space/fast.so": b"",
            "two-2.data/scripts/tool": b"",
            "two-2.data/headers": b"",
        }
    )
    found, files = unpacked(**{"one-1-py2.py3-none-any.whl": one, f"Two-2-{tag}.whl": two})
    assert sorted(found) == ["one 1", "two 2"]
    assert files == ["pure.py", "space/__init__.py", "space/fast.so", "space/one.py", "space/two.py"]


@pytest.mark.parametrize(
    ("files", "reason", "told"),
    [
        ({"needed-1.0-cp312-cp312-manylinux_2_17_x86_64.whl": WHEEL}, Reason.INVALID_SPEC, "is for cp312-cp312-many"),
        ({"needed-1.0-cp311-cp311-win_amd64.whl": WHEEL}, Reason.INVALID_SPEC, "win_amd64; the image has Python 3."),
        ({"needed-1.0-py2-none-any.whl": WHEEL}, Reason.INVALID_SPEC, "py2-none-any"),
        ({"needed-1.0.tar.gz": tar_bytes({"needed-1.0/setup.py": b""})}, Reason.INVALID_SPEC, "found setup.py"),
        ({ANY: WHEEL, "other-1.0.tar.gz": b""}, Reason.INVALID_SPEC, "found other-1.0.tar.gz; `pip wheel`"),
        (
            {ANY: WHEEL, "Needed-2.0-py3-none-any.whl": WHEEL},
            Reason.INVALID_SPEC,
            "each distribution once, found needed",
        ),
        ({"empty.zip": zip_bytes({})}, Reason.INVALID_SPEC, "expected 1 to 256 wheels, found 0 files"),
        ({f"n{n}-1-py3-none-any.whl": b"" for n in range(257)}, Reason.INVALID_SPEC, "found 257 files"),
        ({ANY: zip_bytes({"../../out.py": b""})}, Reason.UNSAFE_SOURCE, "without '..'"),
        ({ANY: zip_bytes({"/etc/x.py": b""})}, Reason.UNSAFE_SOURCE, "relative path"),
        ({ANY: zip_bytes({"needed-1.0.data/purelib/../../../x.py": b""})}, Reason.UNSAFE_SOURCE, "without '..'"),
        ({ANY: WHEEL[:-30]}, Reason.SOURCE_CORRUPT, ANY),
        ({ANY: b"no archive"}, Reason.SOURCE_CORRUPT, ANY),
        (
            {ANY: zip_bytes({"a": b""}), "other-1.0-py3-none-any.whl": zip_bytes({"a/b.py": b""})},
            Reason.UNSAFE_SOURCE,
            "another file has its name: a/b.py",
        ),
    ],
)
def test_what_is_no_wheel_for_this_image_is_refused_by_name(unpacked, tmp_path, files, reason, told):
    with pytest.raises(ModelportError) as refused:
        unpacked(**files)
    assert (refused.value.reason, told in refused.value.message) == (reason, True), refused.value.message
    assert len(refused.value.message) <= 500
    assert not list(tmp_path.glob("*.py"))


def test_a_link_in_a_wheel_is_refused(unpacked, tmp_path):
    path = tmp_path / ANY
    with zipfile.ZipFile(path, "w") as wheel:
        link = zipfile.ZipInfo("secret.py")
        link.external_attr = 0o120777 << 16
        wheel.writestr(link, "/etc/passwd")
    with pytest.raises(ModelportError, match="found a link") as refused:
        unpacked(**{ANY: path.read_bytes()})
    assert refused.value.reason is Reason.UNSAFE_SOURCE


def test_bombs_are_refused(unpacked, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MIN_LIMIT_BYTES", 1 << 20)
    path = tmp_path / ANY
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("bomb.py", bytes(16 << 20))
    with pytest.raises(ModelportError, match="times its size when unpacked") as refused:
        unpacked(**{ANY: path.read_bytes()})
    assert refused.value.reason is Reason.UNSAFE_SOURCE


def test_many_small_wheels_are_bounded_together(unpacked, monkeypatch):
    monkeypatch.setattr(wheels, "MAX_FILES", 5)
    files = {f"n{n}-1-py3-none-any.whl": zip_bytes({f"n{n}/{k}.py": b"" for k in range(2)}) for n in range(3)}
    with pytest.raises(ModelportError, match="at most 5 files in all wheels"):
        unpacked(**files)


def test_what_the_image_has_in_another_version_is_told(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    for name, version in (("msgspec", "0.1"), ("packaging", metadata.version("packaging")), ("needed", "1.0")):
        folder = tmp_path / "requirements" / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_bytes(INFO % (name.encode(), version.encode()))
    (tmp_path / "code").mkdir()
    for _ in range(2):
        paths.extend_import_path(CodeRequest(), tmp_path / "code", tmp_path / "requirements")
    log = capfd.readouterr().err
    assert log.count("\n") == log.count("msgspec 0.1 of the requirements is passed over: the image has ") == 1
    assert sys.path[-1] == str(tmp_path / "requirements")
