"""gRPC over HTTP/2: paths, messages and trailers. What a message means is the service's business."""

from collections.abc import Coroutine, Sequence
from typing import Any
from urllib.parse import quote

from modelport_server.dataplane.calls import Call, clock
from modelport_server.dataplane.plane import Outputs, Question
from modelport_server.errors import EncodingError, GrpcStatus, RequestError
from modelport_server.grpc import metadata
from modelport_server.grpc.frames import Messages, Reader, frame
from modelport_server.grpc.http2.exchange import Answer, Exchange
from modelport_server.grpc.http2.hpack import encode
from modelport_server.grpc.messages import codec
from modelport_server.grpc.service import INFER, STREAM, Service
from modelport_server.grpc.statuses import OK, Status, status_of
from modelport_server.grpc.streams import Streams
from modelport_server.lifecycle import Lifecycle
from modelport_server.observation.observers import Observation
from modelport_server.transport.limits import Limits

GRPC = b"application/grpc"
ACCEPTED = (b"grpc-accept-encoding", metadata.ACCEPTED.encode())
MAX_ASCII, MAX_OTHERS = 1000, 330
"""Characters of a message, encoded in up to 3 bytes each or in up to 12: clients take some thousand bytes of trailers."""
PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
"""What grpc-message holds as it is."""


class Application:
    """Answer RPCs for one model."""

    def __init__(self, lifecycle: Lifecycle, observation: Observation, limits: Limits) -> None:
        """Take what the requests share; the data plane comes later, so that probes are answered before."""
        self._service, self._limits = Service(lifecycle, observation), limits
        self._streams = Streams(self._service)

    def begin(self, exchange: Exchange) -> Answer | Coroutine[Any, Any, None] | None:
        """Refuse what is no RPC; answer a stream while it comes."""
        headers = exchange.headers
        kind = headers.get(b"content-type", b"")
        if headers[b":method"] != b"POST" or not (kind == GRPC or kind.startswith((GRPC + b"+", GRPC + b";"))):
            return NO_RPC
        return self._stream(exchange) if exchange.path == STREAM else None

    def respond(self, asked: Sequence[tuple[Exchange, bytes]]) -> list[Answer | Coroutine[Any, Any, Answer]]:
        """Answer RPCs with one message in each direction: each stage for all of them before the next one."""
        begun = [self._begin(exchange, body) for exchange, body in asked]
        for each in begun:
            if isinstance(each, _Inference):
                each.question.run()
        return [self._finish(each) if isinstance(each, _Inference) else each for each in begun]

    def refuse(self, exchange: Exchange, error: RequestError) -> Answer:
        """Answer an RPC that is not received to its end."""
        if exchange.path == INFER:
            self._service.end(self._service.begin(exchange.arrived), error)
        return refusal(error)

    def finish_streams(self) -> None:
        """Let streams end once the requests that they have brought are answered, because the server stops."""
        self._streams.finish()

    def _begin(self, exchange: Exchange, body: bytes) -> "Answer | _Inference":
        if exchange.path != INFER:
            return self._page(exchange, body)
        call = self._service.begin(exchange.arrived, exchange.left)
        try:
            told = metadata.read(exchange.headers)
            call.parent = told.parent
            if told.seconds is not None:
                call.expire_after(told.seconds)
            request, question = self._service.read(Reader(self._limits, told.encoding).only(body), call)
        except Exception as error:  # noqa: BLE001 - the client gets its status, whatever it is
            self._service.end(call, error)
            return refusal(error)
        return _Inference(request, question, told.answer_encoding)

    def _page(self, exchange: Exchange, body: bytes) -> Answer:
        try:
            page = self._service.page(exchange.path)
            told = metadata.read(exchange.headers)
            message = Reader(self._limits, told.encoding).only(body)
            return Answer(START, frame([page(message)]), END)
        except Exception as error:  # noqa: BLE001 - as above
            return refusal(error)

    def _finish(self, inference: "_Inference") -> Answer | Coroutine[Any, Any, Answer]:
        call = inference.question.call
        try:
            outputs = inference.question.result()
            if not isinstance(outputs, list):
                return self._later(inference, outputs)
            answer = self._written(inference, outputs)
        except Exception as error:  # noqa: BLE001 - as above
            self._service.end(call, error)
            return refusal(error)
        self._service.end(call)
        return answer

    async def _later(self, inference: "_Inference", outputs: Coroutine[Any, Any, Outputs]) -> Answer:
        try:
            with self._service.ending(inference.question.call):
                return self._written(inference, await outputs)
        except Exception as error:  # noqa: BLE001 - as above
            return refusal(error)

    def _written(self, inference: "_Inference", outputs: Outputs) -> Answer:
        pieces = self._service.write(inference.request, outputs)
        return Answer(_start_of(inference.encoding), frame(pieces, inference.encoding), END)

    async def _stream(self, exchange: Exchange) -> None:
        try:
            told = metadata.read(exchange.headers)
        except RequestError as error:
            exchange.finish(refusal(error).start)
            return
        deadline = None if told.seconds is None else exchange.arrived + told.seconds

        def new_call() -> Call:
            exchange.check_room()
            call = Call(clock())
            call.parent, call.deadline = told.parent, deadline
            return call

        messages = Messages(exchange, self._limits, told.encoding)
        with self._streams.opened(messages.next, new_call, exchange.keep) as stream:
            exchange.start(_start_of(told.answer_encoding))
            while (pieces := await stream.next_answer()) is not None:
                await exchange.send(frame(pieces, told.answer_encoding))
            exchange.finish(_end_of(stream.status()))


class _Inference:
    """A request of ModelInfer that was read."""

    __slots__ = ("encoding", "question", "request")

    def __init__(self, request: codec.Request, question: Question, encoding: str | None) -> None:
        self.request, self.question, self.encoding = request, question, encoding


def refusal(error: Exception) -> Answer:
    """Return the answer that tells an error: headers and trailers at once."""
    accepted = (ACCEPTED,) if isinstance(error, EncodingError) else ()
    return Answer(encode((*HEADERS, *accepted, *_trailers(status_of(error)))))


def _start_of(encoding: str | None) -> bytes:
    return START if encoding is None else encode((*HEADERS, (b"grpc-encoding", encoding.encode())))


def _end_of(status: Status) -> bytes:
    return encode(_trailers(status))


def _trailers(status: Status) -> list[tuple[bytes, bytes]]:
    trailers = [(b"grpc-status", b"%d" % status.code)]
    if status.message:
        message = status.message[: MAX_ASCII if status.message.isascii() else MAX_OTHERS]
        trailers.append((b"grpc-message", quote(message, safe=PLAIN).encode()))
    return trailers


HEADERS = ((b":status", b"200"), (b"content-type", GRPC))
START = encode(HEADERS)
END = _end_of(OK)
NO_RPC = Answer(
    encode(
        (
            (b":status", b"415"),
            *_trailers(Status(GrpcStatus.INTERNAL, "expected gRPC: POST with content-type application/grpc")),
        )
    )
)
