"""One ModelStreamInfer: some of its requests are answered at the same time, and all in their order."""

import asyncio
from collections.abc import Awaitable, Callable

from modelport_server.calls import Call
from modelport_server.errors import ClientLeftError, GrpcStatus
from modelport_server.grpc.service import Service
from modelport_server.grpc.statuses import OK, Status, status_of
from modelport_server.protocol.payloads import Buffer

IN_FLIGHT = 16
"""Requests of a stream that are here and whose answers are not sent; further ones are not read."""
STOPPING = Status(GrpcStatus.UNAVAILABLE, "the server stops; what it had received is answered")
LEFT = Status(GrpcStatus.CANCELLED, "the client left")


class Stream:
    """Requests under way."""

    def __init__(
        self, service: Service, next_message: Callable[[], Awaitable[bytes | None]], new_call: Callable[[], Call]
    ) -> None:
        """Read messages, until there is None, in a task of its own."""
        self._service, self._next_message, self._new_call = service, next_message, new_call
        self._free = asyncio.Semaphore(IN_FLIGHT)
        self._answers = asyncio.Queue[asyncio.Task[list[Buffer]] | None]()
        self._under_way = set[asyncio.Task[list[Buffer]]]()
        self._reading = asyncio.create_task(self._read())

    async def next_answer(self) -> list[Buffer] | None:
        """Return the pieces of the next answer; None after the last."""
        answer = await self._answers.get()
        if answer is None:
            return None
        try:
            return await answer
        except asyncio.CancelledError:
            if self._reading.done() and self._reading.result() is LEFT:
                return None
            raise
        finally:
            self._free.release()

    async def status(self) -> Status:
        """Return how the stream ends, after the last answer."""
        return await self._reading

    def finish(self) -> None:
        """Read no more."""
        self._reading.cancel()

    def close(self) -> None:
        """Drop what is under way."""
        self._reading.cancel()
        for task in self._under_way:
            task.cancel()

    async def _read(self) -> Status:
        status = OK
        try:
            while True:
                await self._free.acquire()
                message = await self._next_message()
                if message is None:
                    break
                task = asyncio.create_task(self._service.infer_streamed(message, self._new_call()))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
                self._answers.put_nowait(task)
        except asyncio.CancelledError:
            status = STOPPING
        except ClientLeftError:
            status = LEFT
            for task in self._under_way:
                task.cancel()
        except Exception as error:  # noqa: BLE001 - the client gets its message, whatever it is
            status = status_of(error)
        self._answers.put_nowait(None)
        return status
