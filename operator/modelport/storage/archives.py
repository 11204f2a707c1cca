"""Unpacking archives that strangers made: regular files only, inside the folder, bounded in number, size and memory."""

import errno
import gzip
import io
import shutil
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from stat import S_IFMT, S_IFREG
from typing import IO, NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.files import CHUNK_BYTES, MAX_FILES, relative_parts

SUFFIXES = (".zip", ".whl", ".tar", ".tar.gz", ".tgz")
MAX_RATIO = 200
"""Largest unpacked size, as a multiple of the archive's: weights do not compress, text does, bombs do by thousands."""
MIN_LIMIT_BYTES = 64 << 20
MAX_HEADER_BYTES = 128 << 10
"""What a tar archive may say about one file, which is read at once: long names, extended attributes, maps of holes."""
MAX_DIRECTORY_BYTES = 4 << 20
"""What a zip archive may say about all its files, which is read at once."""

DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, OSError),
    LookupError,  # how zipfile tells a file that is not there
    RuntimeError,  # how zipfile tells encryption, and compressions that it has not
    ValueError,  # how tarfile tells numbers that are none
)
"""What is raised by archives that are not whole."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class _Member(NamedTuple):
    path: str
    content: IO[bytes] | None
    """None: a folder."""


class _Bounded(io.BufferedIOBase):
    """A file of which no more than `left` bytes are read: whoever parses it cannot be made to read more at once."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile, name: str, left: int) -> None:
        self._file, self._name, self.left = file, name, left

    def read(self, size: int | None = -1, /) -> bytes:
        found = self._file.read(self.left + 1 if size is None or size < 0 else min(size, self.left + 1))
        self.left -= len(found)
        if self.left < 0:
            message = (
                f"{self._name}: expected short names, attributes and padding, found more than is read; pack it anew"
            )
            raise ModelportError(Reason.UNSAFE_SOURCE, message)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def is_archive(name: str) -> bool:
    """Whether a file of this name is unpacked. The zip files of torch.save have other names: they are models."""
    return name.endswith(SUFFIXES)


def list_zip(name: str, file: IO[bytes]) -> list[str]:
    """Return the names in a zip archive. Raises ModelportError (UnsafeSource) and zipfile.BadZipFile."""
    with open_zip(name, file) as opened:
        return opened.namelist()


def open_zip(name: str, file: IO[bytes]) -> zipfile.ZipFile:
    """Open a zip archive, whose list of members is read at once. Raises the same."""
    stream = _Bounded(file, name, MAX_DIRECTORY_BYTES)
    opened = zipfile.ZipFile(stream)
    stream.left = sys.maxsize - 1
    return opened


def unpack(archive: Path, target: Path) -> None:
    """Unpack all files into `target`. Raises ModelportError (UnsafeSource, SourceCorrupt)."""
    left = max(MIN_LIMIT_BYTES, archive.stat().st_size * MAX_RATIO)
    places: set[PurePosixPath] = set()
    try:
        for count, member in enumerate(_members(archive), start=1):
            # what packs a folder from within names the folder, too: `./`
            is_root = member.content is None and PurePosixPath(member.path) == PurePosixPath()
            path = PurePosixPath(*(() if is_root else relative_parts(member.path)))
            places.update((path, *path.parents[:-1]))
            if max(count, len(places)) > MAX_FILES:
                message = (
                    f"{archive.name}: expected at most {MAX_FILES} files and folders, found more; pack one model alone"
                )
                raise ModelportError(Reason.UNSAFE_SOURCE, message)
            if member.content is not None:
                left -= _write(path, member.content, target, left, archive.name)
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        message = f"{archive.name}: expected a whole archive, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _members(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as file:
        yield from (_zipped if archive.name.endswith((".zip", ".whl")) else _tarred)(archive.name, file)


def _zipped(name: str, file: IO[bytes]) -> Iterator[_Member]:
    with open_zip(name, file) as opened:
        for info in opened.infolist():
            if info.is_dir():
                yield _Member(info.filename, None)
                continue
            if S_IFMT(info.external_attr >> 16) not in (0, S_IFREG):
                raise _not_regular(name, info.filename)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others take what memory they ask
                raise zipfile.BadZipFile(f"a file that is neither stored nor deflated: {info.filename!r:.100}")
            with opened.open(info) as content:
                yield _Member(info.filename, content)


def _tarred(name: str, file: IO[bytes]) -> Iterator[_Member]:
    is_packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream = _Bounded(gzip.GzipFile(fileobj=file) if is_packed else file, name, MAX_HEADER_BYTES)
    with tarfile.open(fileobj=stream, mode="r:") as packed:
        while entry := packed.next():
            if entry.isdir():
                yield _Member(entry.name, None)
            else:
                content = packed.extractfile(entry) if entry.isreg() and not entry.issparse() else None
                if content is None:
                    raise _not_regular(name, entry.name)
                stream.left = entry.size
                yield _Member(entry.name.removeprefix("./"), content)
            stream.left = MAX_HEADER_BYTES
            # headers of all that was read, which nobody asks for
            packed.members = []  # type: ignore[attr-defined]
            packed.pax_headers = {}
    # the checksum of a compressed archive stands behind what tar reads
    stream.left = MIN_LIMIT_BYTES
    while stream.read(CHUNK_BYTES):
        pass


def _not_regular(archive: str, name: str) -> ModelportError:
    message = f"{archive}: expected regular files and folders, found a link, a device or holes: {name!r:.200}; pack it without"
    return ModelportError(Reason.UNSAFE_SOURCE, message)


def _write(path: PurePosixPath, content: IO[bytes], target: Path, limit: int, archive: str) -> int:
    place = target / path
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        raise ModelportError(
            Reason.UNSAFE_SOURCE, f"{archive}: expected each name once, found {str(path)!r:.200} twice; pack it anew"
        )
    with place.open("xb") as file:
        while chunk := content.read(CHUNK_BYTES):
            if file.tell() + len(chunk) > limit:
                shutil.rmtree(target)
                message = f"{archive}: expected at most {MAX_RATIO} times its size when unpacked, found more; give the files as they are"
                raise ModelportError(Reason.UNSAFE_SOURCE, message)
            file.write(chunk)
        return file.tell()
