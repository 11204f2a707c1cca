"""Files that strangers wrote: opened beneath a root, component by component, never through a link.

A step that holds credentials reads what a step that opened a hostile model wrote. A link there, to a mounted Secret or
to /proc/self/environ, would be followed and published. So each part of a path is opened with O_NOFOLLOW relative to the
folder before it, and only regular files are read.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import NoReturn

from modelport.api.reasons import Reason
from modelport.encoding import canonical, digest_of
from modelport.errors import ModelportError
from modelport.storage.manifests import File

CHUNK_BYTES = 1 << 20
MAX_FILES = 10_000
"""In one source or artifact; folders count, too."""
MAX_FOLDERS_DEEP = 32


def relative_parts(path: str) -> tuple[str, ...]:
    """Return the parts of a relative path. Raises ModelportError (UnsafeSource) for one that leaves its folder."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or not path.isprintable():
        message = f"expected a relative path of printable characters without '..', found {path!a:.200}"
        raise ModelportError(Reason.UNSAFE_SOURCE, message)
    if len(parts) > MAX_FOLDERS_DEEP + 1:
        message = f"{path:.200}…: expected at most {MAX_FOLDERS_DEEP} folders deep, found {len(parts) - 1}; move it up"
        raise ModelportError(Reason.UNSAFE_SOURCE, message)
    return parts


@contextmanager
def open_beneath(root: Path, path: str) -> Iterator[BufferedReader]:
    """Open the regular file at `path` beneath `root`. Raises ModelportError (UnsafeSource) for a link or a device."""
    *folders, name = relative_parts(path)
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = _open(folder, os.O_DIRECTORY, at, path)
            os.close(at)
            at = inner
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever
        file = _open(name, os.O_NONBLOCK, at, path)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise ModelportError(Reason.UNSAFE_SOURCE, f"{path:.200}: expected a regular file, found another kind")
    with os.fdopen(file, "rb") as opened:
        yield opened


def _open(name: str, flags: int, folder: int, path: str) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:  # ELOOP for a link; ENOTDIR for a link in place of a folder
        message = f"{path:.200}: expected a regular file, not reached through links, found: {error.strerror}"
        raise ModelportError(Reason.UNSAFE_SOURCE, message) from error


def list_tree(root: Path) -> list[str]:
    """Return the paths of all files beneath `root`, sorted. Raises ModelportError (UnsafeSource) for anything else."""
    found: list[str] = []
    folders = 0
    for folder, names, files in os.walk(root, onerror=_refuse_unreadable, followlinks=False):
        for name in (*names, *files):
            path = Path(folder, name)
            shown = path.relative_to(root).as_posix()
            relative_parts(shown)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                message = f"{shown:.200}: expected regular files and folders, found a link or a special file"
                raise ModelportError(Reason.UNSAFE_SOURCE, message)
        folders += len(names)
        found.extend(Path(folder, name).relative_to(root).as_posix() for name in files)
        if len(found) + folders > MAX_FILES:
            raise ModelportError(Reason.UNSAFE_SOURCE, f"expected at most {MAX_FILES} files and folders, found more")
    return sorted(found)


def _refuse_unreadable(error: OSError) -> NoReturn:
    raise error


def read_bytes(root: Path, path: str, limit: int) -> bytes:
    """Return the content of a small file. Raises ModelportError (UnsafeSource) if it has more than `limit` bytes."""
    with open_beneath(root, path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ModelportError(Reason.UNSAFE_SOURCE, f"{path:.200}: expected at most {limit} bytes, found more")
    return content


def copy_beneath(root: Path, path: str, target: Path, limit: int | None = None) -> File:
    """Copy a file and return its size and digest, of the bytes that were copied.

    Raises ModelportError (ConversionFailed) if it has more than `limit` bytes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_beneath(root, path) as source, target.open("xb") as copy:
        digest, size = hashlib.sha256(), 0
        is_over = limit is not None and os.fstat(source.fileno()).st_size > limit
        while not is_over and (chunk := source.read(CHUNK_BYTES)):
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
            is_over = limit is not None and size > limit  # it may grow meanwhile
    if is_over:
        raise ModelportError(Reason.CONVERSION_FAILED, f"{path:.200}: expected at most {limit} bytes, found more")
    return File(path=path, size_bytes=size, digest=f"sha256:{digest.hexdigest()}")


def describe(root: Path, path: str) -> File:
    """Return size and digest of a file."""
    with open_beneath(root, path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return File(path=path, size_bytes=file.tell(), digest=f"sha256:{digest}")


class CheckedReader:
    """A file that is read once, by whoever sends it, and at its end must have been what was expected.

    Between two readings its writer could change it. Instead of the end of other bytes comes a ModelportError
    (DigestMismatch), so that what is sent never becomes an object.
    """

    def __init__(self, file: BufferedReader, expected: File) -> None:
        """Take a file that is at its beginning."""
        self._file, self._expected = file, expected
        self._digest = hashlib.sha256()
        self.fault: ModelportError | None = None
        """What was raised, which a library in between may have hidden."""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere; who sends a file looks for its end first."""
        self._digest = hashlib.sha256()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return where it is."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        chunk = self._file.read(size)
        self._digest.update(chunk)
        if not chunk or size < 0:
            self._check()
        return chunk

    def _check(self) -> None:
        size, found = self._file.tell(), f"sha256:{self._digest.hexdigest()}"
        path, digest = self._expected.path, self._expected.digest
        if (size, found) != (self._expected.size_bytes, digest):
            message = f"{path:.200}: expected {digest}, found {found} of {size} bytes; it is not stored"
            self.fault = ModelportError(Reason.DIGEST_MISMATCH, message)
            raise self.fault


def describe_tree(root: Path) -> list[File]:
    """Return sizes and digests of all files beneath `root`, in order of their paths."""
    return [describe(root, path) for path in list_tree(root)]


def tree_digest(files: list[File]) -> str:
    """Return the digest of several files: of the list of their paths, sizes and digests, in order of the paths."""
    ordered = sorted(files, key=lambda file: file.path)
    return digest_of(canonical([[file.path, file.size_bytes, file.digest] for file in ordered]))
