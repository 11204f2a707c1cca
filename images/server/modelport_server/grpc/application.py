"""gRPC over HTTP/2: paths, messages and trailers. What a message means is the service's business."""

from collections.abc import Coroutine
from typing import Any
from urllib.parse import quote

from modelport_server.calls import Call, clock
from modelport_server.errors import EncodingError, GrpcStatus, RequestError
from modelport_server.grpc import metadata
from modelport_server.grpc.frames import Messages, Reader, frame
from modelport_server.grpc.http2.exchange import Answer, Exchange
from modelport_server.grpc.http2.hpack import encode
from modelport_server.grpc.service import INFER, STREAM, Pieces, Service
from modelport_server.grpc.statuses import OK, Status, status_of
from modelport_server.grpc.streams import Streams
from modelport_server.lifecycle import Lifecycle
from modelport_server.limits import Limits
from modelport_server.observation import Observation

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

    def respond(self, exchange: Exchange, body: bytes) -> Answer | Coroutine[Any, Any, Answer]:
        """Answer an RPC with one message in each direction."""
        if exchange.path == INFER:
            return self._infer(exchange, body)
        try:
            page = self._service.page(exchange.path)
            told = metadata.read(exchange.headers)
            message = Reader(self._limits, told.encoding).only(body)
            return Answer(START, frame([page(message)]), END)
        except Exception as error:  # noqa: BLE001 - the client gets its status, whatever it is
            return refusal(error)

    def refuse(self, exchange: Exchange, error: RequestError) -> Answer:
        """Answer an RPC that is not received to its end."""
        if exchange.path == INFER:
            self._service.end(self._service.begin(exchange.arrived), error)
        return refusal(error)

    def finish_streams(self) -> None:
        """Let streams end once the requests that they have brought are answered, because the server stops."""
        self._streams.finish()

    def _infer(self, exchange: Exchange, body: bytes) -> Answer | Coroutine[Any, Any, Answer]:
        call = self._service.begin(exchange.arrived, exchange.left)
        try:
            told = metadata.read(exchange.headers)
            call.parent = told.parent
            if told.seconds is not None:
                call.expire_after(told.seconds)
            pieces = self._service.ask(Reader(self._limits, told.encoding).only(body), call)
            if not isinstance(pieces, list):
                return self._later(pieces, told.answer_encoding, call)
            answer = _written(pieces, told.answer_encoding)
        except Exception as error:  # noqa: BLE001 - as above
            self._service.end(call, error)
            return refusal(error)
        self._service.end(call)
        return answer

    async def _later(self, later: Coroutine[Any, Any, Pieces], encoding: str | None, call: Call) -> Answer:
        try:
            with self._service.ending(call):
                return _written(await later, encoding)
        except Exception as error:  # noqa: BLE001 - as above
            return refusal(error)

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


def refusal(error: Exception) -> Answer:
    """Return the answer that tells an error: headers and trailers at once."""
    accepted = (ACCEPTED,) if isinstance(error, EncodingError) else ()
    return Answer(encode((*HEADERS, *accepted, *_trailers(status_of(error)))))


def _written(pieces: Pieces, encoding: str | None) -> Answer:
    return Answer(_start_of(encoding), frame(pieces, encoding), END)


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
