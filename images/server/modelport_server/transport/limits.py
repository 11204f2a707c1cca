"""How much of the server one client, or all of them, may take."""

from typing import NamedTuple

BACKLOG = 1024
"""Connections that may wait to be accepted."""
HEAD_SECONDS = 30.0
"""How long a client may take to send the head of a request, from its first byte."""
STALLED_SECONDS = 60.0
"""How long an answer may be under way without the client taking all of it."""


class Limits(NamedTuple):
    """Bounds, with defaults that fit most models."""

    max_body_bytes: int = 256 << 20
    """Largest request, compressed or not."""
    body_seconds: float = 60.0
    """How long a client may take to send a request."""
    max_queue: int = 256
    """Requests that may wait for the model; more are answered with 503."""
    max_connections: int = 1024
    """Connections at the same time, of each transport; more are told to try again."""
    max_received_bytes: int = 512 << 20
    """Bytes of all requests of a transport that are being received, together, and as many of answers that clients of gRPC
    do not take; who brings more is told to try again."""
