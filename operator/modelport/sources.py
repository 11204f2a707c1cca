"""Where sources come from: s3://, https://, http:// with a digest, and file: for runs without a cluster."""

import ipaddress
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from modelport.contract import File, ModelportError
from modelport.files import describe, describe_tree, relative_parts, tree_digest
from modelport.reasons import Reason
from modelport.store import Reasons, open_location

ALLOW_FILE_VARIABLE = "MODELPORT_ALLOW_FILE"
REASONS = Reasons(Reason.SOURCE_NOT_FOUND, Reason.SOURCE_ACCESS_DENIED, Reason.SOURCE_UNREACHABLE)
_METADATA_NETWORKS = (ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fe80::/10"))


def bring(uri: str, credentials: Mapping[str, str], target: Path) -> tuple[str, list[File]]:
    """Copy what is at `uri` into the folder `target`; return its digest and its files.

    The digest of one file is its SHA-256, the digest of a prefix (it ends in "/") that of the list of its files.
    Raises ModelportError (SourceNotFound, SourceUnreachable, SourceAccessDenied).
    """
    scheme = urlsplit(uri).scheme
    target.mkdir(parents=True)
    if "?" in uri or "#" in uri:
        raise ModelportError(Reason.INVALID_SPEC, "uri: expected no query, which may hold a secret; use secretRef")
    if scheme == "file":
        _bring_local(uri, target)
    elif scheme in {"s3", "http", "https"}:
        if scheme != "s3":
            _check_host(uri)
        _bring_remote(uri, credentials, target)
    else:
        message = f"expected s3://, https:// or http://, found {scheme}://"
        raise ModelportError(Reason.INVALID_SPEC, message)
    return describe_source(target, is_prefix=uri.endswith("/"))


def describe_source(folder: Path, *, is_prefix: bool) -> tuple[str, list[File]]:
    """Return the digest of a source as it lies in `folder`, and its files: one, unless it is a prefix."""
    if is_prefix:
        files = describe_tree(folder)
        return tree_digest(files), files
    (name,) = (path.name for path in folder.iterdir())
    file = describe(folder, name)
    return file.digest, [file]


def _bring_remote(uri: str, credentials: Mapping[str, str], target: Path) -> None:
    folder, _, name = uri.rpartition("/")
    if name:
        store = open_location(f"{folder}/", credentials, REASONS)
        plain = unquote(name)
        store.download(plain, target / relative_parts(plain)[-1])
        return
    store = open_location(uri, credentials, REASONS)
    paths = [path for path, _ in store.list()]
    if not paths:
        raise ModelportError(Reason.SOURCE_NOT_FOUND, f"{store.uri}/: expected files below this prefix, found none")
    for path in paths:
        store.download(path, target.joinpath(*relative_parts(path)))


def _bring_local(uri: str, target: Path) -> None:
    if os.environ.get(ALLOW_FILE_VARIABLE) != "1":
        raise ModelportError(Reason.INVALID_SPEC, "file: names files of one machine; a cluster needs s3:// or https://")
    path = Path(unquote(urlsplit(uri).path))
    if path.is_dir() == uri.endswith("/") and path.exists():
        if path.is_dir():
            shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy(path, target / path.name)
        return
    kind = "a folder" if uri.endswith("/") else "a file"
    raise ModelportError(Reason.SOURCE_NOT_FOUND, f"{uri}: expected {kind}, found none")


def _check_host(uri: str) -> None:
    """Refuse names of clouds' metadata services: their answers are credentials. Tell an unknown host at once."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        message = f"{host}: expected a host that is known here, found: {error.strerror}"
        raise ModelportError(Reason.SOURCE_UNREACHABLE, message) from error
    for *_, address in found:
        ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
        if any(ip in network for network in _METADATA_NETWORKS):
            message = f"{host}: expected a host that serves models, found a link-local address"
            raise ModelportError(Reason.SOURCE_ACCESS_DENIED, message)
