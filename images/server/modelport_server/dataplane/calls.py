"""One request on its way: when it reached each stage, and how long its client waits."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from modelport_server.errors import BadRequestError, ClientLeftError, DeadlineError

clock = time.perf_counter
"""What all times of a call are measured with, in seconds."""
Result = TypeVar("Result")


class Call:
    """Times of one inference, by `clock`; 0 is a stage that was not reached."""

    __slots__ = (
        "arrived",
        "client_leaves",
        "code",
        "deadline",
        "decoded",
        "done",
        "ended",
        "id",
        "parent",
        "received",
        "started",
    )

    def __init__(self, arrived: float, client_leaves: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin with the first byte of the request; `client_leaves` returns when nobody waits any more."""
        self.arrived, self.client_leaves = arrived, client_leaves
        self.received = self.decoded = self.started = self.ended = self.done = 0.0
        self.deadline: float | None = None
        """When the client stops waiting."""
        self.parent: bytes | None = None
        """The client's trace, as the header `traceparent` tells it."""
        self.id: str | None = None
        """The client's name for the request."""
        self.code = "500"
        """How it ended, as the transport spells it."""

    def expire_after(self, seconds: float) -> None:
        """Set the deadline, if it is earlier than the one that is set."""
        moment = self.arrived + seconds
        self.deadline = moment if self.deadline is None else min(moment, self.deadline)

    def take_timeout(self, microseconds: Any) -> None:
        """Set the deadline that Triton's clients tell in the parameter `timeout`. Raises BadRequestError."""
        if microseconds is None:
            return
        if not isinstance(microseconds, int) or isinstance(microseconds, bool) or microseconds < 0:
            raise BadRequestError(f"parameters.timeout: expected microseconds, found {microseconds!s:.32}")
        if microseconds:
            self.expire_after(microseconds / 1e6)

    def check_deadline(self) -> None:
        """Raise DeadlineError if nobody waits for the answer any more."""
        if self.deadline is not None and clock() >= self.deadline:
            raise DeadlineError("the deadline passed before the model ran")

    async def wait_for(self, answer: "asyncio.Future[Result]") -> Result:
        """Wait no longer than the client does; then cancel. Raises DeadlineError, ClientLeftError."""
        leaving = asyncio.ensure_future(self.client_leaves()) if self.client_leaves else None
        waited: set[asyncio.Future[Any]] = {answer, leaving} if leaving else {answer}
        left = None if self.deadline is None else self.deadline - clock()
        try:
            done, _ = await asyncio.wait(waited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if answer in done:
                return answer.result()
            if done:
                raise ClientLeftError("the client left before its answer was there")
            raise DeadlineError("the deadline passed before the model had answered")
        finally:
            answer.cancel()
            if leaving:
                leaving.cancel()
