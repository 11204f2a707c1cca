"""Small archives that would take much memory, or many folders: what is not a file's content is bounded, too."""

import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile

import pytest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage import archives
from modelport.storage.archives import unpack
from modelport.storage.files import MAX_FOLDERS_DEEP

MANY = 24 << 20
"""Bytes that a hostile archive has where an honest one has a name."""
BOUND = 12 << 20


@pytest.fixture
def target(tmp_path):
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def refused(archive, target, bound=BOUND):
    """Return why unpacking fails, after it took no more memory than `bound` bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelportError) as failed:
            unpack(archive, target)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < bound, f"{peak >> 20} MiB for an archive of {archive.stat().st_size >> 10} KiB"
    assert failed.value.reason is Reason.UNSAFE_SOURCE, failed.value.message
    return failed.value.message


def header(kind=tarfile.REGTYPE, size=0, name="file", **fields):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def block(content):
    return content + bytes(-len(content) % 512)


def packed(path, *blocks):
    with gzip.open(path, "wb", compresslevel=1) as file:
        for each in blocks:
            file.write(each)
    return path


def pax(**records):
    """Return extended headers as tar writes them, each with its own length in front, and their size."""
    lines = []
    for key, value in records.items():
        rest = f" {key}={value}\n"
        size = next(size for size in range(len(rest), len(rest) + 9) if len(str(size)) + len(rest) == size)
        lines.append(f"{size}{rest}".encode())
    content = b"".join(lines)
    return block(content), len(content)


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g", b"X"], ids=["name", "link", "pax", "global", "solaris"])
def test_a_long_header_of_tar_is_not_read(tmp_path, target, kind):
    """In 2026 an archive of 815 KB with one name took 835 MiB."""
    refused(packed(tmp_path / "a.tar.gz", header(kind, MANY), b"a" * MANY), target)


def test_a_header_of_less_than_no_bytes_is_not_read_to_its_end(tmp_path, target):
    refused(packed(tmp_path / "a.tar.gz", header(b"L", -512), b"a" * MANY), target)


def test_a_map_of_holes_is_not_read(tmp_path, target):
    """Old GNU tar goes on with blocks of a map, each of which says that another one follows."""
    first = bytearray(header(tarfile.GNUTYPE_SPARSE, 0))
    first[482] = 1
    first[148:156] = b"%06o\0 " % (sum(first[:148]) + sum(first[156:]) + 8 * 32)
    refused(packed(tmp_path / "a.tar.gz", bytes(first), (b"1" * 12 * 42 + b"\1" + bytes(7)) * (MANY // 512)), target)


def test_a_map_of_holes_without_an_end_is_not_read(tmp_path, target):
    records, size = pax(**{"GNU.sparse.major": 1, "GNU.sparse.minor": 0, "GNU.sparse.realsize": 1})
    fields = b"9" * 400 + b"\n"  # how many numbers are to come
    packed(tmp_path / "a.tar.gz", header(b"x", size), records, header(size=MANY), fields, b"1\n" * (MANY // 2))
    refused(tmp_path / "a.tar.gz", target)


def test_files_with_holes_are_refused(tmp_path, target):
    records, size = pax(**{"GNU.sparse.map": "0,1", "GNU.sparse.size": 1 << 40})
    assert "holes" in refused(packed(tmp_path / "a.tar.gz", header(b"x", size), records, header(), bytes(1024)), target)


def test_attributes_of_all_files_are_not_gathered(tmp_path, target):
    """Each file brings as many as it may, and each of them holds for all that follow."""
    blocks = []
    for file in range(6):
        records, size = pax(**{f"{file}_{each}": "" for each in range(8_000)})
        blocks += [header(b"g", size), records, header(name=str(file))]
    refused(packed(tmp_path / "a.tar.gz", *blocks, header(b"L", MANY), b"a" * MANY), target, BOUND // 3)


def test_padding_behind_the_last_file_has_an_end(tmp_path, target, monkeypatch):
    monkeypatch.setattr(archives, "MIN_LIMIT_BYTES", MANY - 1)
    refused(packed(tmp_path / "a.tar.gz", header(), bytes(1024), bytes(MANY)), target)


@pytest.mark.parametrize(("count", "name"), [(200_000, "{}"), (500, "{}" + "n" * 60_000)], ids=["many", "long"])
def test_a_large_directory_of_zip_is_not_read(tmp_path, target, count, name):
    path, entry = tmp_path / "a.zip", struct.Struct("<4s6H3L5H2L")
    with path.open("wb") as file:
        for index in range(count):
            text = name.format(index).encode()
            file.write(entry.pack(b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, len(text), 0, 0, 0, 0, 0, 0) + text)
        size = file.tell()
        file.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, 0))
        file.write(struct.pack("<4sLQL", b"PK\6\7", 0, size, 1))
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    refused(path, target)


def test_a_zip_that_asks_for_memory_to_be_read_is_refused(tmp_path, target):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"abc")
    with pytest.raises(ModelportError, match="neither stored nor deflated") as failed:
        unpack(tmp_path / "a.zip", target)
    assert failed.value.reason is Reason.SOURCE_CORRUPT


def folders(path, names):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"")
    else:
        packed(path, *(header(b"5" if name.endswith("/") else b"0", name=name) for name in names), bytes(1024))
    return path


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize(
    "names",
    [[f"{index}/" for index in range(11)], ["same/"] * 11, [f"{index}/a/b/c" for index in range(3)]],
    ids=["folders", "one folder again and again", "folders on the way"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_folders_count(tmp_path, target, monkeypatch, suffix, names):
    monkeypatch.setattr(archives, "MAX_FILES", 10)
    assert "at most 10 files and folders" in refused(folders(tmp_path / f"a{suffix}", names), target)
    (tmp_path / "some").mkdir()
    unpack(folders(tmp_path / f"b{suffix}", names[:2]), tmp_path / "some")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_folders_are_not_deeper_than_a_path_may_be(tmp_path, target, suffix):
    deepest = "/".join("d" * (MAX_FOLDERS_DEEP + 1))
    unpack(folders(tmp_path / f"a{suffix}", [deepest]), target)
    assert (target / deepest).is_file()
    assert "deep" in refused(folders(tmp_path / f"b{suffix}", [f"more/{deepest}"]), target)


def test_long_names_of_honest_archives_are_read(tmp_path, target):
    name = "/".join(["folder-with-a-name-of-forty-characters-.."[:40]] * 20)
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=kind) as archive:
            info = tarfile.TarInfo(f"{kind}/{name}")
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
        unpack(tmp_path / "a.tar.gz", target)
        assert (target / str(kind) / name).read_bytes() == b"abc"
