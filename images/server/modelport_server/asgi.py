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
    told = headers.get(b"content-length", b"")
    if told.isdigit() and int(told[:20]) > limit:
        raise TooLargeError(f"body: expected at most {limit} bytes, found {told[:20].decode()}")
    message = await receive()
    first: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientLeftError("the client left before its request was complete")
    if not message.get("more_body"):
        if len(first) > limit:
            raise TooLargeError(f"body: expected at most {limit} bytes, found {len(first)}")
        return first
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _collected(first, receive, limit)
    except TimeoutError as error:
        raise TooSlowError(f"body: expected within {limits.body_seconds:g} s, still incomplete") from error


async def _collected(first: bytes, receive: Receive, limit: int) -> bytes:
    chunks, size, more = [first], len(first), True
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
    return b"".join(chunks)


async def client_left(receive: Receive) -> None:
    """Return when the client has gone away; its body must have been received."""
    while (await receive())["type"] != "http.disconnect":
        pass
