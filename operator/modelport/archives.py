"""Unpacking archives that strangers made: regular files only, inside the folder, bounded in number and size."""

import errno
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from stat import S_IFMT, S_IFREG
from typing import IO, NamedTuple

from modelport.contract import ModelportError
from modelport.files import CHUNK_BYTES, MAX_FILES, relative_parts
from modelport.reasons import Reason

SUFFIXES = (".zip", ".whl", ".tar", ".tar.gz", ".tgz")
MAX_RATIO = 200
"""Largest unpacked size, as a multiple of the archive's: weights do not compress, text does, bombs do by thousands."""
MIN_LIMIT_BYTES = 64 << 20


_CORRUPT = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    RuntimeError,  # how zipfile tells encryption, and compression that it does not know
)
_FULL = (errno.ENOSPC, errno.EDQUOT)


class _Member(NamedTuple):
    path: str
    content: IO[bytes]


def is_archive(name: str) -> bool:
    """Whether a file of this name is unpacked. The zip files of torch.save have other names: they are models."""
    return name.endswith(SUFFIXES)


def unpack(archive: Path, target: Path) -> None:
    """Unpack all files into `target`. Raises ModelportError (UnsafeSource, SourceCorrupt)."""
    left = max(MIN_LIMIT_BYTES, archive.stat().st_size * MAX_RATIO)
    try:
        for count, member in enumerate(_members(archive)):
            if count >= MAX_FILES:
                raise ModelportError(Reason.UNSAFE_SOURCE, f"{archive.name}: expected at most {MAX_FILES} files")
            left -= _write(member, target, left, archive.name)
    except _CORRUPT as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        message = f"{archive.name}: expected a whole archive, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _members(archive: Path) -> Iterator[_Member]:
    if archive.name.endswith((".zip", ".whl")):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                kind = S_IFMT(info.external_attr >> 16)
                if info.is_dir():
                    continue
                if kind not in (0, S_IFREG):
                    raise _not_regular(archive, info.filename)
                with opened.open(info) as content:
                    yield _Member(info.filename, content)
        return
    with tarfile.open(archive) as packed:
        for entry in packed:
            if entry.isdir():
                continue
            extracted = packed.extractfile(entry) if entry.isreg() else None
            if extracted is None:
                raise _not_regular(archive, entry.name)
            yield _Member(entry.name.removeprefix("./"), extracted)
        # the checksum of a compressed archive stands behind what tar reads
        assert packed.fileobj is not None
        while packed.fileobj.read(CHUNK_BYTES):
            pass


def _not_regular(archive: Path, name: str) -> ModelportError:
    message = f"{archive.name}: expected regular files and folders, found a link or a device: {name!r:.200}"
    return ModelportError(Reason.UNSAFE_SOURCE, message)


def _write(member: _Member, target: Path, limit: int, archive: str) -> int:
    path = target.joinpath(*relative_parts(member.path))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        raise ModelportError(
            Reason.UNSAFE_SOURCE, f"{archive}: expected each name once, found {member.path!r:.200} twice"
        )
    with path.open("xb") as file:
        while chunk := member.content.read(CHUNK_BYTES):
            if file.tell() + len(chunk) > limit:
                shutil.rmtree(target)
                message = f"{archive}: expected at most {MAX_RATIO} times its size when unpacked, found more"
                raise ModelportError(Reason.UNSAFE_SOURCE, message)
            file.write(chunk)
        return file.tell()
