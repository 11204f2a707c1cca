"""The files of a MOJO, in its zip archive or in a folder: read bounded, by name."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISLNK
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, describe_error
from modelport.frameworks.h2o import INI
from modelport.storage.archives import DAMAGED, open_zip
from modelport.storage.files import list_tree, open_beneath

MAX_BYTES = 1 << 30
"""Of one file: a model of deep learning has its weights as text in one."""


class Files(NamedTuple):
    """Files by name."""

    names: tuple[str, ...]
    read: Callable[[str], bytes]
    """Raises ModelportError (SourceCorrupt) for a file that is not there, damaged or too large."""


@contextmanager
def open_mojo(path: Path) -> Iterator[Files]:
    """Open a MOJO: the archive, or `model.ini` of a folder. Raises ModelportError (SourceCorrupt, UnsafeSource)."""
    if path.name == INI:
        yield _in_folder(path.parent)
        return
    try:
        with path.open("rb") as file, open_zip(path.name, file) as opened:
            yield Files(tuple(opened.namelist()), lambda name: _read_member(path.name, opened, name))
    except DAMAGED as error:
        raise _corrupt(path.name, f"a whole archive, found: {describe_error(error)}") from error


def _in_folder(folder: Path) -> Files:
    def read(name: str) -> bytes:
        try:
            with open_beneath(folder, name) as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise _corrupt(name, f"a file of the MOJO, found: {describe_error(error)}") from error
        return _bounded(name, content)

    return Files(tuple(list_tree(folder)), read)


def _read_member(archive: str, opened: zipfile.ZipFile, name: str) -> bytes:
    where = f"{archive:.100}: {name:.100}"
    try:
        info = opened.getinfo(name)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or S_ISLNK(info.external_attr >> 16):
            raise _corrupt(where, f"a file that is stored or deflated, found compression {info.compress_type}")
        with opened.open(info) as member:
            return _bounded(where, member.read(MAX_BYTES + 1))
    except DAMAGED as error:
        raise _corrupt(where, f"a whole file in the archive, found: {describe_error(error)}") from error


def _bounded(where: str, content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise _corrupt(where, f"at most {MAX_BYTES} bytes, found more")
    return content


def _corrupt(where: str, expected: str) -> ModelportError:
    return ModelportError(Reason.SOURCE_CORRUPT, f"{where:.220}: expected {expected:.250}")
