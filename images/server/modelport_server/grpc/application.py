"""The ASGI application of gRPC: paths, frames and trailers. What a message means is the service's business."""

from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from modelport_server.calls import Call, clock
from modelport_server.errors import ClientLeftError, EncodingError
from modelport_server.grpc import metadata
from modelport_server.grpc.asgi import Headers, Receive, Scope, Send, client_left
from modelport_server.grpc.frames import Messages, frame
from modelport_server.grpc.service import INFER, STREAM, Service
from modelport_server.grpc.statuses import Status, status_of
from modelport_server.grpc.streams import Stream
from modelport_server.lifecycle import Lifecycle
from modelport_server.limits import Limits
from modelport_server.observation import Observation

Event = dict[str, Any]
GRPC = b"application/grpc"
CONTENT_TYPE = (b"content-type", GRPC)
ACCEPTED = (b"grpc-accept-encoding", metadata.ACCEPTED.encode())
TRAILERS = "http.response.trailers"
"""What a request has that says that it takes trailers, as gRPC demands."""
END: Event = {"type": TRAILERS, "headers": [(b"grpc-status", b"0")]}
PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
"""What grpc-message holds as it is."""


class Application:
    """Answer RPCs for one model."""

    def __init__(self, lifecycle: Lifecycle, observation: Observation, limits: Limits) -> None:
        """Take what the requests share; the data plane comes later, so that probes are answered before."""
        self._service, self._limits = Service(lifecycle, observation), limits
        self._streams = set[Stream]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one RPC."""
        arrived, path = clock(), scope["path"]
        headers: Headers = dict(scope["headers"])
        if TRAILERS not in scope["extensions"] or not headers.get(b"content-type", b"").startswith(GRPC):
            await _refuse_http(send)
            return
        try:
            if path == INFER:
                content, encoding = await self._infer(arrived, headers, receive)
            elif path == STREAM:
                await self._stream(arrived, headers, receive, send)
                return
            else:
                content, encoding = await self._page(path, headers, receive), None
        except ClientLeftError:
            return
        except Exception as error:  # noqa: BLE001 - the client gets its status, whatever it is
            await send(_start(ACCEPTED) if isinstance(error, EncodingError) else START)
            await _end(status_of(error), send)
            return
        await send(_start_of(encoding))
        await send({"type": "http.response.body", "body": content})
        await send(END)

    def finish_streams(self) -> None:
        """Let streams end once the requests that they have brought are answered, because the server stops."""
        for stream in self._streams:
            stream.finish()

    async def _infer(self, arrived: float, headers: Headers, receive: Receive) -> tuple[bytes, str | None]:
        with self._service.observed(arrived, partial(client_left, receive)) as call:
            told = metadata.read(headers)
            call.parent = told.parent
            if told.seconds is not None:
                call.expire_after(told.seconds)
            answer = self._service.ask(await Messages(receive, self._limits, told.encoding).only(), call)
            pieces = answer if isinstance(answer, list) else await answer
            return frame(pieces, told.answer_encoding), told.answer_encoding

    async def _page(self, path: str, headers: Headers, receive: Receive) -> bytes:
        page = self._service.page(path)
        told = metadata.read(headers)
        return frame([page(await Messages(receive, self._limits, told.encoding).only())])

    async def _stream(self, arrived: float, headers: Headers, receive: Receive, send: Send) -> None:
        told = metadata.read(headers)
        deadline = None if told.seconds is None else arrived + told.seconds

        def new_call() -> Call:
            call = Call(clock())
            call.parent, call.deadline = told.parent, deadline
            return call

        stream = Stream(self._service, Messages(receive, self._limits, told.encoding).next, new_call)
        self._streams.add(stream)
        try:
            await self._send_answers(stream, told.answer_encoding, send)
        except OSError as error:  # what h2corn says of a stream that is closed
            raise ClientLeftError("the client left before its answers were sent") from error
        finally:
            self._streams.discard(stream)
            stream.close()

    async def _send_answers(self, stream: Stream, encoding: str | None, send: Send) -> None:
        await send(_start_of(encoding))
        while (pieces := await stream.next_answer()) is not None:
            await send({"type": "http.response.body", "body": frame(pieces, encoding), "more_body": True})
        await _end(await stream.status(), send)


def _start(*headers: tuple[bytes, bytes]) -> Event:
    return {"type": "http.response.start", "status": 200, "headers": [CONTENT_TYPE, *headers], "trailers": True}


START = _start()


def _start_of(encoding: str | None) -> Event:
    return START if encoding is None else _start((b"grpc-encoding", encoding.encode()))


async def _end(status: Status, send: Send) -> None:
    headers = [(b"grpc-status", b"%d" % status.code)]
    if status.message:
        headers.append((b"grpc-message", quote(status.message, safe=PLAIN).encode()))
    await send({"type": "http.response.body", "body": b""})
    await send({"type": TRAILERS, "headers": headers})


async def _refuse_http(send: Send) -> None:
    """Answer what is HTTP/2, but no gRPC."""
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": HTTPStatus.UNSUPPORTED_MEDIA_TYPE.value, "headers": headers})
    await send(
        {"type": "http.response.body", "body": b"expected gRPC: content-type application/grpc, and trailers taken"}
    )
