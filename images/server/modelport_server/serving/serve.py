"""`serve`: load the model, ask it its golden samples, answer until told to stop."""

import asyncio
import logging
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import NamedTuple

from modelport.storage.manifests import GOLDEN, ArtifactManifest
from modelport.verification.verdict.companies import joined_dimension
from modelport.verification.verdict.golden import check_golden, read_golden
from modelport_server.backends.base import How, Traits
from modelport_server.dataplane.plane import DataPlane
from modelport_server.execution import batching, loading, processors
from modelport_server.execution.batching import Batching
from modelport_server.execution.running import Execution, guarded
from modelport_server.execution.threads import Threads, share
from modelport_server.lifecycle import Lifecycle
from modelport_server.observation.metrics import Metrics
from modelport_server.observation.observers import Observation, Tell, log_access
from modelport_server.observation.tracing import Tracing, wants_traces
from modelport_server.serving import listeners
from modelport_server.serving.local_artifact import LocalArtifact, open_artifact
from modelport_server.transport.limits import Limits

logger = logging.getLogger(__name__)

GRPC = {"asyncio": listeners.grpc, "grpcio": listeners.grpcio}
"""What answers gRPC, by the name that the command line has for it."""


class Options(NamedTuple):
    """What `serve` is told."""

    folder: Path
    name: str
    host: str
    http_port: int
    grpc_port: int | None
    grpc_transport: str
    drain_seconds: float
    processors: int | None
    device: str
    limits: Limits
    batching: batching.Settings | None
    access_log: bool


async def serve(options: Options) -> None:
    """Serve until SIGTERM. Raises ModelportError if the model is not to be served, or a port is taken."""
    lifecycle = Lifecycle(options.name)
    lifecycle.listen()
    async with AsyncExitStack() as stack:
        observation = _observation(options, stack)
        behind = stack.enter_context(ExitStack())  # closed behind the listeners: what they answer needs it
        for listen, port in ((listeners.rest, options.http_port), (GRPC[options.grpc_transport], options.grpc_port)):
            if port is not None:
                listeners.check_port(options.host, port)
                shared = (lifecycle, observation, options.limits)
                await stack.enter_async_context(listen(options.host, port, *shared))
        model = await asyncio.to_thread(_load, options, observation.metrics)
        behind.callback(model.execution.close)
        lifecycle.config = _config(options, model)
        lifecycle.plane = _plane(options, model, observation.metrics)
        grpc = "" if options.grpc_port is None else f", gRPC on port {options.grpc_port}"
        logger.info("model %s is ready on port %d%s", options.name, options.http_port, grpc)
        await lifecycle.drained(options.drain_seconds)


def _observation(options: Options, stack: AsyncExitStack) -> Observation:
    others: list[Tell] = [log_access] if options.access_log else []
    if wants_traces():
        tracing = Tracing(options.name)
        stack.callback(tracing.close)
        others.append(tracing)
    return Observation(Metrics(options.name), *others)


class Joins(NamedTuple):
    """Whether requests are joined, and if not although it was asked for, why."""

    settings: batching.Settings | None
    refused: str | None


class _Model(NamedTuple):
    """A model that has answered its golden samples."""

    artifact: LocalArtifact
    traits: Traits
    threads: Threads
    execution: Execution
    joins: Joins


def _load(options: Options, metrics: Metrics) -> _Model:
    started = time.perf_counter()
    artifact = open_artifact(options.folder)
    manifest = artifact.manifest
    traits = loading.find(manifest.runtime).TRAITS
    loading.check_types(manifest.runtime, traits, manifest.signature)
    threads = share(options.processors or processors.available(), traits.most_threads)
    how = How(manifest.load_options, threads.per_run, options.device)
    infer = guarded(loading.load(manifest.runtime, artifact.model_folder, artifact.model_files, how, runs=threads.runs))
    golden = read_golden(artifact.folder / GOLDEN)
    check_golden(golden, infer, manifest.states)
    execution = Execution(
        infer, runs=threads.runs, max_queue=options.limits.max_queue, takes_more=traits.has_one_instance
    )
    execution.measure(golden[0].inputs[0])
    model = _Model(artifact, traits, threads, execution, decide_joins(options.batching, manifest))
    metrics.load_seconds = time.perf_counter() - started
    metrics.is_ready = True
    told = "artifact %s, %d at once with %d threads each, golden samples agree"
    logger.info(told, artifact.digest, threads.runs, threads.per_run)
    return model


def decide_joins(wanted: batching.Settings | None, manifest: ArtifactManifest) -> Joins:
    """Join requests if rows were proved to be independent, and no more of them than were verified together."""
    if wanted is None:
        return Joins(None, None)
    dimension = joined_dimension(manifest.signature)
    if dimension is None or not manifest.has_independent_rows:
        refused = (
            "rows of this model were not proved to be independent of one another"
            if dimension
            else "inputs and outputs have no free first dimension of the same name"
        )
        logger.warning("no batching: %s", refused)
        return Joins(None, refused)
    limits = manifest.lengths.get(dimension)
    most = wanted.max_size if limits is None or limits.max is None else min(wanted.max_size, limits.max)
    return Joins(wanted._replace(max_size=most), None)


def _plane(options: Options, model: _Model, metrics: Metrics) -> DataPlane:
    runner: Execution | Batching = model.execution
    metrics.waiting = lambda: model.execution.waiting
    if model.joins.settings is not None:
        joined = runner = Batching(model.execution, model.joins.settings, max_queue=options.limits.max_queue)
        joined.on_batch = metrics.batch
        metrics.waiting = lambda: joined.waiting + model.execution.waiting
    manifest = model.artifact.manifest
    return DataPlane(
        name=options.name,
        platform=model.traits.platform,
        signature=manifest.signature,
        lengths=manifest.lengths,
        takes_bytes=model.traits.takes_bytes,
        runner=runner,
    )


def _config(options: Options, model: _Model) -> dict[str, object]:
    limits = options.limits
    joined, refused = model.joins
    return {
        "artifact": model.artifact.digest,
        "device": options.device,
        "runs": model.threads.runs,
        "threads_per_run": model.threads.per_run,
        "max_body_bytes": limits.max_body_bytes,
        "max_queue": limits.max_queue,
        "batching": joined and {"max_size": joined.max_size, "max_delay_milliseconds": joined.max_delay_seconds * 1e3},
        **({"batching_refused": refused} if refused else {}),
    }
