"""Where requests come in: REST on one port, gRPC on another, from before the model is loaded until all is answered.

The port is to be free: `check_port` tells if it is not, better than any of the listeners does.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_server.grpc.application import Application as GrpcApplication
from modelport_server.grpc.http2.server import Server as GrpcServer
from modelport_server.lifecycle import Lifecycle
from modelport_server.observation.observers import Observation
from modelport_server.rest.application import Application as RestApplication
from modelport_server.rest.server import Server as RestServer
from modelport_server.transport.limits import Limits

FINISH_SECONDS = 15.0
"""How long requests under way may take once the server stops; gRPC ends first, then REST, within the pod's 40 s."""


@asynccontextmanager
async def rest(
    host: str, port: int, lifecycle: Lifecycle, observation: Observation, limits: Limits
) -> AsyncIterator[None]:
    """Answer REST within."""
    server = RestServer(RestApplication(lifecycle, observation, limits), lifecycle, limits)
    await server.open(host, port)
    observation.metrics.receiving.append(lambda: server.receiving)
    try:
        yield
    finally:
        await server.close(FINISH_SECONDS)


@asynccontextmanager
async def grpcio(
    host: str, port: int, lifecycle: Lifecycle, observation: Observation, limits: Limits
) -> AsyncIterator[None]:
    """Answer gRPC within, by the library of gRPC's authors."""
    from modelport_server.grpc.fallback import listening  # the library takes its time, and few want it

    async with listening(lifecycle, observation, limits, f"{host}:{port}", finish_seconds=FINISH_SECONDS):
        yield


@asynccontextmanager
async def grpc(
    host: str, port: int, lifecycle: Lifecycle, observation: Observation, limits: Limits
) -> AsyncIterator[None]:
    """Answer gRPC within."""
    application = GrpcApplication(lifecycle, observation, limits)
    server = GrpcServer(application, lifecycle, limits)
    await server.open(host, port)
    observation.metrics.receiving.append(lambda: server.receiving)
    try:
        yield
    finally:
        application.finish_streams()
        await server.close(FINISH_SECONDS)


def check_port(host: str, port: int) -> None:
    """Raise ModelportError if another process listens."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        message = f"{host}:{port}: expected a free port to listen on, found: {error.strerror}"
        raise ModelportError(Reason.SERVER_CRASHED, message) from error
