"""gRPC by the library that its authors make: slower, and here for the day on which the other transport fails.

It does by itself what `application` and `frames` do: headers, frames, compression of requests, clients that go away.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc  # type: ignore[import-untyped]  # its types are a package of their own, which lags behind

from modelport_server.dataplane.calls import Call, clock
from modelport_server.grpc.service import INFER, STREAM, Service
from modelport_server.grpc.statuses import Status, status_of
from modelport_server.grpc.streams import Streams
from modelport_server.lifecycle import Lifecycle
from modelport_server.observation.observers import Observation
from modelport_server.transport.limits import Limits

Context = Any
"""A grpc.aio.ServicerContext; the library has no types."""
CODES = {code.value[0]: code for code in grpc.StatusCode}


@asynccontextmanager
async def listening(
    lifecycle: Lifecycle, observation: Observation, limits: Limits, address: str, *, finish_seconds: float
) -> AsyncIterator[None]:
    """Answer on an address, HOST:PORT; at the end finish what is under way, for up to `finish_seconds`."""
    handlers = Handlers(Service(lifecycle, observation))
    server = grpc.aio.server(
        handlers=[handlers],
        options=[("grpc.max_receive_message_length", limits.max_body_bytes), ("grpc.max_send_message_length", -1)],
        maximum_concurrent_rpcs=limits.max_connections,
    )
    server.add_insecure_port(address)
    await server.start()
    try:
        yield
    finally:
        handlers.finish_streams()
        await server.stop(finish_seconds)


class Handlers:
    """What answers methods, by path; a grpc.GenericRpcHandler."""

    def __init__(self, service: Service) -> None:
        """Ask a service."""
        self._service = service
        self._streams = Streams(service)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """Return what answers a method. grpcio says itself that it is not there if this fails."""
        path = details.method
        if path == STREAM:
            return grpc.stream_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(_refusing(self._infer if path == INFER else self._page(path)))

    def finish_streams(self) -> None:
        """Let streams end once the requests that they have brought are answered."""
        self._streams.finish()

    def _page(self, path: str) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def answer(message: bytes, _context: Context) -> bytes:
            return self._service.page(path)(message)

        return answer

    async def _infer(self, message: bytes, context: Context) -> bytes:
        call = Call(clock())
        with self._service.observed(call):
            _take(call, context)
            return b"".join(await self._service.infer(message, call))

    async def _stream(self, messages: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        def new_call() -> Call:
            call = Call(clock())
            _take(call, context)
            return call

        async def next_message() -> bytes | None:
            return await anext(messages, None)

        with self._streams.opened(next_message, new_call) as stream:
            while (pieces := await stream.next_answer()) is not None:
                yield b"".join(pieces)
            _end(context, stream.status())


def _refusing(
    answer: Callable[[bytes, Context], Awaitable[bytes]],
) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def answer_or_refuse(message: bytes, context: Context) -> bytes:
        try:
            return await answer(message, context)
        except Exception as error:  # noqa: BLE001 - the client gets its status, whatever it is
            _end(context, status_of(error))
            return b""

    return answer_or_refuse


def _take(call: Call, context: Context) -> None:
    """Take deadline and trace."""
    seconds = context.time_remaining()
    if seconds is not None:
        call.expire_after(seconds)
    for name, value in context.invocation_metadata() or ():
        if name == "traceparent":
            call.parent = value if isinstance(value, bytes) else value.encode()


def _end(context: Context, status: Status) -> None:
    context.set_code(CODES[status.code])
    context.set_details(status.message)
