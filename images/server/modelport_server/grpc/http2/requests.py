"""Headers of requests. Source: RFC 9113, 8.2 and 8.3."""

from typing import Final

from modelport_server.grpc.http2.exchange import Headers
from modelport_server.grpc.http2.framing import PROTOCOL_ERROR, StreamFailedError
from modelport_server.grpc.http2.hpack import Field

PSEUDO: Final = {b":method": 1, b":scheme": 2, b":path": 4, b":authority": 8}
NEEDED: Final = 7
"""All of them but the authority."""
FOREIGN: Final = {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
"""What belongs to a connection of HTTP/1.1."""
READ: Final = {
    b"content-length",
    b"content-type",
    b"grpc-accept-encoding",
    b"grpc-encoding",
    b"grpc-timeout",
    b"traceparent",
}
"""What anybody here looks at; the rest is not kept."""
_COLON: Final = 0x3A


def read_request(fields: list[Field]) -> tuple[str, Headers]:
    """Return path and headers, of several with the same name the last. Raises StreamFailedError."""
    headers: Headers = {}
    pseudo = 0
    is_behind = False
    for field in fields:
        name = field.name
        if not field.is_valid:
            raise _malformed(name)
        if name[0] == _COLON:
            bit = PSEUDO.get(name, 0)
            if is_behind or bit == 0 or pseudo & bit:
                raise _malformed(name)
            pseudo |= bit
            headers[name] = field.value
            continue
        is_behind = True
        if name in READ:
            headers[name] = field.value
        elif name in FOREIGN or (name == b"te" and field.value != b"trailers"):
            raise _malformed(name)
    if pseudo & NEEDED != NEEDED or not headers[b":path"]:
        raise _malformed(b":path")
    return headers[b":path"].decode("latin-1"), headers


def _malformed(name: bytes) -> StreamFailedError:
    return StreamFailedError(PROTOCOL_ERROR, f"headers: expected a request, found {name!r:.64}")
