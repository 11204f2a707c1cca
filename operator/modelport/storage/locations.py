"""Where sources come from: s3://, https://, http:// with a digest, and file: for runs without a cluster."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, unquote, urlsplit

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.files import MAX_FILES, describe, describe_tree, list_tree, relative_parts, tree_digest
from modelport.storage.manifests import File
from modelport.storage.store import Reasons, Store, open_location

ALLOW_FILE_VARIABLE = "MODELPORT_ALLOW_FILE"
REASONS = Reasons(Reason.SOURCE_NOT_FOUND, Reason.SOURCE_ACCESS_DENIED, Reason.SOURCE_UNREACHABLE)


def bring(uri: str, credentials: Mapping[str, str], target: Path) -> tuple[str, list[File]]:
    """Copy what is at `uri` into the folder `target`; return its digest and its files.

    The digest of one file is its SHA-256, the digest of a prefix (it ends in "/") that of the list of its files.
    Raises ModelportError (InvalidSpec, SourceNotFound, SourceUnreachable, SourceAccessDenied).
    """
    parts = _checked(uri)
    target.mkdir(parents=True)
    if parts.scheme == "file":
        _bring_local(uri, target)
    elif parts.scheme == "s3":
        _bring_objects(uri, credentials, target)
    else:
        _bring_page(uri, credentials, target)
    return describe_source(target, is_prefix=uri.endswith("/"))


def _checked(uri: str) -> SplitResult:
    """Return the parts of a URI that can be read. Raises ModelportError (InvalidSpec)."""
    parts = urlsplit(uri)
    if parts.scheme not in {"s3", "https", "http", "file"}:
        message = f"uri: expected s3://, https:// or http://, found {parts.scheme or 'no scheme'}"
        raise ModelportError(Reason.INVALID_SPEC, message)
    if "?" in uri or "#" in uri or "@" in parts.netloc:
        message = "uri: expected no user, query or fragment, which may hold a secret; use secretRef"
        raise ModelportError(Reason.INVALID_SPEC, message)
    if parts.scheme == "file":
        return parts
    try:
        is_whole = bool(parts.hostname and parts.path) and parts.port != 0
    except ValueError:  # the port is no number, or too large for one
        is_whole = False
    if not is_whole:
        raise ModelportError(
            Reason.INVALID_SPEC, f"uri: expected {parts.scheme}://host-or-bucket/path, found {uri:.200}"
        )
    return parts


def describe_source(folder: Path, *, is_prefix: bool) -> tuple[str, list[File]]:
    """Return the digest of a source as it lies in `folder`, and its files: one, unless it is a prefix."""
    if is_prefix:
        files = describe_tree(folder)
        return tree_digest(files), files
    (name,) = (path.name for path in folder.iterdir())
    file = describe(folder, name)
    return file.digest, [file]


def _bring_page(uri: str, credentials: Mapping[str, str], target: Path) -> None:
    # only here, because it loads the standard library's HTTP client and TLS
    from modelport.storage.downloads import download

    if uri.endswith("/"):
        message = "uri: expected a file, because http cannot list what is below a prefix; name an archive, or use s3://"
        raise ModelportError(Reason.INVALID_SPEC, message)
    download(uri, credentials, target / relative_parts(unquote(uri.rpartition("/")[2]))[-1])


def _bring_objects(uri: str, credentials: Mapping[str, str], target: Path) -> None:
    folder, _, name = uri.rpartition("/")
    store = open_location(f"{folder}/", credentials, REASONS)
    if name:
        plain = unquote(name)
        store.download(plain, target / relative_parts(plain)[-1])
        return
    found = _listed(store, shutil.disk_usage(target).free)
    if not found:
        raise ModelportError(Reason.SOURCE_NOT_FOUND, f"{store.uri}/: expected files below this prefix, found none")
    for path, size in found:
        fetched = store.download(path, target.joinpath(*relative_parts(path)), size).size_bytes
        if fetched != size:  # what is longer by now was cut
            message = (
                f"{store.uri}/{path}: expected {size} bytes, as it was listed, found {fetched}; it is being changed"
            )
            raise ModelportError(Reason.SOURCE_UNREACHABLE, message)


def _listed(store: Store, room: int) -> list[tuple[str, int]]:
    """Return path and size of each file below a prefix, before any of them is fetched.

    Consoles and file systems on S3 make an empty object for each folder, which is none of the files.
    """
    found: list[tuple[str, int]] = []
    total = 0
    for path, size in store.walk():
        found.append((path, size))
        total += size
        if len(found) > MAX_FILES:
            message = f"{store.uri}/: expected at most {MAX_FILES} files below this prefix, found more"
            raise ModelportError(Reason.UNSAFE_SOURCE, f"{message}; name the folder of one model, or an archive of it")
        if total > room:
            message = f"{store.uri}/: expected at most the {room} bytes that there is room for, found {total} or more"
            raise ModelportError(Reason.STORAGE_EXCEEDED, f"{message}; name the folder of one model, or give more room")
    folders = {"", *(str(folder) for path, _ in found for folder in PurePosixPath(path).parents)}
    return [(path, size) for path, size in found if size or path not in folders]


def _bring_local(uri: str, target: Path) -> None:
    if os.environ.get(ALLOW_FILE_VARIABLE) != "1":
        raise ModelportError(Reason.INVALID_SPEC, "file: names files of one machine; a cluster needs s3:// or https://")
    path = Path(unquote(urlsplit(uri).path))
    if path.is_dir() == uri.endswith("/") and path.exists():
        if path.is_dir():
            list_tree(path)  # which has a limit
            shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy(path, target / path.name)
        return
    kind = "a folder" if uri.endswith("/") else "a file"
    raise ModelportError(Reason.SOURCE_NOT_FOUND, f"{uri}: expected {kind}, found none")
