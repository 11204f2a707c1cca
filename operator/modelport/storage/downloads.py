"""Downloads over HTTP, for sources: https://, and http:// with a digest.

The object-store client is no use here: it needs a Content-Length, which code hosts leave out for archives that they
pack on the fly, and it follows redirects to anywhere. This one looks at the address of every connection it makes, so
that neither a redirect nor a name that changes its address leads to a cloud's metadata service, whose answers are
credentials; it sends credentials to the host of the URI alone, and never goes on from https to http.
"""

import http.client
import ipaddress
import socket
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit, urlunsplit

from modelport import __version__
from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.files import CHUNK_BYTES

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
PAUSES = (0.2, 1.0)
"""Seconds before it is tried again; after that the Job is, with its own back-off."""
_METADATA_NETWORKS = (
    *(ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fe80::/10")),
    ipaddress.ip_network("fd00:ec2::/32"),
)
_DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


def download(uri: str, credentials: Mapping[str, str], target: Path) -> None:
    """Write what is at `uri` into the file `target`, whole.

    Raises ModelportError (SourceNotFound, SourceUnreachable, SourceAccessDenied).
    """
    for pause in (*PAUSES, None):
        try:
            _download(uri, credentials, target)
        except ModelportError as error:
            if error.reason != Reason.SOURCE_UNREACHABLE or pause is None:
                raise
            time.sleep(pause)
        else:
            return


def _download(uri: str, credentials: Mapping[str, str], target: Path) -> None:
    parts = urlsplit(uri)
    # what a URI may not hold as it is, spaces and letters beyond ASCII, is escaped; escapes stay as they are
    url = urlunsplit(parts._replace(path=quote(parts.path, safe="%/:@!$&'()*+,;=~")))
    request = urllib.request.Request(url, headers={"User-Agent": f"modelport/{__version__}"})  # noqa: S310 - see _opener
    if "username" in credentials:
        request.add_unredirected_header("Authorization", _basic(credentials))
    try:
        response = _opener().open(request, timeout=CONNECT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(uri, error.code) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(uri, error) from error
    with response, target.open("wb") as file:
        _save(uri, response, file)


def _save(uri: str, response: http.client.HTTPResponse, file: IO[bytes]) -> None:
    while chunk := _read(uri, response):
        file.write(chunk)
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) != file.tell():  # http.client takes an early end for the end
        message = f"{uri}: expected {length} bytes, found that the connection ended after {file.tell()}"
        raise ModelportError(Reason.SOURCE_UNREACHABLE, message)


def _read(uri: str, response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(uri, error) from error


def _refused(uri: str, code: int) -> ModelportError:
    reason = Reason.SOURCE_NOT_FOUND
    if code in _DENIED:
        reason = Reason.SOURCE_ACCESS_DENIED
    elif code in _PASSING or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        reason = Reason.SOURCE_UNREACHABLE
    return ModelportError(reason, f"{uri}: expected a file, found HTTP status {code}")


def _unreachable(uri: str, error: Exception) -> ModelportError:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    told = f"{type(cause).__name__}: {cause}" if isinstance(cause, Exception) else str(cause)
    return ModelportError(Reason.SOURCE_UNREACHABLE, f"{uri}: expected an answer, found {told[:200]}")


def _basic(credentials: Mapping[str, str]) -> str:
    pair = f"{credentials['username']}:{credentials.get('password', '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


# --- where connections may lead -------------------------------------------------------------------------------------


def is_metadata(address: str) -> bool:
    """Whether an address is link-local, or a metadata service by another name."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return any((mapped or ip) in network for network in _METADATA_NETWORKS)


def _refuse_metadata(host: str, addresses: list[str]) -> None:
    if any(is_metadata(address) for address in addresses):
        message = f"{host}: expected a host that serves models, found a link-local address"
        raise ModelportError(Reason.SOURCE_ACCESS_DENIED, message)


def _before(connection: http.client.HTTPConnection) -> None:
    found = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
    _refuse_metadata(connection.host, [str(address[0]) for *_, address in found])


def _after(connection: http.client.HTTPConnection) -> None:
    """Look once more, at the address that was taken: a name may have another by now. Nothing is asked yet."""
    _refuse_metadata(connection.host, [str(connection.sock.getpeername()[0])])
    connection.sock.settimeout(READ_SECONDS)


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        _before(self)
        super().connect()
        _after(self)


class _SecureConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        _before(self)
        super().connect()
        _after(self)


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0917 - the signature is the standard library's
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.startswith("https:"):
            message = f"{req.host}: expected https all the way, found a redirect that leaves it"
            raise ModelportError(Reason.SOURCE_ACCESS_DENIED, message)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https alone: urllib's own opener also follows redirects to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
        _Http(),
        _Https(),
    ):
        opener.add_handler(handler)
    return opener
