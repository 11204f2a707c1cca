"""Wheels that a model's code needs: unpacked as they are, and nothing of them run, for the Python of this image."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from modelport.api.reasons import Reason
from modelport.api.spec import FIELDS
from modelport.errors import ModelportError
from modelport.storage.archives import is_archive, unpack
from modelport.storage.files import list_tree

WHEEL = ".whl"
MAX_WHEELS = 256
MAX_FILES = 50_000
"""In all wheels of one model."""
_LIBRARIES = {"purelib", "platlib"}
"""Folders of a wheel's `.data` that belong beside its packages; the others are scripts, headers and manuals."""


def unpack_wheels(packed: Path, target: Path) -> list[str]:
    """Unpack all wheels in a folder, or in the one archive in it, into the folder `target`; return names and versions.

    Raises ModelportError: InvalidSpec for what is no wheel for this image, UnsafeSource, SourceCorrupt.
    """
    names = list_tree(packed)
    if len(names) == 1 and is_archive(names[0]) and not names[0].endswith(WHEEL):
        loose = target.with_name(f"{target.name}.loose")
        loose.mkdir()
        unpack(packed / names[0], loose)
        found = _unpack_all(loose, list_tree(loose), target)
        shutil.rmtree(loose)
        return found
    return _unpack_all(packed, names, target)


def _unpack_all(folder: Path, names: list[str], target: Path) -> list[str]:
    if not 0 < len(names) <= MAX_WHEELS:
        raise _wrong(f"expected 1 to {MAX_WHEELS} wheels, found {len(names)} files")
    found: dict[str, Version] = {}
    tags = list(sys_tags())
    scratch, count = target.with_name(f"{target.name}.one"), 0
    for path in names:
        name, version = _check(PurePosixPath(path).name, tags)
        if name in found:
            raise _wrong(f"expected each distribution once, found {name} {found[name]} and {version}")
        found[name] = version
        scratch.mkdir()
        unpack(folder / path, scratch)
        files = list_tree(scratch)
        count += len(files)
        if count > MAX_FILES:
            message = f"{FIELDS['requirements']}: expected at most {MAX_FILES} files in all wheels, found more"
            raise ModelportError(Reason.UNSAFE_SOURCE, message)
        _merge(scratch, files, target, path)
        shutil.rmtree(scratch)
    return [f"{name} {version}" for name, version in found.items()]


def _check(file_name: str, tags: list[Tag]) -> tuple[str, Version]:
    """Return name and version of a wheel that this Python can import. Raises ModelportError (InvalidSpec)."""
    try:
        name, version, _, its = parse_wheel_filename(file_name)
    except InvalidWheelFilename as error:
        raise _wrong(f"expected wheels, found {file_name:.100}; `pip wheel` makes one of a source package") from error
    if its.isdisjoint(tags):
        python = ".".join(map(str, sys.version_info[:2]))
        told = "; ".join(sorted(map(str, its)))
        raise _wrong(f"{file_name:.100} is for {told:.100}; the image has Python {python}, {tags[0]}")
    return canonicalize_name(name), version


def _merge(folder: Path, files: Iterable[str], target: Path, wheel: str) -> None:
    """Put a wheel's files beside those of the others; of two with one name the first stays."""
    for file in files:
        parts = PurePosixPath(file).parts
        if parts[0].endswith(".data"):
            parts = parts[2:] if len(parts) > 1 and parts[1] in _LIBRARIES else ()
        place = target.joinpath(*parts)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if parts and not place.exists():
                (folder / file).rename(place)
        except (FileExistsError, NotADirectoryError) as error:
            message = f"{wheel:.100}: expected a folder, found that another file has its name: {file:.200}"
            raise ModelportError(Reason.UNSAFE_SOURCE, message) from error


def _wrong(message: str) -> ModelportError:
    hint = "`modelport push --requirements` collects what fits"
    return ModelportError(Reason.INVALID_SPEC, f"{FIELDS['requirements']}: {message}. {hint}")
