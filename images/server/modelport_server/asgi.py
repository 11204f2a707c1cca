"""What both transports share of ASGI: its types, bodies with a bound, and clients that go away."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from modelport_server.errors import ClientLeftError, TooLargeError, TooSlowError
from modelport_server.limits import Limits

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = dict[bytes, bytes]


async def read_body(headers: Headers, receive: Receive, limits: Limits) -> bytes:
    """Return the body. Raises TooLargeError, TooSlowError, ClientLeftError."""
    limit = limits.max_body_bytes
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientLeftError("the client left before its request was complete")
    first: bytes = message.get("body", b"")
    more = message.get("more_body", False)
    if not more and len(first) <= limit:
        return first
    told = headers.get(b"content-length", b"")
    if told.isdigit() and int(told[:20]) > limit:
        raise TooLargeError(f"body: expected at most {limit} bytes, found {told[:20].decode()}")
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _collected(first, receive, limit, more=more)
    except TimeoutError as error:
        raise TooSlowError(f"body: expected within {limits.body_seconds:g} s, still incomplete") from error


async def _collected(first: bytes, receive: Receive, limit: int, *, more: bool) -> bytes:
    chunks, size = [first], len(first)
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError("the client left before its request was complete")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLargeError(f"body: expected at most {limit} bytes, found more")
        chunks.append(chunk)
        more = message.get("more_body", False)
    if size > limit:
        raise TooLargeError(f"body: expected at most {limit} bytes, found {size}")
    return b"".join(chunks)


async def client_left(receive: Receive) -> None:
    """Return when the client has gone away; its body must have been received."""
    while (await receive())["type"] != "http.disconnect":
        pass
