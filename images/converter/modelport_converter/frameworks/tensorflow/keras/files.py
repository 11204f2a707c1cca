"""Keras' files: architecture and version of the Keras that wrote them.

An HDF5 file has them as attributes of its root (`model_config`, `keras_version`); a .keras archive as `config.json` and
`metadata.json`, beside an HDF5 file of weights. HDF5 can point into other files, which no file of Keras does.
"""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import h5py

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, describe_error
from modelport.storage.archives import DAMAGED

WEIGHTS = "model.weights.h5"
"""In a .keras archive."""
MAX_JSON_BYTES = 64 << 20
KERAS_3 = 3
UNKNOWN = "1.0"
"""The version of files that do not tell theirs: Keras before 2 wrote none."""


class Stored(NamedTuple):
    """A model as its file has it."""

    config: dict[str, Any]
    version: str
    """Of the Keras that wrote it."""
    is_archive: bool
    """Whether it is a .keras archive."""
    is_whole: bool = True
    """Whether the weights are in the same file."""

    @property
    def is_keras_3(self) -> bool:
        """Whether Keras 3 wrote it; Keras 2 reads what came before."""
        return _is_keras_3(self.version)


def _is_keras_3(version: str) -> bool:
    major = version.partition(".")[0]
    return major.isdigit() and int(major) >= KERAS_3


def is_of_keras_3(weights: Path) -> bool:
    """Whether Keras 3 may have written a file of weights alone. Raises as `open_h5`."""
    with open_weights(weights) as file:
        version = file.attrs.get("keras_version")
    return version is None or _is_keras_3(_text(version))


def is_whole(path: Path) -> bool:
    """Whether a file holds an architecture beside weights. Raises as `open_h5`."""
    if zipfile.is_zipfile(path):
        return True
    with open_h5(path) as file:
        return "model_config" in file.attrs


def read_keras(path: Path) -> Stored:
    """Return architecture and version. Raises ModelportError (SourceCorrupt, UnsafeSource)."""
    return _read_archive(path) if zipfile.is_zipfile(path) else _read_h5(path)


def read_architecture(path: Path) -> Stored:
    """Return an architecture in a file of its own. Raises ModelportError (SourceCorrupt).

    Keras 2 writes its version into it, and a .keras archive that was unpacked has `metadata.json` beside it; else those
    that name modules are of Keras 3.
    """
    if path.stat().st_size > MAX_JSON_BYTES:
        raise _corrupt(path, f"an architecture of at most {MAX_JSON_BYTES} bytes")
    config, metadata = _decode(path, path.read_bytes()), path.with_name("metadata.json")
    told = _decode(metadata, metadata.read_bytes()) if metadata.is_file() else config
    return Stored(
        config,
        str(told.get("keras_version") or ("3" if "module" in config else UNKNOWN)),
        is_archive=False,
        is_whole=False,
    )


@contextmanager
def open_h5(path: Path, content: IO[bytes] | None = None) -> Iterator[h5py.File]:
    """Open an HDF5 file, or its content, that points to no other. Raises ModelportError (SourceCorrupt, UnsafeSource)."""
    try:
        with h5py.File(content or path, "r") as file:
            _refuse_links(path.name, file)
            yield file
    except (OSError, RuntimeError, ValueError, KeyError) as error:  # what HDF5 says of broken files
        raise _corrupt(path, f"a whole HDF5 file, found: {describe_error(error)}") from error


def _read_h5(path: Path) -> Stored:
    with open_h5(path) as file:
        config, version = file.attrs.get("model_config"), file.attrs.get("keras_version", UNKNOWN)
    if config is None:
        raise _corrupt(path, "a whole model, found no attribute model_config: it may hold weights alone")
    return Stored(_decode(path, config), _text(version), is_archive=False)


def _read_archive(path: Path) -> Stored:
    try:
        with zipfile.ZipFile(path) as archive:
            config, metadata = (_read_member(archive, name) for name in ("config.json", "metadata.json"))
            names = archive.namelist()
    except DAMAGED as error:
        raise _corrupt(path, f"a .keras archive, found: {describe_error(error)}") from error
    if WEIGHTS not in names:
        raise _corrupt(path, f"{WEIGHTS} in the archive, found {', '.join(names):.200}")
    version = _decode(path, metadata).get("keras_version", UNKNOWN)
    return Stored(_decode(path, config), str(version), is_archive=True)


@contextmanager
def open_weights(path: Path) -> Iterator[h5py.File]:
    """Open the HDF5 file of a model's weights: the file itself, or the one in the archive. Raises as `open_h5`."""
    if not zipfile.is_zipfile(path):
        with open_h5(path) as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive, archive.open(WEIGHTS) as content, open_h5(path, content) as file:
        yield file


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > MAX_JSON_BYTES:
        raise ValueError(f"{name} has {size} bytes, more than {MAX_JSON_BYTES}")
    return archive.read(name)


def _refuse_links(name: str, file: h5py.File) -> None:
    def check(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            leads = "an external or virtual dataset" if item.external or item.is_virtual else ""
        else:
            links = (item.get(each, getlink=True) for each in item)
            leads = "an external link" if any(isinstance(each, h5py.ExternalLink) for each in links) else ""
        if leads:
            message = f"{name}: expected all weights inside the file, found {leads} at {item.name!s:.100}"
            raise ModelportError(Reason.UNSAFE_SOURCE, message)

    check("", file)
    file.visititems(check)


def _decode(path: Path, content: object) -> dict[str, Any]:
    try:
        value = json.loads(_text(content))
    except (ValueError, RecursionError) as error:
        raise _corrupt(path, f"an architecture in JSON, found: {describe_error(error)}") from error
    if not isinstance(value, dict):
        raise _corrupt(path, f"an architecture in JSON, found a {type(value).__name__}")
    return value


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _corrupt(path: Path, what: str) -> ModelportError:
    return ModelportError(Reason.SOURCE_CORRUPT, f"{path.name:.100}: expected {what}")
