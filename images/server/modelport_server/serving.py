"""`serve`: load the model, ask it its golden samples, answer until told to stop."""

import asyncio
import logging
import socket
import time
from pathlib import Path
from typing import NamedTuple

from granian.constants import Interfaces
from granian.server.embed import Server

from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.golden import check_golden, read_golden
from modelport_server import backends, processors
from modelport_server.artifact import GOLDEN, open_artifact
from modelport_server.dataplane import DataPlane
from modelport_server.lifecycle import Lifecycle
from modelport_server.metrics import Metrics
from modelport_server.rest.application import Application

logger = logging.getLogger(__name__)


class Options(NamedTuple):
    """What `serve` is told."""

    folder: Path
    name: str
    host: str
    http_port: int
    drain_seconds: float
    max_body_bytes: int


async def serve(options: Options) -> None:
    """Serve until SIGTERM. Raises ModelportError if the model is not to be served, or the port is taken."""
    _check_port(options)
    threads = processors.available()
    lifecycle = Lifecycle(workers=threads)
    lifecycle.listen()
    metrics = Metrics(options.name)
    application = Application(lifecycle, metrics, max_body_bytes=options.max_body_bytes)
    server = Server(
        application,
        address=options.host,
        port=options.http_port,
        interface=Interfaces.RSGI,
        websockets=False,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    try:
        lifecycle.plane = await asyncio.to_thread(_load, options, threads, metrics)
        logger.info("model %s is ready on port %d", options.name, options.http_port)
        stopping = asyncio.create_task(lifecycle.drained(options.drain_seconds))
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.stop()  # type: ignore[no-untyped-call]  # granian gives it none
        await serving
        lifecycle.workers.shutdown()


def _check_port(options: Options) -> None:
    """Raise ModelportError if another process listens: granian would share the port with it (SO_REUSEPORT)."""
    try:
        found = socket.getaddrinfo(options.host, options.http_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        message = f"{options.host}:{options.http_port}: expected a free port to listen on, found: {error.strerror}"
        raise ModelportError(Reason.SERVER_CRASHED, message) from error


def _load(options: Options, threads: int, metrics: Metrics) -> DataPlane:
    started = time.perf_counter()
    artifact = open_artifact(options.folder)
    backend = backends.load(artifact.manifest.runtime, artifact.folder, artifact.model_files, threads)
    plane = DataPlane(name=options.name, artifact=artifact, backend=backend)
    check_golden(read_golden(artifact.folder / GOLDEN), plane.run)
    metrics.load_seconds.set(time.perf_counter() - started)
    metrics.ready.set(1)
    logger.info("artifact %s, %d threads, golden samples agree", artifact.digest, threads)
    return plane
