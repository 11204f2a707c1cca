"""Join requests that come at the same time into one run of the model.

Requests join along the first dimension of all inputs and outputs, if verification has proved that rows answer in company as
they do alone (`modelport.verification.verdict.companies`). All other lengths and the types must be equal. A batch leaves when it is full, or when its oldest request has waited long enough and a thread is free; while all
are busy it goes on growing.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from modelport.verification.arrays import Tensors
from modelport_server.dataplane.calls import Call, clock
from modelport_server.errors import InferenceError
from modelport_server.execution.running import Execution, check_room

Key = tuple[tuple[str, tuple[int, ...]], ...]


class Settings(NamedTuple):
    """How far requests are joined."""

    max_size: int
    """Rows of a batch."""
    max_delay_seconds: float
    """How long a request may wait for others."""


class _Waiting(NamedTuple):
    inputs: Tensors
    rows: int
    call: Call
    answer: "asyncio.Future[Tensors]"


class _Batch:
    """Requests that will run together."""

    __slots__ = ("is_due", "key", "members", "rows")

    def __init__(self, key: Key) -> None:
        self.key, self.members, self.rows, self.is_due = key, list[_Waiting](), 0, False


class Batching:
    """Batches in front of an execution; all methods are for the event loop's thread."""

    def __init__(self, execution: Execution, settings: Settings, *, max_queue: int) -> None:
        """Join requests as far as the settings say, with up to `max_queue` requests waiting."""
        self._execution, self._settings, self._max_queue = execution, settings, max_queue
        self._open: dict[Key, _Batch] = {}
        self._due: deque[_Batch] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self.waiting = 0
        self.on_batch: Callable[[int], None] = _ignore
        """Called with the number of rows of each batch that runs."""

    def run_now(self, _inputs: Tensors, _call: Call) -> Tensors | None:
        """Return None: there may be others to wait for."""

    async def run(self, inputs: Tensors, call: Call) -> Tensors:
        """Run the model on these rows, alone or in company. Raises as Execution.run does."""
        rows = len(next(iter(inputs.values())))
        if rows >= self._settings.max_size:
            self.on_batch(rows)
            return await self._execution.run(inputs, call)
        check_room(self.waiting, self._max_queue)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(inputs, rows, call, loop.create_future())
        self.waiting += 1
        self._join(waiting, loop)
        return await call.wait_for(waiting.answer)

    def _join(self, waiting: _Waiting, loop: asyncio.AbstractEventLoop) -> None:
        key = tuple((name, array.shape[1:]) for name, array in waiting.inputs.items())
        batch = self._open.get(key)
        if batch is not None and batch.rows + waiting.rows > self._settings.max_size:
            self._close(batch)
            batch = None
        if batch is None:
            batch = self._open[key] = _Batch(key)
            loop.call_later(self._settings.max_delay_seconds, self._close, batch)
        batch.members.append(waiting)
        batch.rows += waiting.rows
        if batch.rows >= self._settings.max_size:
            self._close(batch)

    def _close(self, batch: _Batch) -> None:
        """Let a batch leave as soon as there is a thread; until then an open one goes on growing."""
        if not batch.is_due:
            batch.is_due = True
            self._due.append(batch)
        if batch.rows >= self._settings.max_size:
            self._forget(batch)
        self._leave()

    def _forget(self, batch: _Batch) -> None:
        if self._open.get(batch.key) is batch:
            del self._open[batch.key]

    def _leave(self) -> None:
        if self._due and not self._execution.is_busy:
            batch = self._due.popleft()
            self._forget(batch)
            task = asyncio.get_running_loop().create_task(self._run(batch))
            self._running.add(task)
            task.add_done_callback(self._ran)
            asyncio.get_running_loop().call_soon(self._leave)  # when the task has taken its thread

    def _ran(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._leave()

    async def _run(self, batch: _Batch) -> None:
        self.waiting -= len(batch.members)
        members = [each for each in batch.members if not each.answer.done()]  # who gave up has cancelled
        if not members:
            return
        try:
            await self._answer(members)
        except Exception as error:  # noqa: BLE001 - who waits must hear of it, whatever it is
            if len(members) == 1:
                _fail(members[0], error)
            else:  # one request must not spoil the others: each is answered as it would be alone
                for each in members:
                    await self._run_alone(each)

    async def _run_alone(self, member: _Waiting) -> None:
        try:
            await self._answer([member])
        except Exception as error:  # noqa: BLE001 - who waits must hear of it, whatever it is
            _fail(member, error)

    async def _answer(self, members: list[_Waiting]) -> None:
        call = Call(clock())
        rows = sum(each.rows for each in members)
        self.on_batch(rows)
        outputs = await self._execution.run(_joined(members), call)
        for name, array in outputs.items():
            if array.shape[:1] != (rows,):
                raise InferenceError(f"outputs[{name}]: expected {rows} rows, found {list(array.shape)}")
        first = 0
        for each in members:
            each.call.started, each.call.ended = call.started, call.ended
            part = {name: array[first : first + each.rows] for name, array in outputs.items()}
            first += each.rows
            if not each.answer.done():
                each.answer.set_result(part)


def _joined(members: list[_Waiting]) -> Tensors:
    if len(members) == 1:
        return members[0].inputs
    return {name: np.concatenate([each.inputs[name] for each in members]) for name in members[0].inputs}


def _fail(member: _Waiting, error: Exception) -> None:
    if not member.answer.done():
        member.answer.set_exception(error)


def _ignore(_rows: int) -> None:
    """Do nothing."""
