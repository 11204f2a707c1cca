"""The zip itself: members by name, of the size that they say, no more of them than a model can have."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
from numpy.typing import DTypeLike

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks.dl4j import COEFFICIENTS, CONFIGURATION
from modelport.storage.archives import DAMAGED, MAX_RATIO, MIN_LIMIT_BYTES, open_zip
from modelport.verification.arrays import Array
from modelport_converter.frameworks.dl4j.reading.arrays import read_vector
from modelport_converter.frameworks.dl4j.reading.fields import Fields, corrupt

MAX_CONFIGURATION = 64 << 20
NORMALIZER = "normalizer.bin"


def read_configuration(path: Path) -> Fields:
    """Return the configuration of a file. Raises ModelportError (SourceCorrupt)."""
    with _open(path) as archive, _member(archive, path, CONFIGURATION) as file:
        content = file.read(MAX_CONFIGURATION + 1)
    if len(content) > MAX_CONFIGURATION:
        raise corrupt(f"{CONFIGURATION}: expected at most {MAX_CONFIGURATION} bytes, found more")
    try:
        return Fields(json.loads(content), CONFIGURATION)
    except (ValueError, RecursionError) as error:
        raise corrupt(f"{CONFIGURATION}: expected JSON, found: {error!s:.200}") from error


def read_coefficients(path: Path, count: int, dtype: DTypeLike) -> Array:
    """Return that many parameters: [count], float16, float32 or float64; of none, the type that the file names.

    Raises ModelportError (SourceCorrupt).
    """
    with _open(path) as archive:
        if not count and not _size(archive, COEFFICIENTS):
            return np.zeros(0, dtype)
        with _member(archive, path, COEFFICIENTS) as file:
            found = read_vector(file, COEFFICIENTS, count)
    return found if count else found.astype(dtype)


def has_normalizer(path: Path) -> bool:
    """Whether statistics for preparing data lie beside the model, which the model itself does not use."""
    with _open(path) as archive:
        return NORMALIZER in archive.namelist()


def copy_model(path: Path, target: Path) -> None:
    """Write the members that make the model alone: others may be objects of Java, which run code when they are read."""
    with _open(path) as archive, ZipFile(target, "w", ZIP_STORED) as copy:
        for name in (CONFIGURATION, COEFFICIENTS, "noParams.marker"):
            if name in archive.namelist():
                with _member(archive, path, name) as source, copy.open(name, "w", force_zip64=True) as written:
                    while chunk := source.read(1 << 20):
                        written.write(chunk)


def _size(archive: ZipFile, name: str) -> int:
    return next((each.file_size for each in archive.infolist() if each.filename == name), 0)


@contextmanager
def _open(path: Path) -> Iterator[ZipFile]:
    try:
        with path.open("rb") as file, open_zip(path.name, file) as archive:
            yield archive
    except DAMAGED as error:
        raise corrupt(f"{path.name:.100}: expected a whole zip archive, found: {error!s:.200}") from error


@contextmanager
def _member(archive: ZipFile, path: Path, name: str) -> Iterator[IO[bytes]]:
    found = [each for each in archive.infolist() if each.filename == name]
    if len(found) != 1:
        raise corrupt(f"{path.name:.100}: expected {name} once, found it {len(found)} times")
    if found[0].compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
        raise corrupt(f"{path.name:.100}: expected {name} stored or deflated, found another compression")
    if found[0].file_size > max(MIN_LIMIT_BYTES, path.stat().st_size * MAX_RATIO):
        message = f"{path.name:.100}: expected {name} of at most {MAX_RATIO} times the archive's size, found more"
        raise ModelportError(Reason.UNSAFE_SOURCE, message)
    with archive.open(found[0]) as file:
        yield file
