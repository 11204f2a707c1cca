"""What the transport of gRPC needs of ASGI: its types, and clients that go away."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]


async def client_left(receive: Receive) -> None:
    """Return when the client has gone away; its body must have been received."""
    while (await receive())["type"] != "http.disconnect":
        pass
