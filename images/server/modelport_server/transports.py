"""Both transports behind one listener: a request goes to the one whose paths it asks for, whatever port it came to."""

from modelport_server.asgi import Application, Receive, Scope, Send

GRPC_PATHS = ("/inference.", "/grpc.")
"""Paths of gRPC begin with a package; those of REST never do."""


class Transports:
    """An ASGI application of two."""

    def __init__(self, rest: Application, grpc: Application) -> None:
        """Take one for each transport."""
        self._rest, self._grpc = rest, grpc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        transport = self._grpc if scope["path"].startswith(GRPC_PATHS) else self._rest
        await transport(scope, receive, send)
