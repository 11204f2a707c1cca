"""What the headers of an RPC tell."""

from typing import NamedTuple

from modelport_server.errors import BadRequestError, EncodingError
from modelport_server.grpc.http2.exchange import Headers
from modelport_server.protocol.compression import ENCODINGS

ACCEPTED = ", ".join(("identity", *ENCODINGS))
"""What grpc-accept-encoding tells of this server."""
TRACE = b"traceparent"
_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MAX_DIGITS = 8


class Metadata(NamedTuple):
    """Headers, read."""

    seconds: float | None
    """How long the client waits."""
    parent: bytes | None
    """The client's trace."""
    encoding: str | None
    """How compressed messages of the request are compressed."""
    answer_encoding: str | None
    """How answers may be compressed: as the request is, if the client reads that."""


def read(headers: Headers) -> Metadata:
    """Read headers. Raises BadRequestError, EncodingError."""
    encoding, accepted = headers.get(b"grpc-encoding"), headers.get(b"grpc-accept-encoding", b"")
    timeout = headers.get(b"grpc-timeout")
    seconds = None if timeout is None else _seconds(timeout)
    if encoding is None or encoding == b"identity":
        return Metadata(seconds, headers.get(TRACE), None, None)
    name = encoding.decode("latin-1")
    if name not in ENCODINGS:
        raise EncodingError(f"grpc-encoding: expected {ACCEPTED}, found {name:.32}")
    is_read = encoding in {each.strip() for each in accepted.split(b",")}
    return Metadata(seconds, headers.get(TRACE), name, name if is_read else None)


def _seconds(text: bytes) -> float:
    digits, unit = text[:-1], _SECONDS.get(text[-1:])
    if unit is None or not digits.isdigit() or len(digits) > _MAX_DIGITS:
        told = text.decode("latin-1")
        raise BadRequestError(f"grpc-timeout: expected up to {_MAX_DIGITS} digits and a unit, found {told:.32}")
    return int(digits) * unit
