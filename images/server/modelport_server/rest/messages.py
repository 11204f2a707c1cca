"""Requests and answers of HTTP, between connections and the application."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from modelport_server.protocol.payloads import Buffer

Headers = dict[bytes, bytes]
RawHeaders = tuple[tuple[bytes, bytes], ...]
JSON: RawHeaders = ((b"content-type", b"application/json"),)


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request, complete."""

    method: str
    path: str
    headers: Headers
    """By lower-case name; of several with the same name the last."""
    body: Buffer
    client_leaves: Callable[[], Awaitable[None]]
    """Returns when nobody waits for the answer any more."""
    arrived: float
    """When it was complete."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What goes back."""

    pieces: Sequence[Buffer]
    """The body, in parts that are not to be copied together first."""
    status: int = 200
    headers: RawHeaders = JSON
