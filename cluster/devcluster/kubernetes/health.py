"""Asking a component whether it is well: one short question, never an exception."""

import http.client
import socket
import ssl
import urllib.request
from pathlib import Path

_TIMEOUT_SECONDS = 2.0


def socket_answers(path: Path) -> bool:
    """Whether somebody listens on the unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT_SECONDS)
        try:
            connection.connect(str(path))
        except OSError:
            return False
        return True


def says_ok(url: str, pki: Path | None = None) -> bool:
    """Whether a GET answers 200; with `pki`, both sides show certificates of our authority."""
    direct = urllib.request.ProxyHandler({})  # a proxy of the user's has no business here
    opener = urllib.request.build_opener(direct, urllib.request.HTTPSHandler(context=_context(pki)))
    try:
        with opener.open(url, timeout=_TIMEOUT_SECONDS) as answer:
            return int(answer.status) == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


def _context(pki: Path | None) -> ssl.SSLContext:
    if pki is None:  # components that sign their own certificate on 127.0.0.1
        return ssl._create_unverified_context()  # noqa: SLF001
    name = "admin"
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / f"{name}.crt", pki / f"{name}.key")
    return context
