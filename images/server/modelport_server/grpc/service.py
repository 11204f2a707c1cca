"""Methods of the protocol and of gRPC's health checks: bytes in, bytes out, whatever transport brings them."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

from modelport_server.dataplane.calls import Call, clock
from modelport_server.dataplane.plane import VERSION, Outputs, Question, server_metadata
from modelport_server.errors import GrpcStatus, NotFoundError, NotReadyError, RequestError, UnknownMethodError
from modelport_server.grpc.messages import codec, schema
from modelport_server.grpc.statuses import status_of
from modelport_server.lifecycle import Lifecycle
from modelport_server.observation.observers import Observation
from modelport_server.protocol.payloads import Buffer

PREFIX = "/inference.GRPCInferenceService/"
INFER = f"{PREFIX}ModelInfer"
STREAM = f"{PREFIX}ModelStreamInfer"
CHECK = "/grpc.health.v1.Health/Check"
_SERVING, _NOT_SERVING = 1, 2

_Live = schema.message("inference.ServerLiveResponse")
_Ready = schema.message("inference.ServerReadyResponse")
_ModelReadyRequest = schema.message("inference.ModelReadyRequest")
_ModelReady = schema.message("inference.ModelReadyResponse")
_ServerMetadata = schema.message("inference.ServerMetadataResponse")
_ModelMetadataRequest = schema.message("inference.ModelMetadataRequest")
_ModelMetadata = schema.message("inference.ModelMetadataResponse")
_HealthRequest = schema.message("grpc.health.v1.HealthCheckRequest")
_Health = schema.message("grpc.health.v1.HealthCheckResponse")

Pieces = list[Buffer]
"""A message, to be joined."""
Leaves = Callable[[], Awaitable[None]]


class Service:
    """Answer for one model."""

    def __init__(self, lifecycle: Lifecycle, observation: Observation) -> None:
        """Take what the requests share; the data plane comes later."""
        self._lifecycle, self._observation = lifecycle, observation
        self._pages: dict[str, Callable[[bytes], bytes]] = {
            f"{PREFIX}ServerLive": self._live,
            f"{PREFIX}ServerReady": self._ready,
            f"{PREFIX}ModelReady": self._model_ready,
            f"{PREFIX}ServerMetadata": self._server_metadata,
            f"{PREFIX}ModelMetadata": self._model_metadata,
            CHECK: self._check,
        }

    def page(self, path: str) -> Callable[[bytes], bytes]:
        """Return what answers a method with one message in each direction, at once. Raises UnknownMethodError."""
        page = self._pages.get(path)
        if page is None:
            raise UnknownMethodError(f"{path[:200]}: expected a method of inference.GRPCInferenceService")
        return page

    def begin(self, arrived: float, leaves: Leaves | None = None) -> Call:
        """Begin an inference; `leaves` returns when the client is gone."""
        self._observation.begin()
        return Call(arrived, leaves)

    def end(self, call: Call, error: BaseException | None = None) -> None:
        """End it, as the error tells."""
        call.done = clock()
        call.code = _code(error)
        self._observation.end("grpc", call)

    @contextmanager
    def observed(self, call: Call) -> Iterator[None]:
        """Begin and end an inference."""
        self._observation.begin()
        with self.ending(call):
            yield

    @contextmanager
    def ending(self, call: Call) -> Iterator[None]:
        """End an inference that has begun."""
        error: BaseException | None = None
        try:
            yield
        except BaseException as found:
            error = found
            raise
        finally:
            self.end(call, error)

    def read(self, message: bytes, call: Call) -> tuple[codec.Request, Question]:
        """Read a request of ModelInfer. Raises RequestError."""
        call.received = clock()
        plane = self._lifecycle.serving_plane()
        request, inputs = codec.decode(message)
        call.id = request.id
        plane.check_model(request.model, request.version)
        if request.parameters:
            call.take_timeout(request.timeout)
        return request, plane.read(inputs, request.wanted, call)

    def write(self, request: codec.Request, outputs: Outputs) -> Pieces:
        """Write an answer."""
        return codec.encode(self._named, request, outputs)

    async def infer(self, message: bytes, call: Call) -> Pieces:
        """Answer ModelInfer. Raises RequestError."""
        request, question = self.read(message, call)
        return self.write(request, await question.outputs())

    async def infer_streamed(self, message: bytes, call: Call) -> Pieces:
        """Answer a request of ModelStreamInfer, whatever happens: its failure does not end the stream."""
        try:
            with self.observed(call):
                return codec.streamed(await self.infer(message, call))
        except Exception as error:  # noqa: BLE001 - the client gets its message, whatever it is
            return [codec.streamed_error(status_of(error).message, call.id)]

    @cached_property
    def _named(self) -> bytes:
        return codec.named(self._lifecycle.model_name, VERSION)

    def _live(self, _message: bytes) -> bytes:
        return _written(_Live(live=True))

    def _ready(self, _message: bytes) -> bytes:
        return _written(_Ready(ready=self._is_ready()))

    def _model_ready(self, message: bytes) -> bytes:
        request = codec.parse(_ModelReadyRequest, message)
        if self._lifecycle.plane is not None:
            self._lifecycle.plane.check_model(request.name, request.version or None)
        return _written(_ModelReady(ready=self._is_ready()))

    def _server_metadata(self, _message: bytes) -> bytes:
        metadata = server_metadata(self._lifecycle.config)
        return _written(_ServerMetadata(name=metadata.name, version=metadata.version, extensions=metadata.extensions))

    def _model_metadata(self, message: bytes) -> bytes:
        request = codec.parse(_ModelMetadataRequest, message)
        plane = self._lifecycle.serving_plane()
        plane.check_model(request.name, request.version or None)
        metadata = plane.model_metadata()
        answer = _ModelMetadata(name=metadata.name, versions=metadata.versions, platform=metadata.platform)
        for tensors, kind in ((metadata.inputs, answer.inputs), (metadata.outputs, answer.outputs)):
            for tensor in tensors:
                described = kind.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
                for name, value in tensor.parameters.items():
                    parameter = described.parameters[name]
                    if isinstance(value, int):
                        parameter.int64_param = value
                    else:
                        parameter.string_param = str(value)
        return _written(answer)

    def _check(self, message: bytes) -> bytes:
        service = codec.parse(_HealthRequest, message).service
        if service not in {"", self._lifecycle.model_name}:
            raise NotFoundError(f"service {service[:64]}: expected none, or {self._lifecycle.model_name}")
        return _written(_Health(status=_SERVING if self._is_ready() else _NOT_SERVING))

    def _is_ready(self) -> bool:
        try:
            self._lifecycle.ready_plane()
        except NotReadyError:
            return False
        return True


def _written(message: object) -> bytes:
    content: bytes = message.SerializeToString()  # type: ignore[attr-defined]
    return content


def _code(error: BaseException | None) -> str:
    if error is None:
        return GrpcStatus.OK.name
    if isinstance(error, RequestError):
        return error.grpc_status.name
    return (GrpcStatus.INTERNAL if isinstance(error, Exception) else GrpcStatus.CANCELLED).name
