"""Where the model runs, and who waits."""

import asyncio
import threading

import numpy as np
import pytest

from modelport_server.dataplane.calls import Call, clock
from modelport_server.errors import BadRequestError, ClientLeftError, DeadlineError, OverloadedError
from modelport_server.execution.running import Execution

INPUTS = {"x": np.zeros(4, np.float32)}


def test_short_runs_stay_in_the_loop_and_long_ones_go_to_a_thread():
    seen, wait = [], threading.Event()

    def infer(inputs):
        seen.append(threading.current_thread() is threading.main_thread())
        wait.wait(0.01 if inputs["x"].size > 4 else 0)
        return inputs

    execution = Execution(infer, runs=1, max_queue=1)
    execution.measure(INPUTS)
    seen.clear()

    async def story():
        await execution.run(INPUTS, Call(clock()))
        await execution.run({"x": np.zeros(4_000_000, np.float32)}, Call(clock()))

    asyncio.run(story())
    assert seen == [True, False], "how long a run takes is told from the size of its inputs"
    execution.close()


class Slow:
    """A model that runs until it is told to end."""

    def __init__(self):
        self.end, self.runs = threading.Event(), 0

    def __call__(self, inputs):
        self.runs += 1
        self.end.wait(10)
        return inputs


def test_the_line_is_bounded_and_moves_on():
    model = Slow()
    execution = Execution(model, runs=1, max_queue=1)

    async def story():
        first, second = (asyncio.create_task(execution.run(INPUTS, Call(clock()))) for _ in range(2))
        await asyncio.sleep(0.05)
        assert execution.waiting == 1
        with pytest.raises(OverloadedError) as caught:
            await execution.run(INPUTS, Call(clock()))
        assert (caught.value.status, dict(caught.value.headers)) == (503, {"retry-after": "1"})
        model.end.set()
        await asyncio.gather(first, second)
        await asyncio.sleep(0)
        assert execution.waiting == 0

    asyncio.run(story())
    execution.close()


@pytest.mark.parametrize("takes_more", [True, False])
def test_a_short_run_while_all_are_busy_waits_unless_the_model_takes_more(takes_more):
    running, most, begun, end = [], [], threading.Event(), threading.Event()

    def infer(inputs):
        running.append(1)
        most.append(len(running))
        if inputs["x"].size > 4:
            begun.set()
            end.wait(10)
        running.pop()
        return inputs

    execution = Execution(infer, runs=1, max_queue=9, takes_more=takes_more)
    execution.measure(INPUTS)
    long = {"x": np.zeros(4_000_000, np.float32)}

    async def story():
        busy = asyncio.create_task(execution.run(long, Call(clock())))
        assert await asyncio.to_thread(begun.wait, 10)
        short = asyncio.create_task(execution.run(INPUTS, Call(clock())))
        await asyncio.sleep(0)
        assert short.done() == takes_more
        end.set()
        await asyncio.gather(busy, short)

    asyncio.run(story())
    execution.close()
    assert max(most) == 1 + takes_more


def test_deadlines_and_clients_that_leave_end_the_wait():
    model = Slow()
    execution = Execution(model, runs=1, max_queue=9)

    async def leaves():
        await asyncio.sleep(0.03)

    async def story():
        running = asyncio.create_task(execution.run(INPUTS, Call(clock())))
        await asyncio.sleep(0.02)
        late = Call(clock())
        late.expire_after(0.03)
        with pytest.raises(DeadlineError):
            await execution.run(INPUTS, late)
        with pytest.raises(ClientLeftError):
            await execution.run(INPUTS, Call(clock(), leaves))
        with pytest.raises(DeadlineError):
            await execution.run(INPUTS, late)
        model.end.set()
        await running
        await asyncio.sleep(0.05)
        assert execution.waiting == 0
        assert not execution.is_busy

    asyncio.run(story())
    execution.close()
    assert model.runs == 1, "who gave up was never run"


@pytest.mark.parametrize("timeout", ["1", 1.5, -1, True, [], {}])
def test_timeouts_that_are_none(timeout):
    with pytest.raises(BadRequestError, match=r"parameters\.timeout: expected microseconds"):
        Call(clock()).take_timeout(timeout)


def test_the_earliest_deadline_counts():
    call = Call(100.0)
    call.take_timeout(None)
    call.take_timeout(0)
    assert call.deadline is None
    call.expire_after(2)
    call.take_timeout(1_000_000)
    call.expire_after(3)
    assert call.deadline == 101
