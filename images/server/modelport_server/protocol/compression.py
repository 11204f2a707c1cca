"""Compressed bodies: gzip and deflate, as the protocol's clients send and ask for them."""

import gzip
import zlib
from collections.abc import Sequence

from modelport_server.errors import BadRequestError, EncodingError, TooLargeError
from modelport_server.protocol.payloads import Buffer

ENCODINGS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""What zlib calls the containers; HTTP's deflate is zlib's own (RFC 9110, 8.4.1.2)."""
LEVEL = 1
"""Quick: floats compress badly at any level."""
MIN_BYTES = 1024
"""Below, an answer grows or gains nothing that a packet notices."""


def decompressed(body: Buffer, encoding: str, limit: int) -> Buffer:
    """Return the body as it was. Raises EncodingError, BadRequestError, TooLargeError."""
    encoding = encoding.strip().lower()
    if encoding == "identity":
        return body
    if encoding not in ENCODINGS:
        raise EncodingError(f"content-encoding: expected {', '.join(ENCODINGS)} or identity, found {encoding:.32}")
    inflater = zlib.decompressobj(ENCODINGS[encoding])
    try:
        content = inflater.decompress(body, limit)
    except zlib.error as error:
        raise BadRequestError(f"body: expected {encoding}, found what is not: {error}") from error
    if inflater.unconsumed_tail:
        raise TooLargeError(f"body: expected at most {limit} bytes when decompressed, found more")
    if not inflater.eof:
        raise BadRequestError(f"body: expected {encoding}, found it cut off")
    if inflater.unused_data:
        raise BadRequestError(f"body: expected {encoding}, found {len(inflater.unused_data)} bytes after its end")
    return content


def compressed(pieces: Sequence[Buffer], accepted: str) -> tuple[bytes, str] | None:
    """Return the content compressed and its encoding, if the client takes one and it is worth while."""
    if sum(map(len, pieces)) < MIN_BYTES:
        return None
    taken = {
        name.strip().lower(): _quality(rest) for name, _, rest in (each.partition(";") for each in accepted.split(","))
    }
    if taken.get("gzip", 0):
        return gzip.compress(b"".join(pieces), LEVEL, mtime=0), "gzip"
    if taken.get("deflate", 0):
        return zlib.compress(b"".join(pieces), LEVEL), "deflate"
    return None


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0
