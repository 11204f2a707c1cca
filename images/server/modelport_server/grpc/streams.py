"""One ModelStreamInfer: some of its requests are answered at the same time, and all in their order."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from modelport_server.dataplane.calls import Call
from modelport_server.errors import GrpcStatus
from modelport_server.grpc.service import Service
from modelport_server.grpc.statuses import OK, Status, status_of
from modelport_server.protocol.payloads import Buffer

IN_FLIGHT = 16
"""Requests of a stream that are here and whose answers are not sent; further ones are not read."""
STOPPING = Status(GrpcStatus.UNAVAILABLE, "the server stops; what is not answered, another one will")
NextMessage = Callable[[], Awaitable[bytes | None]]
NewCall = Callable[[], Call]
Keep = Callable[[int], None]


def _keep_nothing(_size: int) -> None:
    """Take no note of answers that wait, because the transport does."""


class Stream:
    """Requests under way."""

    def __init__(
        self, service: Service, next_message: NextMessage, new_call: NewCall, keep: Keep = _keep_nothing
    ) -> None:
        """Read messages, until there is None, in a task of its own; tell `keep` of answers that wait to be sent."""
        self._service, self._next_message, self._new_call, self._keep = service, next_message, new_call, keep
        self._kept: dict[asyncio.Task[list[Buffer]], int] = {}
        """Bytes of answers that are there and not sent."""
        self._free = asyncio.Semaphore(IN_FLIGHT)
        self._answers = asyncio.Queue[asyncio.Task[list[Buffer]] | None]()
        self._under_way = set[asyncio.Task[list[Buffer]]]()
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(lambda _: self._answers.put_nowait(None))

    async def next_answer(self) -> list[Buffer] | None:
        """Return the pieces of the next answer; None after the last."""
        answer = await self._answers.get()
        if answer is None:
            return None
        try:
            return await answer
        finally:
            self._let_go(answer)
            self._free.release()

    def status(self) -> Status:
        """Return how the stream ends, after the last answer."""
        return STOPPING if self._reading.cancelled() else self._reading.result()

    def finish(self) -> None:
        """Read no more."""
        self._reading.cancel()

    def close(self) -> None:
        """Drop what is under way."""
        self._reading.cancel()
        for task in self._under_way:
            task.cancel()
        self._under_way.clear()
        for task in list(self._kept):
            self._let_go(task)

    def _answered(self, task: "asyncio.Task[list[Buffer]]") -> None:
        if task not in self._under_way:
            return  # the stream was closed
        self._under_way.discard(task)
        if not task.cancelled():
            self._kept[task] = size = sum(map(len, task.result()))
            self._keep(size)

    def _let_go(self, task: "asyncio.Task[list[Buffer]]") -> None:
        self._keep(-self._kept.pop(task, 0))

    async def _read(self) -> Status:
        try:
            while True:
                await self._free.acquire()
                message = await self._next_message()
                if message is None:
                    return OK
                task = asyncio.create_task(self._service.infer_streamed(message, self._new_call()))
                self._under_way.add(task)
                task.add_done_callback(self._answered)
                self._answers.put_nowait(task)
        except Exception as error:  # noqa: BLE001 - the client gets its message, whatever it is
            return status_of(error)


class Streams:
    """All that are open."""

    def __init__(self, service: Service) -> None:
        """Ask a service."""
        self._service = service
        self._open = set[Stream]()
        self._is_finishing = False

    @contextmanager
    def opened(self, next_message: NextMessage, new_call: NewCall, keep: Keep = _keep_nothing) -> Iterator[Stream]:
        """Return a stream; behind it, what is under way is dropped."""
        stream = Stream(self._service, next_message, new_call, keep)
        self._open.add(stream)
        if self._is_finishing:
            stream.finish()
        try:
            yield stream
        finally:
            self._open.discard(stream)
            stream.close()

    def finish(self) -> None:
        """Let streams end once the requests that they have brought are answered, because the server stops."""
        self._is_finishing = True
        for stream in self._open:
            stream.finish()
