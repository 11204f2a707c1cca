"""Servers of gRPC by each of the two transports, and messages for them as a client makes them."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
from serving.models.artifacts import write_artifact
from tritonclient.grpc import service_pb2, service_pb2_grpc

from modelport.verification.verdict.golden import Golden
from modelport_server.backends.base import How
from modelport_server.dataplane.plane import DataPlane
from modelport_server.execution import loading
from modelport_server.execution.running import Execution, guarded
from modelport_server.grpc.application import Application
from modelport_server.grpc.http2.server import Server
from modelport_server.lifecycle import Lifecycle
from modelport_server.observation.metrics import Metrics
from modelport_server.observation.observers import Observation
from modelport_server.protocol.datatypes import BY_DTYPE
from modelport_server.serving.local_artifact import open_artifact
from modelport_server.transport.limits import Limits
from server.models import LOOP, loop_bytes
from server.processes import MODEL, serving

TRANSPORTS = ("asyncio", "grpcio")
ROUNDS_PER_GOLDEN = 50_000
"""Enough for a run that is too long for the event loop."""


class Place(NamedTuple):
    """A server."""

    address: str
    metrics: Callable[[], str]


@contextmanager
def placed(transport: str, artifact: Path) -> Iterator[Place]:
    """Run a server that is ready, with one thread for the model."""
    with serving(artifact, "--threads", "1", "--grpc-transport", transport) as server:
        yield Place(f"127.0.0.1:{server.grpc_port}", lambda: str(server.ask("/metrics").body, "utf-8"))


class Near(NamedTuple):
    """A listener in a thread of this process."""

    application: Application
    metrics: Metrics
    port: int
    loop: asyncio.AbstractEventLoop
    server: Server


@contextmanager
def near(artifact: Path, limits: Limits) -> Iterator[Near]:
    """Listen in this process, so that what listens can be looked at."""
    with ready(artifact) as lifecycle, asyncio.Runner() as runner:
        metrics = Metrics(MODEL)
        application = Application(lifecycle, Observation(metrics), limits)
        server, loop = Server(application, lifecycle, limits), runner.get_loop()
        loop.run_until_complete(server.open("127.0.0.1", 0))
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield Near(application, metrics, server.port, loop, server)
        finally:
            asyncio.run_coroutine_threadsafe(server.close(0), loop).result(30)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


@contextmanager
def ready(artifact: Path) -> Iterator[Lifecycle]:
    """Return the life of a server that is ready."""
    opened = open_artifact(artifact)
    infer = loading.load(opened.manifest.runtime, opened.model_folder, opened.model_files, How())
    execution = Execution(guarded(infer), runs=1, max_queue=Limits().max_queue)
    lifecycle = Lifecycle(MODEL)
    lifecycle.plane = DataPlane(
        name=MODEL,
        platform=loading.find(opened.manifest.runtime).TRAITS.platform,
        signature=opened.manifest.signature,
        lengths=opened.manifest.lengths,
        takes_bytes=False,
        runner=execution,
    )
    yield lifecycle
    execution.close()


@contextmanager
def stub_at(address: str) -> Iterator[Any]:
    """Return the client that protoc makes."""
    with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def request(**arrays: Any) -> Any:
    """Return an inference with raw tensors."""
    message = service_pb2.ModelInferRequest(model_name=MODEL)
    for name, array in arrays.items():
        values = np.asarray(array)
        message.inputs.add(name=name, datatype=BY_DTYPE[values.dtype.name].name, shape=values.shape)
        message.raw_input_contents.append(values.tobytes())
    return message


def slow_artifact(folder: Path) -> Path:
    """Write a model that takes as long as it is told, and never so short that it runs in the event loop."""
    golden = Golden(
        ({"rounds": np.array(ROUNDS_PER_GOLDEN)},), ({"sum": np.full(1, ROUNDS_PER_GOLDEN, np.float32)},), {"sum": 1.0}
    )
    return write_artifact(folder, loop_bytes(), LOOP, [golden])
