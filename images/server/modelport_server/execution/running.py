"""When and where the model runs.

A run that is expected to be short happens at once, in the event loop: handing it to a thread would take longer. All
others happen in threads, one line in front of them; the line is bounded, and who waits in it leaves it when the deadline
passes or the client goes away. There are no more runs at once than were shared out (`threads`), those in the event loop
included; but while all threads are busy, a model with one instance for everybody still makes one short run more, there.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport_server.dataplane.calls import Call, clock
from modelport_server.errors import BadRequestError, InferenceError, OverloadedError

SHORT_SECONDS = 0.001
"""A run up to this happens in the event loop: probes and other connections wait no longer than for any request."""
MEASURED_RUNS = 5


class Execution:
    """Runs one model; all methods are for the event loop's thread."""

    def __init__(self, infer: Infer, *, runs: int, max_queue: int, takes_more: bool = False) -> None:
        """Run up to so many requests at once, with up to `max_queue` waiting; `infer` may take more at once, or none."""
        self._infer, self._takes_more = infer, takes_more
        self._threads = ThreadPoolExecutor(runs, thread_name_prefix="infer")
        self._slots = runs
        self._max_queue = max_queue
        self._taken = 0
        self._seconds_per_byte = float("inf")

    @property
    def waiting(self) -> int:
        """How many requests wait for a thread."""
        return max(0, self._taken - self._slots)

    @property
    def is_busy(self) -> bool:
        """Whether a further run would have to wait."""
        return self._taken >= self._slots

    def measure(self, inputs: Tensors) -> None:
        """Run a few times, to know how long a run takes."""
        for _ in range(MEASURED_RUNS):
            self._run(inputs, Call(clock()))

    def run_now(self, inputs: Tensors, call: Call) -> Tensors | None:
        """Run the model if that is expected to be short and need not wait; None if not. Raises as `run` does."""
        if _size(inputs) * self._seconds_per_byte > SHORT_SECONDS or (self.is_busy and not self._takes_more):
            return None
        return self._run(inputs, call)

    async def run(self, inputs: Tensors, call: Call) -> Tensors:
        """Run the model. Raises OverloadedError, DeadlineError, and what the model raises."""
        outputs = self.run_now(inputs, call)
        return await self._queued(inputs, call) if outputs is None else outputs

    def close(self) -> None:
        """Wait for runs under way."""
        self._threads.shutdown()

    async def _queued(self, inputs: Tensors, call: Call) -> Tensors:
        check_room(self.waiting, self._max_queue)
        self._taken += 1
        loop = asyncio.get_running_loop()
        job = self._threads.submit(self._run, inputs, call)
        # the place is free when the thread is, which may be after the client went away
        job.add_done_callback(lambda _job: loop.is_closed() or loop.call_soon_threadsafe(self._free))
        try:
            return await call.wait_for(asyncio.wrap_future(job))
        finally:
            job.cancel()  # if it has not begun, it never will

    def _free(self) -> None:
        self._taken -= 1

    def _run(self, inputs: Tensors, call: Call) -> Tensors:
        call.check_deadline()
        call.started = clock()
        outputs = self._infer(inputs)
        call.ended = clock()
        self._learn(inputs, call.ended - call.started)
        return outputs

    def _learn(self, inputs: Tensors, seconds: float) -> None:
        """Take note of how long a run took; how long others take is told from the size of their inputs."""
        measured = seconds / _size(inputs)
        known = self._seconds_per_byte
        # one slow run on a busy machine says little: several have to follow each other before runs go to the threads
        self._seconds_per_byte = measured if known == float("inf") else (known + min(measured, 2 * known)) / 2


def guarded(infer: Infer) -> Infer:
    """Return what runs the model and raises RequestError for whatever the runtime raises."""

    def guard(inputs: Tensors) -> Tensors:
        try:
            return infer(inputs)
        except UnicodeDecodeError as error:
            told = "expected outputs that the model's runtime can give, found strings that are no UTF-8"
            raise BadRequestError(told) from error
        except Exception as error:  # runtimes' errors have no common base
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise InferenceError(f"the model fails on this request: {told[:300]}") from error

    return guard


def check_room(waiting: int, most: int) -> None:
    """Raise OverloadedError if as many requests wait as may."""
    if waiting >= most:
        raise OverloadedError(f"{waiting} requests wait already; try again, or another server")


def _size(inputs: Tensors) -> int:
    size = 1  # a run of nothing takes time too
    for array in inputs.values():
        size += array.nbytes
    return size
