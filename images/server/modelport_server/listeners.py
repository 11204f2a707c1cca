"""Where requests come in: REST on one port, gRPC on another, from before the model is loaded until all is answered.

The port is to be free: `check_port` tells if it is not, better than any of the listeners does.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h2corn

from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport_server.grpc.application import Application as GrpcApplication
from modelport_server.grpc.policies import request_policies
from modelport_server.lifecycle import Lifecycle
from modelport_server.limits import BACKLOG, HEAD_SECONDS, Limits
from modelport_server.observation import Observation
from modelport_server.rest.application import Application as RestApplication
from modelport_server.rest.server import Server as RestServer

FINISH_SECONDS = 20.0
"""How long requests under way may take once the server stops."""


@asynccontextmanager
async def rest(
    host: str, port: int, lifecycle: Lifecycle, observation: Observation, limits: Limits
) -> AsyncIterator[None]:
    """Answer REST within."""
    server = RestServer(RestApplication(lifecycle, observation, limits), lifecycle, limits)
    await server.open(host, port)
    observation.metrics.receiving = lambda: server.receiving
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
    config = h2corn.Config(
        bind=(f"{host}:{port}",),
        runtime_threads=1,
        loop="asyncio",
        lifespan="off",
        access_log=False,
        date_header=False,
        grpc=True,
        http1=False,
        backlog=BACKLOG,
        limit_connections=limits.max_connections,
        request_policies=request_policies(limits),
        timeout_request_header=HEAD_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    server = h2corn.Server(application, config)
    serving = asyncio.create_task(server.serve())
    await server.wait_started()
    try:
        yield
    finally:
        application.finish_streams()
        server.shutdown()
        await serving


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
