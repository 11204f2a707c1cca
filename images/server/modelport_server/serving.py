"""`serve`: load the model, ask it its golden samples, answer until told to stop."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from h2corn import Config, Server

from modelport.contract import ModelportError
from modelport.reasons import Reason
from modelport.verification.golden import Golden, check_golden, read_golden
from modelport_server import backends, batching, processors
from modelport_server.artifact import GOLDEN, Artifact, open_artifact
from modelport_server.backends import Infer
from modelport_server.batching import Batching
from modelport_server.dataplane import DataPlane, guarded
from modelport_server.errors import InferenceError
from modelport_server.execution import Execution
from modelport_server.grpc.application import Application as GrpcApplication
from modelport_server.lifecycle import Lifecycle
from modelport_server.limits import Limits
from modelport_server.metrics import Metrics
from modelport_server.observation import Observation, Tell, log_access
from modelport_server.rest.application import Application as RestApplication
from modelport_server.tracing import Tracing, wants_traces
from modelport_server.transports import Transports

logger = logging.getLogger(__name__)

BACKLOG = 1024
HEADER_SECONDS = 30.0
"""How long a client may take to send the head of a request."""
FINISH_SECONDS = 20.0
"""How long requests under way may take once the server stops."""


class Options(NamedTuple):
    """What `serve` is told."""

    folder: Path
    name: str
    host: str
    http_port: int
    grpc_port: int | None
    drain_seconds: float
    threads: int | None
    limits: Limits
    batching: batching.Settings | None
    access_log: bool


async def serve(options: Options) -> None:
    """Serve until SIGTERM. Raises ModelportError if the model is not to be served, or a port is taken."""
    _check_port(options.host, options.http_port)
    if options.grpc_port is not None:
        _check_port(options.host, options.grpc_port)
    lifecycle = Lifecycle(options.name)
    lifecycle.listen()
    async with AsyncExitStack() as stack:
        observation = _observation(options, stack)
        serving = await stack.enter_async_context(_listening(options, lifecycle, observation))
        model = await asyncio.to_thread(_load, options, observation.metrics)
        stack.callback(model.execution.close)
        lifecycle.config = _config(options, model)
        lifecycle.plane = _plane(options, model, observation.metrics)
        grpc = "" if options.grpc_port is None else f", gRPC on port {options.grpc_port}"
        logger.info("model %s is ready on port %d%s", options.name, options.http_port, grpc)
        stopping = asyncio.create_task(lifecycle.drained(options.drain_seconds))
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)


def _observation(options: Options, stack: AsyncExitStack) -> Observation:
    others: list[Tell] = [log_access] if options.access_log else []
    if wants_traces():
        tracing = Tracing(options.name)
        stack.callback(tracing.close)
        others.append(tracing)
    return Observation(Metrics(options.name), *others)


@asynccontextmanager
async def _listening(
    options: Options, lifecycle: Lifecycle, observation: Observation
) -> AsyncIterator["asyncio.Task[None]"]:
    """Answer on all ports, first of all probes; at the end finish what is under way."""
    limits = options.limits
    ports = {options.http_port, *([] if options.grpc_port is None else [options.grpc_port])}
    config = Config(
        bind=tuple(f"{options.host}:{port}" for port in sorted(ports)),
        runtime_threads=1,
        loop="asyncio",
        lifespan="off",
        access_log=False,
        grpc=options.grpc_port is not None,
        backlog=BACKLOG,
        limit_connections=limits.max_connections,
        max_request_body_size=0,  # the transports bound it, with a message
        timeout_request_header=HEADER_SECONDS,
        timeout_request_body_idle=limits.body_seconds,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    rest = RestApplication(lifecycle, observation, limits)
    server = Server(Transports(rest, GrpcApplication(lifecycle, observation, limits)), config)
    serving = asyncio.create_task(server.serve())
    await server.wait_started()
    try:
        yield serving
    finally:
        server.shutdown()
        await serving


def _check_port(host: str, port: int) -> None:
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


class _Model(NamedTuple):
    """A model that has answered its golden samples."""

    artifact: Artifact
    platform: str
    threads: int
    execution: Execution
    batching: batching.Settings | None


def _load(options: Options, metrics: Metrics) -> _Model:
    started = time.perf_counter()
    artifact = open_artifact(options.folder)
    threads = options.threads or processors.available()
    backend = backends.load(artifact.manifest.runtime, artifact.folder, artifact.model_files, threads)
    infer = guarded(backend.infer)
    golden = read_golden(artifact.folder / GOLDEN)
    check_golden(golden, infer)
    execution = Execution(infer, threads=threads, max_queue=options.limits.max_queue)
    execution.measure(golden[0].inputs)
    model = _Model(artifact, backend.platform, threads, execution, _batching(options, artifact, golden, infer))
    metrics.load_seconds = time.perf_counter() - started
    metrics.is_ready = True
    logger.info("artifact %s, %d threads, golden samples agree", artifact.digest, threads)
    return model


def _batching(options: Options, artifact: Artifact, golden: list[Golden], infer: Infer) -> batching.Settings | None:
    """Return the settings, if rows of this model are independent; if not, requests run one by one, and that is told."""
    if options.batching is None:
        return None
    if batching.batch_dimension(artifact.manifest.signature) is None:
        logger.warning("no batching: inputs and outputs have no free first dimension of the same name")
        return None
    try:
        check_golden(golden, batching.in_company(infer))
    except (ModelportError, InferenceError) as error:
        logger.warning("no batching: rows answer otherwise in company than alone: %s", error)
        return None
    return options.batching


def _plane(options: Options, model: _Model, metrics: Metrics) -> DataPlane:
    runner: Execution | Batching = model.execution
    metrics.waiting = lambda: model.execution.waiting
    if model.batching is not None:
        joined = runner = Batching(model.execution, model.batching, max_queue=options.limits.max_queue)
        joined.on_batch = metrics.batch
        metrics.waiting = lambda: joined.waiting + model.execution.waiting
    return DataPlane(
        name=options.name, platform=model.platform, signature=model.artifact.manifest.signature, runner=runner
    )


def _config(options: Options, model: _Model) -> dict[str, object]:
    limits = options.limits
    joined = model.batching
    return {
        "artifact": model.artifact.digest,
        "threads": model.threads,
        "max_body_bytes": limits.max_body_bytes,
        "max_queue": limits.max_queue,
        "batching": joined and {"max_size": joined.max_size, "max_delay_milliseconds": joined.max_delay_seconds * 1e3},
    }
