"""Object stores: the namespace's own, and those that sources come from; one thin layer over obstore.

Content goes in under digests and comes out checked, so that nothing of what a store says is believed. Credentials are
folders with one file per key, as Kubernetes mounts Secrets; they reach no message.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.files import CheckedReader
from modelport.storage.manifests import File

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CONNECT_SECONDS = 5
RETRIES = 4
RETRY_SECONDS = 20
CHUNK_BYTES = 8 << 20
MAX_SMALL_BYTES = 8 << 20
URI_KEY = "uri"


class Reasons(NamedTuple):
    """What failures of this store are called."""

    missing: Reason
    denied: Reason
    unavailable: Reason


STORE_REASONS = Reasons(Reason.STORE_UNAVAILABLE, Reason.STORE_ACCESS_DENIED, Reason.STORE_UNAVAILABLE)


def read_credentials(folder: Path) -> dict[str, str]:
    """Return a mounted Secret: one file per key; empty where there is none."""
    if not folder.is_dir():
        return {}
    return {file.name: file.read_text().strip() for file in folder.iterdir() if not file.name.startswith("..")}


def open_store(credentials: Mapping[str, str]) -> "Store":
    """Open the namespace's store from its Secret. Raises ModelportError (StoreNotConfigured)."""
    uri = credentials.get(URI_KEY)
    if not uri:
        message = "Secret modelport-store: expected the key uri, such as s3://bucket/prefix, found none"
        raise ModelportError(Reason.STORE_NOT_CONFIGURED, message)
    try:
        return Store(_open(uri, credentials), uri.rstrip("/"), STORE_REASONS)
    except Exception as error:  # obstore's configuration errors have no common base
        message = (
            f"Secret modelport-store: expected a uri such as s3://bucket/prefix, found {_public(uri)}: {_told(error)}"
        )
        raise ModelportError(Reason.STORE_NOT_CONFIGURED, message) from error


def open_location(uri: str, credentials: Mapping[str, str], reasons: Reasons) -> "Store":
    """Open what is at `uri` as a store: the folder of a file, or a prefix."""
    try:
        return Store(_open(uri, credentials), uri.rstrip("/"), reasons)
    except Exception as error:  # as above
        raise ModelportError(reasons.missing, f"{_public(uri)}: {_told(error)}") from error


def _open(uri: str, credentials: Mapping[str, str]) -> "ObjectStore":
    from obstore.store import HTTPStore, LocalStore, S3Store

    backoff = {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=3), "base": 2}
    retry: Any = {"max_retries": RETRIES, "backoff": backoff, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}
    client: Any = {"connect_timeout": f"{CONNECT_SECONDS}s", "timeout": "1h", "allow_http": True}
    parts = urlsplit(uri)
    if parts.scheme == "file":
        Path(parts.path).mkdir(parents=True, exist_ok=True)
        return LocalStore(parts.path)
    if parts.scheme in {"http", "https"}:
        if "username" in credentials:
            client["default_headers"] = {"authorization": _basic(credentials)}
        return HTTPStore.from_url(uri, client_options=client, retry_config=retry)
    config: Any = {key.lower(): value for key, value in credentials.items() if key.startswith("AWS_")}
    if not config.get("aws_access_key_id"):
        config["aws_skip_signature"] = "true"
    config.setdefault("aws_region", "us-east-1")
    return S3Store.from_url(uri, config=config, client_options=client, retry_config=retry)


def _basic(credentials: Mapping[str, str]) -> str:
    from base64 import b64encode

    pair = f"{credentials['username']}:{credentials.get('password', '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


class Store:
    """One place with content, by paths relative to its URI."""

    def __init__(self, inner: "ObjectStore", uri: str, reasons: Reasons) -> None:
        """Take an open store; `uri` is what messages and status say."""
        self._inner, self.uri, self._reasons = inner, uri, reasons

    def exists(self, path: str) -> bool:
        """Whether something is at `path`."""
        import obstore

        with self._told(path):
            try:
                obstore.head(self._inner, path)
            except FileNotFoundError:
                return False
            return True

    def list(self, prefix: str = "") -> list[tuple[str, int]]:
        """Return paths and sizes in bytes of all below a prefix, sorted by path."""
        return sorted(self.walk(prefix))

    def walk(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield the same as the store tells it, page by page: whoever asks a stranger's store stops when it is enough."""
        import obstore

        with self._told(prefix):
            for batch in obstore.list(self._inner, prefix or None):
                yield from ((entry["path"], entry["size"]) for entry in batch)

    def read(self, path: str) -> bytes:
        """Return a small object. Raises ModelportError if it is missing, unreachable, or larger than 8 MiB."""
        import obstore

        with self._told(path):
            found = obstore.get(self._inner, path)
            if found.meta["size"] > MAX_SMALL_BYTES:
                message = f"{self._name(path)}: expected at most {MAX_SMALL_BYTES} bytes, found {found.meta['size']}"
                raise ModelportError(Reason.SOURCE_CORRUPT, message)
            return bytes(found.bytes())

    def download(self, path: str, target: Path, limit: int = sys.maxsize) -> File:
        """Copy an object into a new file; return size and digest of what was written, which ends beyond `limit` bytes."""
        import obstore

        target.parent.mkdir(parents=True, exist_ok=True)
        with self._told(path), target.open("xb") as file:
            digest = sha256()
            for chunk in obstore.get(self._inner, path).stream(min_chunk_size=CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
                if file.tell() > limit:
                    break
            return File(path=path, size_bytes=file.tell(), digest=f"sha256:{digest.hexdigest()}")

    def fetch(self, folder: str, file: File, target: Path) -> None:
        """Download a file of a manifest, and check it. Raises ModelportError (DigestMismatch)."""
        found = self.download(f"{folder}/{file.path}", target, file.size_bytes)
        if found.digest != file.digest:
            message = f"{self._name(folder)}/{file.path}: expected {file.digest}, found {found.digest}; it was changed"
            raise ModelportError(Reason.DIGEST_MISMATCH, message)

    def upload(self, path: str, content: bytes | BufferedReader) -> None:
        """Write an object, over what may be there."""
        import obstore

        with self._told(path):
            obstore.put(self._inner, path, content, use_multipart=None)

    def upload_checked(self, path: str, file: File, content: BufferedReader) -> None:
        """Write an object if it is this file. Raises ModelportError (DigestMismatch), and nothing is there then."""
        import obstore

        reader: Any = CheckedReader(content, file)
        is_large = os.fstat(content.fileno()).st_size > CHUNK_BYTES
        try:
            with self._told(path):
                obstore.put(self._inner, path, reader, use_multipart=is_large)
        except OSError as error:
            raise reader.fault or error from None

    def claim(self, path: str, content: bytes) -> bytes:
        """Write an object unless there is one; return what is there now. The first writer wins."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._told(path):
            try:
                obstore.put(self._inner, path, content, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return self.read(path)
            return content

    def _name(self, path: str) -> str:
        return f"{_public(self.uri)}/{path}".rstrip("/")

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Turn obstore's errors into ours."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            yield
        except FileNotFoundError as error:
            raise ModelportError(
                self._reasons.missing, f"{self._name(path)}: expected an object, found none"
            ) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            message = f"{self._name(path)}: expected access, found that it is denied with the credentials given"
            raise ModelportError(self._reasons.denied, message) from error
        except BaseError as error:
            denied = any(word in str(error) for word in _DENIED)
            reason = self._reasons.denied if denied else self._reasons.unavailable
            raise ModelportError(reason, f"{self._name(path)}: expected an answer, found: {_told(error)}") from error


_DENIED = ("403 Forbidden", "401 Unauthorized", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied")


def _public(uri: str) -> str:
    """Return a URI without user, password and query: it may stand in messages."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"[:300]


def _told(error: Exception) -> str:
    """Return the first line of an error's text, without URLs and without what the server wrote but its error code.

    The query of a URL may hold a signature, and S3's answers repeat the access key and what was signed.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours, _, _ = (lines[0] if lines else type(error).__name__).partition("<")
    code = re.search(r"<Code>(\w{1,64})</Code>", str(error))
    words = [word for word in ours.split() if "://" not in word]
    return " ".join([*words, *([code[1]] if code else [])])[:300]
