"""`serve`: load the model, ask it its golden samples, answer until told to stop."""

import asyncio
import logging
import time
from pathlib import Path
from typing import NamedTuple

from granian.constants import Interfaces
from granian.server.embed import Server

from modelport import __version__
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
    """Serve until SIGTERM. Raises ModelportError if the model cannot be loaded or answers otherwise than verified."""
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


def _load(options: Options, threads: int, metrics: Metrics) -> DataPlane:
    started = time.perf_counter()
    artifact = open_artifact(options.folder)
    backend = backends.load(artifact.manifest.runtime, artifact.folder, artifact.model_files, threads)
    plane = DataPlane(name=options.name, version=__version__, artifact=artifact, backend=backend)
    check_golden(read_golden(artifact.folder / GOLDEN), plane.run)
    metrics.load_seconds.set(time.perf_counter() - started)
    metrics.ready.set(1)
    logger.info("artifact %s, %d threads, golden samples agree", artifact.digest, threads)
    return plane
